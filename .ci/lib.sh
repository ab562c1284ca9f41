# What .ci/run and .ci/fresh-clone share. Sourced, with `set -euo pipefail` in force.

fail() {
    echo "$*" >&2
    exit 1
}

# A headline, the command, and how long it took. `set -e` holds inside.
step() { # headline, command…
    local begun=$SECONDS headline=$1
    shift
    echo "== $headline"
    "$@"
    echo "   done in $((SECONDS - begun)) s"
}

# A folder of our own that an unprivileged database server can enter.
new_folder() {
    local folder
    folder=$(mktemp -d)
    chmod 755 "$folder"
    echo "$folder"
}

dev_pid=

# Starts `dev` by the given command, waits until it is ready, and takes over its variables.
start_dev() { # its data folder, where to log, command…
    local data=$1 log=$2 _
    shift 2
    rm -f "$data/env"
    "$@" >>"$log" 2>&1 &
    dev_pid=$!
    for _ in $(seq 1800); do
        if [ -f "$data/env" ]; then
            . "$data/env"
            if curl -fsS --max-time 5 -o "$data/readyz" "$ECG_URL/readyz" 2>>"$log"; then return; fi
        fi
        kill -0 "$dev_pid" 2>/dev/null || break
        sleep 0.5
    done
    tail -n 40 "$log" >&2
    fail "dev did not become ready"
}

# Ends what start_dev started, and waits for it. True if it was stopped in order.
stop_dev() { # the signal
    local pid=$dev_pid _
    [ -n "$pid" ] || return 0
    dev_pid=
    kill -s "$1" "$pid" 2>/dev/null || true
    # It drains for 20 s at most; what hangs longer is killed.
    for _ in $(seq 120); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.5
    done
    kill -s KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null
}
