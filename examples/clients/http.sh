#!/bin/sh
# Sends three events over HTTP, one JSON object on a line; the path names their stream:  sh http.sh [HOST] [PORT]
set -eu
host=${1:-127.0.0.1}
port=${2:-7070}
for ms in 12 7 31; do
    echo "{\"page\":\"/\",\"ms\":$ms}"
done | curl --fail-with-body --silent --show-error --data-binary @- "http://$host:$port/ingest/my/dev/click"
echo
