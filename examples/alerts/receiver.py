"""Receives what a channel of kind webhook sends, and prints a line for each alert.

    python3 receiver.py              listens on 127.0.0.1:9094 until Ctrl-C
    python3 receiver.py --port 0     on any free port, which it prints first
    python3 receiver.py --refuse 2   answers the first two requests with 503, as a receiver that starts: they come again

The JSON is that of Alertmanager's webhook, so a receiver of that will do as well.
"""
import argparse
import json
from http.server import BaseHTTPRequestHandler, HTTPServer

BODY_BYTES_MAX = 1 << 20


class Receiver(BaseHTTPRequestHandler):
    refuse = 0

    def do_POST(self):
        length = int(self.headers.get("content-length", 0))
        if length > BODY_BYTES_MAX:
            self.send_error(413)
            return
        body = json.loads(self.rfile.read(length))
        if Receiver.refuse > 0:
            Receiver.refuse -= 1
            print("refused", flush=True)
            self.send_error(503)
            return
        for alert in body["alerts"]:
            labels, notes = alert["labels"], alert["annotations"]
            print(alert["status"], labels["severity"], labels["alertname"], labels["page"], "-", notes["summary"], flush=True)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        """The lines above are enough."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=9094, help="0: any free one (default 9094)")
    parser.add_argument("--refuse", type=int, default=0, help="how many requests are refused first (default 0)")
    options = parser.parse_args()
    Receiver.refuse = options.refuse
    with HTTPServer(("127.0.0.1", options.port), Receiver) as server:
        print(f"listens on 127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
