#!/bin/sh
# Makes the secret files that docker-compose.yml mounts, in ./secrets. Never overwrites one; an empty one is made anew.
#
#     deploy/make-secrets.sh
#     printf %s 'the secret of the cloud access key' > secrets/cloud_access_key_secret
#
# Passwords of your own for the roles: write them into secrets/eci_owner_password and secrets/eci_runtime_password first,
# on one line, of at least 16 characters.
#
# The folder is closed (0700); the files are open, because the containers' users have to read them.
set -eu
cd "$(dirname "$0")/.."
umask 022

fail() {
    echo "$*" >&2
    exit 1
}

for tool in od tr cat mv mkdir chmod; do
    command -v "$tool" >/dev/null || fail "$tool is needed, and not here: nothing was made"
done
[ -r /dev/urandom ] || fail "/dev/urandom cannot be read: nothing was made"

mkdir -p secrets config
chmod 700 secrets

# random BYTES: as hexadecimal digits, which stand in an address without escapes.
random() {
    digits=$(od -An -v -N"$1" -tx1 /dev/urandom | tr -d ' \n') || fail "/dev/urandom cannot be read"
    [ "${#digits}" = $((2 * $1)) ] || fail "/dev/urandom gave too little"
    printf %s "$digits"
}

# put NAME VALUE: writes a secret, whole or not at all.
put() {
    printf %s "$2" > "secrets/.$1.new" && mv "secrets/.$1.new" "secrets/$1" || fail "secrets/$1 cannot be written"
}

# make NAME VALUE: writes a secret unless it is there already.
make() {
    if [ -s "secrets/$1" ]; then
        echo "kept secrets/$1"
    else
        [ -n "$2" ] || fail "there is nothing for secrets/$1"
        put "$1" "$2"
        echo "made secrets/$1"
    fi
}

# read_password NAME: what is in the file, if it can be a password.
read_password() {
    password=$(cat "secrets/$1") || fail "secrets/$1 cannot be read"
    case "$password" in *"
"*) fail "secrets/$1 has more than one line" ;; esac
    [ "${#password}" -ge 16 ] || fail "secrets/$1 has ${#password} characters: at least 16 are needed"
    printf %s "$password"
}

# escaped TEXT: as it stands in an address.
escaped() {
    printf %s "$1" | od -An -v -tx1 | tr -d '\n' | tr ' ' '%'
}

# address NAME ROLE PASSWORD-FILE: makes the address of the database for a role.
address() {
    password=$(read_password "$3") || exit 1
    case "$password" in
    *[!A-Za-z0-9]*) password=$(escaped "$password") || fail "secrets/$3 cannot be put into an address" ;;
    esac
    wanted="postgres://$2:$password@postgres:5432/eci"
    make "$1" "$wanted"
    if [ "$(cat "secrets/$1")" != "$wanted" ]; then
        echo "  it is another than secrets/$3 makes: if that is not meant, remove secrets/$1 and run this again"
    fi
}

value=$(random 24) && make postgres_password "$value"
value=$(random 24) && make eci_owner_password "$value"
value=$(random 24) && make eci_runtime_password "$value"
address migrate_database_url eci_owner eci_owner_password
address database_url eci_runtime eci_runtime_password
value=$(random 32) && make master_key "$value"
value=$(random 32) && make audit_key "$value"

# Empty unless a key is being rotated: the compose file mounts them.
for name in master_key_previous audit_key_previous; do
    [ -e "secrets/$name" ] || put "$name" ""
done

[ -s secrets/cloud_access_key_secret ] || echo "still to do: write the cloud's secret into secrets/cloud_access_key_secret"
