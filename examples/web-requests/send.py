"""Makes web requests up, the same ones for the same seed, and sends them over TCP, one JSON object on a line.

    python3 send.py                               100 a second for 5 minutes, stamped with the time of sending
    python3 send.py --start 1700000000            all at once, with event times that begin there
    python3 send.py --print --start 1700000000    to standard output instead

Fields: time (ms since 1970), user_agent, status_code, execution_time_ms, path. Exit code 1 where they cannot be sent.
"""
import argparse
import json
import random
import socket
import sys
import time

USER_AGENTS = {"Firefox": 35, "Chrome": 45, "Safari": 15, "curl": 4, "bot": 1}
PATHS = {"/": 40, "/search": 30, "/cart": 20, "/login": 10}
# Code: weight, and the mean of its execution time in ms.
STATUS_CODES = {200: (90, 40.0), 302: (4, 8.0), 404: (4, 12.0), 500: (2, 400.0)}


def events(count, seed):
    """Yields events without their time."""
    dice = random.Random(seed)
    pick = lambda weights: dice.choices(list(weights), weights=list(weights.values()))[0]
    weights = {code: weight for code, (weight, _) in STATUS_CODES.items()}
    for _ in range(count):
        status_code = pick(weights)
        # Rounded to quarters of a ms, which are exact in binary.
        execution_time_ms = round(dice.expovariate(1 / STATUS_CODES[status_code][1]) * 4) / 4
        yield {
            "user_agent": pick(USER_AGENTS),
            "status_code": status_code,
            "execution_time_ms": execution_time_ms,
            "path": pick(PATHS),
        }


def write(out, options):
    interval_s = 1 / options.per_second
    begun = time.monotonic()
    for number, event in enumerate(events(options.events, options.seed)):
        if options.start is None:
            # Against the begin and not the last event, so that the rate holds over time.
            time.sleep(max(0, begun + number * interval_s - time.monotonic()))
            at_s = time.time()
        else:
            at_s = options.start + number * interval_s
        out.write(json.dumps({"time": int(at_s * 1000), **event}).encode() + b"\n")
        if options.start is None:
            out.flush()
    out.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("host", nargs="?", default="127.0.0.1")
    parser.add_argument("port", nargs="?", type=int, default=7171)
    parser.add_argument("--events", type=int, default=30_000, help="how many (default 30000)")
    parser.add_argument("--per-second", type=float, default=100, help="how close in time (default 100)")
    parser.add_argument("--seed", type=int, default=1, help="another number, other requests (default 1)")
    parser.add_argument("--start", type=float, help="event time of the first in s since 1970; none: now, and in real time")
    parser.add_argument("--print", action="store_true", help="to standard output instead of a connection")
    options = parser.parse_args()
    try:
        if options.print:
            write(sys.stdout.buffer, options)
            return
        with socket.create_connection((options.host, options.port), timeout=30) as connection:
            with connection.makefile("wb") as out:
                write(out, options)
    except OSError as error:
        sys.exit(f"send.py: {options.host}:{options.port}: {error}")
    print(f"sent {options.events} events")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
