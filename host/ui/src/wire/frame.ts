// Decodes one binary frame of /api/live (docs/wire.md): u32 length, JSON header, columns at the offsets that the header names.
// In: the ArrayBuffer of a WebSocket message. Out: the header and, for each listed table, its new rows in columns.
// Columns are copied out, so the frame can be freed and any alignment works. Everything is little-endian.
// Errors: WireError, naming the table and column; the caller drops the frame and asks for a snapshot.
import type { ColumnHeader, FrameHeader, TableHeader } from "./messages";

export class WireError extends Error {}

/** Values of one column; `valid` is 1 where there is a value, null: everywhere. */
export type Column =
  | { type: "f64" | "time"; values: Float64Array; valid: Uint8Array | null }
  | { type: "bool"; values: Uint8Array; valid: Uint8Array | null }
  | { type: "text"; values: string[]; valid: Uint8Array | null };

export interface TableUpdate {
  name: string;
  rows: number;
  drop: number;
  keep: number;
  columns: Map<string, Column>;
}

export interface Frame {
  header: FrameHeader;
  tables: TableUpdate[];
}

/** A frame holds what can be seen, not a history: more rows than this in a table is a broken header. */
const ROWS_MAX = 4_000_000;

const utf8 = new TextDecoder("utf-8", { fatal: true });

export function decodeFrame(buffer: ArrayBuffer): Frame {
  if (buffer.byteLength < 8) throw new WireError(`frame of ${buffer.byteLength} bytes is too short for a header`);
  const headerBytes = new DataView(buffer).getUint32(0, true);
  if (4 + headerBytes > buffer.byteLength) {
    throw new WireError(`header of ${headerBytes} bytes exceeds the frame of ${buffer.byteLength} bytes`);
  }
  const header = parseHeader(new Uint8Array(buffer, 4, headerBytes));
  return { header, tables: header.tables.map((table) => decodeTable(buffer, table)) };
}

function parseHeader(bytes: Uint8Array): FrameHeader {
  let header: unknown;
  try {
    header = JSON.parse(utf8.decode(bytes));
  } catch (error) {
    throw new WireError(`header is not JSON: ${String(error)}`);
  }
  const candidate = header as Partial<FrameHeader> | null;
  if (candidate === null || typeof candidate !== "object" || typeof candidate.chart !== "string") {
    throw new WireError("header names no chart");
  }
  if (candidate.kind !== "snapshot" && candidate.kind !== "delta") {
    throw new WireError(`chart ${candidate.chart}: kind is neither snapshot nor delta`);
  }
  if (!Array.isArray(candidate.tables)) throw new WireError(`chart ${candidate.chart}: header has no tables`);
  return candidate as FrameHeader;
}

function decodeTable(buffer: ArrayBuffer, table: TableHeader): TableUpdate {
  for (const key of ["rows", "drop", "keep"] as const) {
    const count = table[key];
    if (!Number.isSafeInteger(count) || count < 0 || count > ROWS_MAX) {
      throw new WireError(`table ${table.name}: ${key} is ${count}, must be a whole number from 0 to ${ROWS_MAX}`);
    }
  }
  const columns = new Map<string, Column>();
  for (const column of table.columns) columns.set(column.name, decodeColumn(buffer, table, column));
  return { name: table.name, rows: table.rows, drop: table.drop, keep: table.keep, columns };
}

function decodeColumn(buffer: ArrayBuffer, table: TableHeader, column: ColumnHeader): Column {
  const place = `table ${table.name}, column ${column.name}`;
  const { rows } = table;
  const valid = column.valid_offset === null || column.valid_offset === undefined
    ? null
    : new Uint8Array(cut(buffer, column.valid_offset, rows, `${place}, validity`));
  switch (column.type) {
    case "f64":
    case "time":
      return { type: column.type, values: new Float64Array(cut(buffer, column.offset, rows * 8, place)), valid };
    case "bool":
      return { type: "bool", values: new Uint8Array(cut(buffer, column.offset, rows, place)), valid };
    case "text": {
      const codes = new Uint32Array(cut(buffer, column.offset, rows * 4, place));
      return { type: "text", values: namesOfCodes(codes, column.names ?? [], valid, place), valid };
    }
    default:
      throw new WireError(`${place}: type ${String(column.type)} is not known`);
  }
}

function cut(buffer: ArrayBuffer, offset: number, bytes: number, place: string): ArrayBuffer {
  if (!Number.isSafeInteger(offset) || offset < 0 || offset + bytes > buffer.byteLength) {
    throw new WireError(`${place}: bytes ${offset} to ${offset + bytes} lie outside the frame of ${buffer.byteLength} bytes`);
  }
  return buffer.slice(offset, offset + bytes);
}

function namesOfCodes(codes: Uint32Array, names: string[], valid: Uint8Array | null, place: string): string[] {
  const texts = new Array<string>(codes.length);
  for (let row = 0; row < codes.length; row++) {
    if (valid !== null && valid[row] === 0) {
      texts[row] = "";
      continue;
    }
    const name = names[codes[row] as number];
    if (name === undefined) throw new WireError(`${place}, row ${row}: code ${codes[row]} has no name`);
    texts[row] = name;
  }
  return texts;
}
