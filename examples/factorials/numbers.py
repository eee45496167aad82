"""Sends the numbers 1 to 18 for each of two senders, and for `wild` also some that have no factorial of 64 bits.

    python3 numbers.py [host] [port]
    python3 numbers.py --print              to standard output instead

Exit code 1 where they cannot be sent.
"""
import json
import socket
import sys


def events():
    for sender in ("ann", "wild"):
        for n in range(1, 19):
            yield {"sender": sender, "n": n}
    for n in (-1, -2, 21, 22, 1000):
        yield {"sender": "wild", "n": n}


def main(arguments):
    lines = "".join(json.dumps(event) + "\n" for event in events())
    if arguments == ["--print"]:
        print(lines, end="")
        return
    host = arguments[0] if arguments else "127.0.0.1"
    port = int(arguments[1]) if len(arguments) > 1 else 7171
    try:
        with socket.create_connection((host, port), timeout=30) as connection:
            connection.sendall(lines.encode())
    except OSError as error:
        sys.exit(f"numbers.py: {host}:{port}: {error}")
    print(f"sent {lines.count(chr(10))} numbers")


if __name__ == "__main__":
    main(sys.argv[1:])
