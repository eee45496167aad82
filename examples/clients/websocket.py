"""Sends three events over a WebSocket and waits until the host says that it has them:  python3 websocket.py [HOST] [PORT]

Real programs use a library of their language, and pages in a browser `new WebSocket(url)`; this needs nothing but the standard library.
"""
import base64
import json
import os
import socket
import struct
import sys

host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 7070
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


def send(connection, kind, data):
    """A frame of at most 125 bytes. A client masks what it sends (RFC 6455, section 5.3)."""
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
    connection.sendall(bytes([0x80 | kind, 0x80 | len(data)]) + mask + masked)


def receive(reader):
    """Kind and content of the next frame."""
    kind, length = reader.read(2)
    if length == 126:
        (length,) = struct.unpack(">H", reader.read(2))
    return kind & 0x0F, reader.read(length)


with socket.create_connection((host, port), timeout=5) as connection:
    reader = connection.makefile("rb")
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall(
        f"GET /ingest/my/dev/click HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    status = reader.readline().decode().strip()
    if " 101 " not in status:
        sys.exit(f"no WebSocket: {status}")
    while reader.readline().strip():
        pass
    for ms in (12, 7, 31):
        send(connection, TEXT, json.dumps({"page": "/", "ms": ms}).encode())
    answer = {"messages_total": 0}
    while answer["messages_total"] < 3:
        kind, content = receive(reader)
        if kind == PING:
            send(connection, PONG, content)
        elif kind == TEXT:
            answer = json.loads(content)
        else:
            sys.exit("the host closed the connection")
    send(connection, CLOSE, struct.pack(">H", 1000))
print(answer)
if answer["accepted_total"] != 3:
    sys.exit("not all were accepted")
