#!/bin/sh
# Periodic work: partitions ahead of time, and retention. Ends at the first failure; the supervisor starts it again.
set -eu
cd "$(dirname "$0")/.."
seconds="${WORKER_SECONDS:-3600}"
alive="${WORKER_ALIVE_FILE:-/tmp/worker-alive}"

trap 'exit 0' TERM INT
while true; do
    python manage.py partitions
    python manage.py retention
    touch "$alive"
    sleep "$seconds" &
    wait $!
done
