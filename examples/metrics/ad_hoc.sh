#!/bin/sh
# Asks a running host questions that nobody thought of when it was started: ad_hoc.sh [WEIR] [URL]
set -eu
weir=${1:-weir}
url=${2:-http://127.0.0.1:7070}

# What comes, and what is in it.
"$weir" stream ls --server "$url"
"$weir" stream show web/demo/request --server "$url"

# First tried on the newest events: is it the right question?
"$weir" metric try execution_time --from web/demo/request --key status_code --value execution_time_ms --rollup 1s:median,max --server "$url"

# Then made. It begins with the events that the host still has, then counts each that comes.
"$weir" metric add execution_time --from web/demo/request --key status_code --value execution_time_ms \
    --rollup 1s:median,max --rollup 10s:count --lateness 2s --server "$url"
"$weir" metric add searches --from web/demo/request --where "path = '/search'" --key user_agent --rollup 10s:count --lateness 2s --server "$url"
"$weir" metric ls --server "$url"

# Changed: what is not named stays as it was.
"$weir" metric set searches --title "searches by user agent" --server "$url"
"$weir" metric show searches --server "$url"
"$weir" config revisions --server "$url"
