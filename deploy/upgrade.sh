#!/bin/sh
# Replaces the running containers by those of the present sources and settings, in an order in which somebody always
# answers: the migrations first, with the new image, while the old gateways go on; then the workers; then the gateways,
# one by one where a proxy stands before them (deploy/compose.proxy.yml), else with a gap while one container ends and the other begins.
#
#     deploy/upgrade.sh              # builds the image
#     deploy/upgrade.sh --no-build   # takes eci-cache-gateway:local as it is
#
# COMPOSE names another Compose than `docker compose`, DOCKER another `docker`. Stops at the first failure: the old
# containers go on then, and it can be run again.
set -eu
cd "$(dirname "$0")/.."

# Split into words.
compose=${COMPOSE:-docker compose}
docker=${DOCKER:-docker}
# For how long the proxy may not know yet of a gateway that is healthy: a look at the name server, and a check.
proxy_sees=5

[ "${1:-}" = --no-build ] || $compose build gateway

echo "migrating, beside the running gateways"
$compose run --rm --no-deps migrate

echo "replacing the workers"
$compose up --detach --wait --no-deps --no-build worker

case " $($compose config --services | tr '\n' ' ') " in
*" proxy "*) ;;
*)
    echo "replacing the gateway"
    exec $compose up --detach --wait --no-deps --no-build gateway
    ;;
esac

old=$($compose ps --quiet gateway)
count=$(echo "$old" | grep -c . || true)
for container in $old; do
    echo "one more gateway beside $container"
    $compose up --detach --wait --no-deps --no-build --no-recreate --scale "gateway=$((count + 1))" gateway
    sleep "$proxy_sees"
    # It takes no new connections, and ends what it has in hand.
    $docker stop --time 30 "$container" >/dev/null
    $docker rm "$container" >/dev/null
done
$compose up --detach --wait --no-deps --no-build --no-recreate --scale "gateway=$((count > 0 ? count : 1))" proxy gateway
