#!/bin/sh
# Makes a component of codec.py:  sh build.sh [OUT.wasm]
# Needs Python 3.10 or later with venv, and componentize-py from PyPI, which is put into the folder VENV (without it: target/python-codec of the repository).
set -eu
cd "$(dirname "$0")"
root=../..
out=${1:-$root/plugins/target/components/examples/weather.wasm}
venv=${VENV:-$root/target/python-codec}
tool=componentize-py==0.25.1
if [ ! -x "$venv/bin/componentize-py" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet "$tool" || {
        echo "build.sh: cannot install $tool from PyPI; install it by hand: $venv/bin/pip install $tool" >&2
        exit 1
    }
fi
mkdir -p "$(dirname "$out")"
# With --stub-wasi it imports nothing but the contract. Without it Python brings sockets along, which Weir refuses; an exception that leaves codec.py is a trap
# either way, and with the stubs its traceback is lost.
"$venv/bin/componentize-py" -d "$root/wit" -w codec componentize --stub-wasi codec -p . -o "$out" >/dev/null
echo "$out"
