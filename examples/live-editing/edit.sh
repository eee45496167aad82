#!/bin/sh
# Edits the pipeline `requests` of a running host and goes back again: edit.sh [WEIR] [URL]
set -eu
weir=${1:-weir}
url=${2:-http://127.0.0.1:7070}
before=$("$weir" config export --server "$url")

# Only what people ask for counts by user agent; the other two units go on as they were, windows and all.
"$weir" pipeline inject requests/people --use filter --set "keep=not (user_agent contains 'bot')" --after in --before by_agent --server "$url"
"$weir" pipeline show requests --server "$url"

# Another condition: an open window keeps what it has counted.
"$weir" pipeline set requests/people "keep=user_agent starts_with 'Mozilla'" --server "$url"
"$weir" config diff --server "$url"

# What comes while it is paused waits, and goes through the units that are there at the start.
"$weir" pipeline pause requests --server "$url"
"$weir" config undo --server "$url"
"$weir" pipeline start requests --server "$url"

"$weir" pipeline remove requests/people --server "$url"
"$weir" config revisions --server "$url"
test "$before" = "$("$weir" config export --server "$url")"
echo "the configuration is as it was, comments and all"
