// Applies a decoded update to the tables of a chart: drop the first rows, keep the next, append the new (docs/wire.md).
// A table that is not listed stays as it is. Tables are replaced, never changed in place, so that a chart that is being drawn stays whole.
// Errors: WireError where a delta does not fit the rows at hand (the caller asks for a snapshot).
import { WireError, type Column, type Frame, type TableUpdate } from "./frame";

export interface Table {
  rows: number;
  columns: Map<string, Column>;
}

export type Tables = ReadonlyMap<string, Table>;

export function applyFrame(old: Tables | null, frame: Frame): Tables {
  if (frame.header.kind === "snapshot") {
    return new Map(frame.tables.map((update) => [update.name, { rows: update.rows, columns: update.columns }]));
  }
  if (old === null) throw new WireError(`chart ${frame.header.chart}: a delta came before any snapshot`);
  const tables = new Map(old);
  for (const update of frame.tables) tables.set(update.name, applyUpdate(old.get(update.name), update));
  return tables;
}

function applyUpdate(old: Table | undefined, update: TableUpdate): Table {
  const rowsOld = old?.rows ?? 0;
  if (update.drop + update.keep > rowsOld) {
    throw new WireError(`table ${update.name}: drop ${update.drop} and keep ${update.keep} exceed the ${rowsOld} rows at hand`);
  }
  if (old === undefined || update.keep === 0) return { rows: update.rows, columns: update.columns };
  const columns = new Map<string, Column>();
  for (const [name, added] of update.columns) {
    const kept = old.columns.get(name);
    if (kept === undefined || kept.type !== added.type) {
      throw new WireError(`table ${update.name}, column ${name}: a delta keeps rows of a column that is not at hand`);
    }
    columns.set(name, joined(kept, added, update));
  }
  return { rows: update.keep + update.rows, columns };
}

function joined(kept: Column, added: Column, update: TableUpdate): Column {
  const from = update.drop;
  const to = update.drop + update.keep;
  const valid = joinedValidity(kept.valid, added.valid, update);
  if (kept.type === "text" && added.type === "text") {
    return { type: "text", values: kept.values.slice(from, to).concat(added.values), valid };
  }
  if (kept.type === "bool" && added.type === "bool") {
    return { type: "bool", values: joinedBytes(kept.values.subarray(from, to), added.values), valid };
  }
  const numbers = new Float64Array(update.keep + update.rows);
  numbers.set((kept.values as Float64Array).subarray(from, to));
  numbers.set(added.values as Float64Array, update.keep);
  return { type: kept.type as "f64" | "time", values: numbers, valid };
}

function joinedValidity(kept: Uint8Array | null, added: Uint8Array | null, update: TableUpdate): Uint8Array | null {
  if (kept === null && added === null) return null;
  const head = kept === null ? new Uint8Array(update.keep).fill(1) : kept.subarray(update.drop, update.drop + update.keep);
  return joinedBytes(head, added ?? new Uint8Array(update.rows).fill(1));
}

function joinedBytes(head: Uint8Array, tail: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(head.length + tail.length);
  bytes.set(head);
  bytes.set(tail, head.length);
  return bytes;
}
