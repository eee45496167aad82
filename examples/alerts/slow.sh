#!/bin/sh
# Two pages, one of which gets slow and quick again, in 12 s of event time: slow.sh [WEIR] [URL]
set -eu
weir=${1:-weir}
url=${2:-http://127.0.0.1:7070}
second=0
for ms in 90 120 700 900 2400 800 250 110 100 95 90 90; do
    at="2026-01-01T00:00:$(printf %02d "$second")Z"
    echo "{\"page\":\"/cart\",\"ms\":$ms,\"time\":\"$at\"}"
    echo "{\"page\":\"/\",\"ms\":40,\"time\":\"$at\"}"
    second=$((second + 1))
done | "$weir" send shop/prod/request --server "$url"
