#!/bin/sh
# Sends three events over TCP, one JSON object on a line:  sh tcp.sh [HOST] [PORT]
set -eu
host=${1:-127.0.0.1}
port=${2:-7171}
for ms in 12 7 31; do
    echo "{\"type\":\"click\",\"page\":\"/\",\"ms\":$ms}"
done | nc -N "$host" "$port"
echo "sent 3 events"
