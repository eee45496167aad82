// A table as an Arrow IPC file (https://arrow.apache.org/docs/format/Columnar.html): magic, schema message, one record batch, footer, magic.
// In: a table of the wire. Out: its bytes. f64 becomes Float64, time Timestamp(ns, UTC), bool Bool, text Utf8; what is not there is null.
// The metadata are flatbuffers (https://flatbuffers.dev/internals/), written here by hand because there are but six tables of them.
// Limits: text of a column below 2 GiB, as its offsets are 32 bit.
import type { Column } from "../wire/frame";
import type { Table } from "../wire/table";
import { Flat, type Offset } from "./flat";

const MAGIC = "ARROW1";
const V5 = 4;
/** Places in the unions MessageHeader and Type of the format's schemas. */
const HEADER = { schema: 1, recordBatch: 3 };
const TYPE = { float: 3, utf8: 5, bool: 6, timestamp: 10 };
const DOUBLE = 2;
const NANOSECOND = 3;

export function arrowFile(table: Table): Uint8Array {
  const columns = [...table.columns];
  const schema = message(HEADER.schema, 0, (flat) => schemaTable(flat, columns));
  const body = bodyOf(table, columns.map(([, column]) => column));
  const batch = message(HEADER.recordBatch, body.bytes.length, (flat) => recordBatchTable(flat, table.rows, body));
  const head = padded(new TextEncoder().encode(MAGIC));
  const end = new Uint8Array([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
  const footer = footerOf(columns, head.length + schema.length, batch.length, body.bytes.length);
  const length = new Uint8Array(4);
  new DataView(length.buffer).setInt32(0, footer.length, true);
  return joined([head, schema, batch, body.bytes, end, footer, length, new TextEncoder().encode(MAGIC)]);
}

function schemaTable(flat: Flat, columns: [string, Column][]): Offset {
  const fields = columns.map(([name, column]) => {
    const [type, kind] = typeTable(flat, column);
    const [text, children] = [flat.text(name), flat.offsets([])];
    return flat.table([["offset", text], ["u8", 1], ["u8", kind], ["offset", type], null, ["offset", children]]);
  });
  return flat.table([null, ["offset", flat.offsets(fields)]]);
}

function typeTable(flat: Flat, column: Column): [Offset, number] {
  if (column.type === "f64") return [flat.table([["i16", DOUBLE]]), TYPE.float];
  if (column.type === "bool") return [flat.table([]), TYPE.bool];
  if (column.type === "text") return [flat.table([]), TYPE.utf8];
  const zone = flat.text("UTC");
  return [flat.table([["i16", NANOSECOND], ["offset", zone]]), TYPE.timestamp];
}

function message(header: number, body_bytes: number, make: (flat: Flat) => Offset): Uint8Array {
  const flat = new Flat();
  const inner = make(flat);
  const bytes = flat.finish(flat.table([["i16", V5], ["u8", header], ["offset", inner], ["i64", body_bytes]]));
  const whole = padded(bytes);
  const out = new Uint8Array(8 + whole.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, 0xffffffff, true);
  view.setInt32(4, whole.length, true);
  out.set(whole, 8);
  return out;
}

interface Body {
  bytes: Uint8Array;
  buffers: { offset: number; bytes: number }[];
  nulls: number[];
}

function recordBatchTable(flat: Flat, rows: number, { buffers, nulls }: Body): Offset {
  const nodes = flat.structs(nulls.map((count) => [rows, count]));
  const places = flat.structs(buffers.map(({ offset, bytes }) => [offset, bytes]));
  return flat.table([["i64", rows], ["offset", nodes], ["offset", places]]);
}

function footerOf(columns: [string, Column][], batch_offset: number, batch_bytes: number, body_bytes: number): Uint8Array {
  const flat = new Flat();
  const schema = schemaTable(flat, columns);
  const blocks = flat.blocks([[batch_offset, batch_bytes, body_bytes]]);
  const none = flat.blocks([]);
  return flat.finish(flat.table([["i16", V5], ["offset", schema], ["offset", none], ["offset", blocks]]));
}

function bodyOf(table: Table, columns: Column[]): Body {
  const chunks: Uint8Array[] = [];
  const body: Body = { bytes: new Uint8Array(), buffers: [], nulls: [] };
  let offset = 0;
  const add = (bytes: Uint8Array): void => {
    body.buffers.push({ offset, bytes: bytes.length });
    const whole = padded(bytes);
    chunks.push(whole);
    offset += whole.length;
  };
  for (const column of columns) {
    const { valid } = column;
    const there = (row: number): boolean => valid === null || valid[row] === 1;
    let nulls = 0;
    for (let row = 0; row < table.rows; row++) if (!there(row)) nulls += 1;
    body.nulls.push(nulls);
    add(nulls === 0 ? new Uint8Array() : bits(table.rows, there));
    if (column.type === "text") textBuffers(column.values, table.rows, there).forEach(add);
    else if (column.type === "bool") add(bits(table.rows, (row) => column.values[row] === 1));
    else if (column.type === "time") add(nanoseconds(column.values, table.rows));
    else add(new Uint8Array(column.values.slice(0, table.rows).buffer));
  }
  body.bytes = joined(chunks);
  return body;
}

function bits(rows: number, is: (row: number) => boolean): Uint8Array {
  const out = new Uint8Array(Math.ceil(rows / 8));
  for (let row = 0; row < rows; row++) if (is(row)) out[row >> 3] = (out[row >> 3] ?? 0) | (1 << (row & 7));
  return out;
}

/** Milliseconds with a fraction, as the wire has them, to whole nanoseconds. */
function nanoseconds(times: Float64Array, rows: number): Uint8Array {
  const out = new BigInt64Array(rows);
  for (let row = 0; row < rows; row++) {
    const ms = times[row] ?? 0;
    const whole = Number.isFinite(ms) ? Math.floor(ms) : 0;
    out[row] = BigInt(whole) * 1_000_000n + BigInt(Math.round(((Number.isFinite(ms) ? ms : 0) - whole) * 1e6));
  }
  return new Uint8Array(out.buffer);
}

function textBuffers(values: string[], rows: number, there: (row: number) => boolean): [Uint8Array, Uint8Array] {
  const encoder = new TextEncoder();
  const offsets = new Int32Array(rows + 1);
  const parts: Uint8Array[] = [];
  for (let row = 0, end = 0; row < rows; row++) {
    const bytes = there(row) ? encoder.encode(values[row] ?? "") : new Uint8Array();
    parts.push(bytes);
    end += bytes.length;
    offsets[row + 1] = end;
  }
  return [new Uint8Array(offsets.buffer), joined(parts)];
}

function padded(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(Math.ceil(bytes.length / 8) * 8);
  out.set(bytes);
  return out;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
