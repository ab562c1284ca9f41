#!/bin/sh
# Makes the secret files that docker-compose.yml mounts, in ./secrets. Never overwrites one.
#
#     deploy/make-secrets.sh
#     printf %s 'the secret of the cloud access key' > secrets/cloud_access_key_secret
#
# The folder is closed (0700); the files are open, because the containers' users have to read them.
set -eu
cd "$(dirname "$0")/.."
umask 022
mkdir -p secrets
chmod 700 secrets

# make NAME VALUE: writes a secret unless it is there already.
make() {
    if [ -e "secrets/$1" ]; then
        echo "kept secrets/$1"
    else
        printf %s "$2" > "secrets/$1"
        echo "made secrets/$1"
    fi
}

# Hexadecimal digits only: they stand in an address without escapes.
make postgres_password "$(openssl rand -hex 24)"
make eci_owner_password "$(openssl rand -hex 24)"
make eci_runtime_password "$(openssl rand -hex 24)"
make migrate_database_url "postgres://eci_owner:$(cat secrets/eci_owner_password)@postgres:5432/eci"
make database_url "postgres://eci_runtime:$(cat secrets/eci_runtime_password)@postgres:5432/eci"
make master_key "$(openssl rand -base64 32)"
make audit_key "$(openssl rand -base64 32)"

[ -s secrets/cloud_access_key_secret ] || echo "still to do: write the cloud's secret into secrets/cloud_access_key_secret"
