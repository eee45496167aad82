"""Sends three events over HTTP in one body of MessagePack:  python3 msgpack.py [HOST] [PORT]

Real programs use a library of their language; this writes by hand what the three events need, so that nothing has to be installed.
"""
import json
import sys
import urllib.request

host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 7070


def packed(value):
    """MessagePack of a small map, text or number from 0 to 127."""
    if isinstance(value, dict):
        return bytes([0x80 | len(value)]) + b"".join(packed(key) + packed(value[key]) for key in value)
    if isinstance(value, str):
        text = value.encode()
        return bytes([0xA0 | len(text)]) + text
    return bytes([value])


body = b"".join(packed({"page": "/", "ms": ms}) for ms in (12, 7, 31))
request = urllib.request.Request(
    f"http://{host}:{port}/ingest/my/dev/click", body, {"content-type": "application/msgpack"}
)
with urllib.request.urlopen(request, timeout=5) as response:
    answer = json.load(response)
print(answer)
if answer["accepted"] != 3:
    sys.exit("not all were accepted")
