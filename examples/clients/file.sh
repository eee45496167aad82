#!/bin/sh
# Writes three events to a file that Weir follows, and puts a new file in its place after the second:  sh file.sh [FILE]
set -eu
file=${1:-/tmp/weir-clicks/clicks.ndjson}
mkdir -p "$(dirname "$file")"
event() {
    echo "{\"type\":\"click\",\"page\":\"/\",\"ms\":$1}" >> "$file"
}
event 12
event 7
mv "$file" "$file.1"
event 31
echo "wrote 3 events to $file"
