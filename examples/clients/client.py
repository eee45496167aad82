"""Sends three events over TCP, one JSON object on a line:  python3 client.py [HOST] [PORT]"""
import json
import socket
import sys

host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 7171
with socket.create_connection((host, port), timeout=5) as connection:
    for ms in (12, 7, 31):
        event = {"type": "click", "page": "/", "ms": ms}
        connection.sendall(json.dumps(event).encode() + b"\n")
print("sent 3 events")
