#!/bin/sh
# Sends three events over UDP, each a datagram:  sh udp.sh [HOST] [PORT]
set -eu
host=${1:-127.0.0.1}
port=${2:-7172}
for ms in 12 7 31; do
    echo "{\"type\":\"click\",\"page\":\"/\",\"ms\":$ms}" | nc -u -w 1 "$host" "$port"
done
echo "sent 3 events; over UDP nobody says whether they arrived"
