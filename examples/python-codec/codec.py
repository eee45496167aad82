"""A codec in Python: reports of weather stations, one in a line of 31 characters.

    OSLO 20260101120000-00151013226
    |    |             |    |    |
    |    time, UTC     |    |    sum of the bytes before it, modulo 100, two characters
    station, 5         |    pressure in tenths of hPa, 5
                       temperature in tenths of a degree, signed, 5

Both ways: `decode` makes columns of lines, `encode` lines of columns. Built by build.sh; needs nothing but the standard library.
"""
import json
from array import array
from datetime import datetime, timedelta, timezone

# strptime wants it at its first call, and a component imports nothing once it runs.
import _strptime  # noqa: F401

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import coding
from wit_world.imports import types

LINE_BYTES = 31
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MICROSECOND = timedelta(microseconds=1)


class Manifest(exports.Manifest):
    def describe(self):
        return json.dumps({
            "name": "weather",
            "version": "0.1.0",
            "summary": "Reports of weather stations, one in a line",
            "kind": "codec",
            "requires": [],
            "config": {"type": "object", "additionalProperties": False},
            "state": {"schema": 0, "migrates": []},
        })

    def plan(self, config):
        return json.dumps({"cut_invariant": True})


class Coding(exports.Coding):
    def open(self, setup):
        pass

    def decode(self, input):
        rows, defects, consumed = [], [], 0
        for number, message in enumerate(unpack(input.messages)):
            last = number == len(input.messages.offsets) // 4 - 2
            # Of a byte stream what follows the last line feed comes again with the next piece.
            end = len(message) if input.complete or not last else message.rfind(b"\n") + 1
            at = 0
            while at < end:
                stop = message.find(b"\n", at, end)
                stop = end if stop < 0 else stop
                line = message[at:stop].rstrip(b"\r")
                try:
                    if line:
                        rows.append(report(line))
                except ValueError as error:
                    defects.append(coding.Defect(number, at, stop - at, "bad_report", str(error)))
                at = stop + 1
            consumed = end
        batches = [batch(input.triplet, rows)] if rows else []
        return coding.Decoded(batches, defects, consumed)

    def encode(self, batches):
        lines, unwritable = [], []
        for number, given in enumerate(batches):
            misfits = array("I")
            for row, values in enumerate(table(given)):
                try:
                    lines.append(line_of(*values))
                except (TypeError, ValueError):
                    misfits.append(row)
            if misfits:
                reason = "a report needs a station of 5 characters, a temperature and a pressure"
                unwritable.append(coding.Unwritable(number, misfits.tobytes(), "does_not_fit", reason))
        return coding.Encoded(pack(lines), unwritable)


def report(line):
    """Time in ns, station, temperature, pressure."""
    if line == b"PANIC":
        # For the test of what the host makes of a codec that fails.
        raise Err(types.Failure(types.Verdict.FAIL, "panic", "asked for", b"", 0))
    if len(line) != LINE_BYTES:
        raise ValueError(f"a report has {LINE_BYTES} characters, this has {len(line)}")
    if sum(line[:-2]) % 100 != int(line[-2:]):
        raise ValueError("the sum at its end is wrong")
    text = line.decode("ascii")
    time = datetime.strptime(text[5:19], "%Y%m%d%H%M%S").replace(tzinfo=timezone.utc)
    if not 1700 <= time.year < 2200:
        raise ValueError("its year is not 1700 to 2199")
    time_ns = (time - EPOCH) // MICROSECOND * 1000
    return time_ns, text[:5].rstrip(), int(text[19:24]) / 10, int(text[24:29]) / 10


def batch(triplet, rows):
    times, stations, temperatures, pressures = zip(*rows)
    columns = [
        types.Column("station", types.Values_Texts(pack(station.encode() for station in stations)), None),
        types.Column("temperature_c", types.Values_F64s(array("d", temperatures).tobytes()), None),
        types.Column("pressure_hpa", types.Values_F64s(array("d", pressures).tobytes()), None),
    ]
    return types.Batch(triplet, len(rows), array("q", times).tobytes(), b"", columns, [])


def line_of(time_ns, station, temperature, pressure):
    time = EPOCH + timedelta(microseconds=time_ns // 1000)
    line = f"{station:5}{time:%Y%m%d%H%M%S}{round(temperature * 10):+05d}{round(pressure * 10):05d}".encode("ascii")
    if len(line) != LINE_BYTES - 2:
        raise ValueError("too long")
    return line + b"%02d\n" % (sum(line) % 100)


def table(given):
    """Rows of a batch: time, station, temperature, pressure; what a row has not is None."""
    columns = {column.name: column for column in given.columns}

    def values(name):
        column = columns.get(name)
        if column is None:
            return [None] * given.rows
        if isinstance(column.values, types.Values_Texts):
            found = [text.decode() for text in unpack(column.values.value)]
        elif isinstance(column.values, types.Values_F64s):
            found = list(memoryview(column.values.value).cast("d"))
        elif isinstance(column.values, types.Values_S64s):
            found = list(memoryview(column.values.value).cast("q"))
        else:
            found = [None] * given.rows
        valid = column.valid or b"\x01" * given.rows
        return [value if there else None for value, there in zip(found, valid)]

    times = memoryview(given.time).cast("q")
    return zip(times, values("station"), values("temperature_c"), values("pressure_hpa"))


def pack(texts):
    offsets, data = array("I", [0]), bytearray()
    for text in texts:
        data += text
        offsets.append(len(data))
    return types.Packed(offsets.tobytes(), bytes(data))


def unpack(packed):
    offsets = array("I")
    offsets.frombytes(packed.offsets)
    return [packed.data[start:end] for start, end in zip(offsets, offsets[1:])]
