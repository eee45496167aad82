// Frames by hand, byte for byte as docs/wire.md says, through the decoder and the drop, keep, append rule.
import { expect, test } from "vitest";
import { decodeFrame, WireError } from "../src/wire/frame";
import type { ColumnHeader, FrameHeader } from "../src/wire/messages";
import { applyFrame, type Tables } from "../src/wire/table";

interface TestColumn { name: string; type: ColumnHeader["type"]; values: (number | string | null)[] }
interface TestTable { name: string; drop?: number; keep?: number; columns: TestColumn[] }

const HEADER_ROOM = 2_048;
const up8 = (bytes: number): number => Math.ceil(bytes / 8) * 8;

function frame(tables: TestTable[], change: Partial<FrameHeader> = {}, edit: (header: FrameHeader) => void = () => undefined): ArrayBuffer {
  const buffer = new ArrayBuffer(HEADER_ROOM + 4_096);
  const view = new DataView(buffer);
  let at = HEADER_ROOM;
  const headers = tables.map((table) => ({
    name: table.name, rows: table.columns[0]?.values.length ?? 0, drop: table.drop ?? 0, keep: table.keep ?? 0,
    columns: table.columns.map((column): ColumnHeader => {
      const offset = at;
      const names = column.type === "text" ? [...new Set(column.values.map(String))] : undefined;
      const size = column.type === "text" ? 4 : column.type === "bool" ? 1 : 8;
      column.values.forEach((value, row) => {
        if (names) view.setUint32(offset + row * 4, names.indexOf(String(value)), true);
        else if (size === 1) view.setUint8(offset + row, Number(value));
        else view.setFloat64(offset + row * 8, Number(value ?? 0), true);
      });
      const bytes = column.values.length * size;
      at += up8(bytes);
      let valid_offset: number | null = null;
      if (column.values.includes(null)) {
        valid_offset = at;
        column.values.forEach((value, row) => view.setUint8((valid_offset as number) + row, value === null ? 0 : 1));
        at += up8(column.values.length);
      }
      return { name: column.name, type: column.type, offset, bytes, valid_offset, ...(names ? { names } : {}) };
    }),
  }));
  const header: FrameHeader = { chart: "c", epoch: 1, version: 1, merged: 0, newest_unix_ns: null, sent_unix_ns: 0, kind: "snapshot", tables: headers, ...change };
  edit(header);
  const json = new TextEncoder().encode(JSON.stringify(header).padEnd(HEADER_ROOM - 4, " "));
  view.setUint32(0, HEADER_ROOM - 4, true);
  new Uint8Array(buffer).set(json, 4);
  return buffer.slice(0, Math.max(at, HEADER_ROOM));
}

const points = (times: number[], values: (number | null)[], more: Partial<TestTable> = {}): TestTable => ({
  name: "points", columns: [{ name: "time", type: "time", values: times }, { name: "v", type: "f64", values }], ...more,
});
const columnsOf = (tables: Tables, name: string): unknown[] => [...(tables.get("points")?.columns.get(name)?.values ?? [])];
const snapshot = (): Tables => applyFrame(null, decodeFrame(frame([points([1, 2, 3], [10, 20, 30])])));

test("a snapshot carries all rows of all types", () => {
  const decoded = decodeFrame(frame([{ name: "t", columns: [
    { name: "time", type: "time", values: [1.5, 2.5, 3.5] },
    { name: "n", type: "f64", values: [1, null, 3] },
    { name: "host", type: "text", values: ["a", "b", "a"] },
    { name: "ok", type: "bool", values: [1, 0, 1] },
  ] }]));
  const columns = decoded.tables[0]!.columns;
  expect([...columns.get("time")!.values]).toEqual([1.5, 2.5, 3.5]);
  expect([...columns.get("n")!.valid!]).toEqual([1, 0, 1]);
  expect(columns.get("host")!.values).toEqual(["a", "b", "a"]);
  expect([...columns.get("ok")!.values]).toEqual([1, 0, 1]);
});

test("a delta drops, keeps and appends", () => {
  const tables = applyFrame(snapshot(), decodeFrame(frame([points([4], [40], { drop: 1, keep: 2 })], { kind: "delta" })));
  expect(columnsOf(tables, "time")).toEqual([2, 3, 4]);
  expect(columnsOf(tables, "v")).toEqual([20, 30, 40]);
});

test("a delta may rewrite the newest rows by keeping fewer", () => {
  const tables = applyFrame(snapshot(), decodeFrame(frame([points([3, 4], [31, 40], { drop: 0, keep: 2 })], { kind: "delta" })));
  expect(columnsOf(tables, "v")).toEqual([10, 20, 31, 40]);
});

test("validity begins with the first value that is not there", () => {
  const tables = applyFrame(snapshot(), decodeFrame(frame([points([4], [null], { drop: 0, keep: 3 })], { kind: "delta" })));
  expect([...tables.get("points")!.columns.get("v")!.valid!]).toEqual([1, 1, 1, 0]);
});

test("a table that is not listed stays, an empty snapshot empties", () => {
  const before = snapshot();
  expect(applyFrame(before, decodeFrame(frame([], { kind: "delta" }))).get("points")).toBe(before.get("points"));
  expect(applyFrame(before, decodeFrame(frame([points([], [])]))).get("points")!.rows).toBe(0);
});

test("text of a delta uses the names of its own frame", () => {
  const text = (values: string[], more: Partial<TestTable> = {}): TestTable => ({ name: "points", columns: [{ name: "host", type: "text", values }], ...more });
  const before = applyFrame(null, decodeFrame(frame([text(["a", "b"])])));
  expect(columnsOf(applyFrame(before, decodeFrame(frame([text(["c"], { drop: 1, keep: 1 })], { kind: "delta" }))), "host")).toEqual(["b", "c"]);
});

test.each([
  ["a delta before a snapshot", () => applyFrame(null, decodeFrame(frame([points([1], [1], { keep: 1 })], { kind: "delta" })))],
  ["a delta that keeps more than there is", () => applyFrame(snapshot(), decodeFrame(frame([points([1], [1], { drop: 2, keep: 2 })], { kind: "delta" })))],
  ["an offset outside the frame", () => decodeFrame(frame([points([1], [1])], {}, (header) => (header.tables[0]!.columns[0]!.offset = 1e6)))],
  ["a negative offset", () => decodeFrame(frame([points([1], [1])], {}, (header) => (header.tables[0]!.columns[0]!.offset = -8)))],
  ["a code without a name", () => decodeFrame(frame([{ name: "t", columns: [{ name: "h", type: "text", values: ["a"] }] }], {}, (header) => (header.tables[0]!.columns[0]!.names = [])))],
  ["rows that are no count", () => decodeFrame(frame([points([1], [1])], {}, (header) => (header.tables[0]!.rows = -1)))],
  ["a header longer than the frame", () => decodeFrame(new Uint8Array([255, 255, 0, 0, 0, 0, 0, 0]).buffer)],
  ["a header that is not JSON", () => decodeFrame(new Uint8Array([4, 0, 0, 0, 123, 32, 32, 32]).buffer)],
  ["an empty frame", () => decodeFrame(new ArrayBuffer(0))],
])("%s is refused", (_, run) => {
  expect(run).toThrow(WireError);
});
