// Files of a chart's data: CSV as text, Arrow through a reader written for the test from the format's description.
import { expect, test } from "vitest";
import { arrowFile } from "../src/export/arrow";
import { csv } from "../src/export/rows";
import { fileName } from "../src/export/save";
import { escaped } from "../src/export/svg";
import type { Column } from "../src/wire/frame";

const columns = new Map<string, Column>([
  ["time", { type: "time", values: Float64Array.from([1_700_000_000_000.5, 1_700_000_001_000]), valid: null }],
  ["v", { type: "f64", values: Float64Array.from([1.5, 0]), valid: Uint8Array.from([1, 0]) }],
  ["host", { type: "text", values: ["=1+1", 'a "b", c'], valid: null }],
  ["ok", { type: "bool", values: Uint8Array.from([0, 1]), valid: null }],
]);
const table = { rows: 2, columns };

test("CSV quotes, leaves out what is not there, and makes no formula of a text", () => {
  expect(csv(table)).toBe("time,v,host,ok\r\n2023-11-14T22:13:20.000Z,1.5,'=1+1,false\r\n2023-11-14T22:13:21.000Z,,\"a \"\"b\"\", c\",true\r\n");
});

/** Follows a flatbuffer by the offsets of its tables. */
class Table {
  constructor(readonly view: DataView, readonly at: number) {}
  private field(index: number): number | null {
    const vtable = this.at - this.view.getInt32(this.at, true);
    const place = 4 + 2 * index;
    const offset = place < this.view.getUint16(vtable, true) ? this.view.getUint16(vtable + place, true) : 0;
    return offset === 0 ? null : this.at + offset;
  }
  u8 = (index: number): number => this.view.getUint8(this.field(index)!);
  i16 = (index: number): number => this.view.getInt16(this.field(index)!, true);
  i64 = (index: number): number => Number(this.view.getBigInt64(this.field(index)!, true));
  private target(index: number): number {
    const place = this.field(index)!;
    return place + this.view.getUint32(place, true);
  }
  table = (index: number): Table => new Table(this.view, this.target(index));
  text(index: number): string {
    const at = this.target(index);
    return new TextDecoder().decode(new Uint8Array(this.view.buffer, this.view.byteOffset + at + 4, this.view.getUint32(at, true)));
  }
  /** Start of the elements, and how many. */
  vector(index: number): [number, number] {
    const at = this.target(index);
    return [at + 4, this.view.getUint32(at, true)];
  }
  tables(index: number): Table[] {
    const [start, count] = this.vector(index);
    return Array.from({ length: count }, (_, at) => new Table(this.view, start + 4 * at + this.view.getUint32(start + 4 * at, true)));
  }
}
const root = (bytes: Uint8Array): Table => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return new Table(view, view.getUint32(0, true));
};

test("an Arrow file has schema, one batch and a footer that finds it, with every value", () => {
  const file = arrowFile(table).slice();
  const view = new DataView(file.buffer);
  const length = view.getInt32(file.length - 10, true);
  expect(new TextDecoder().decode(file.slice(-6))).toBe("ARROW1");
  const footer = root(file.slice(file.length - 10 - length, file.length - 10));
  const fields = footer.table(1).tables(1);
  expect(fields.map((field) => [field.text(0), field.u8(2)])).toEqual([["time", 10], ["v", 3], ["host", 5], ["ok", 6]]);
  expect([fields[0]!.table(3).i16(0), fields[0]!.table(3).text(1), fields[1]!.table(3).i16(0)]).toEqual([3, "UTC", 2]);
  const [block, blocks] = footer.vector(3);
  expect(blocks).toBe(1);
  const at = Number(footer.view.getBigInt64(block, true));
  const metadata = footer.view.getInt32(block + 8, true);
  expect([at % 8, metadata % 8, view.getUint32(at, true), view.getInt32(at + 4, true)]).toEqual([0, 0, 0xffffffff, metadata - 8]);
  const message = root(file.slice(at + 8, at + metadata));
  expect([message.i16(0), message.u8(1), message.i64(3)]).toEqual([4, 3, Number(footer.view.getBigInt64(block + 16, true))]);
  const batch = message.table(2);
  const [nodes, nodeCount] = batch.vector(1);
  const nulls = Array.from({ length: nodeCount }, (_, index) => Number(batch.view.getBigInt64(nodes + 16 * index + 8, true)));
  expect([batch.i64(0), nulls]).toEqual([2, [0, 1, 0, 0]]);
  const [places, count] = batch.vector(2);
  const buffers = Array.from({ length: count }, (_, index) => {
    const offset = at + metadata + Number(batch.view.getBigInt64(places + 16 * index, true));
    return file.slice(offset, offset + Number(batch.view.getBigInt64(places + 16 * index + 8, true)));
  });
  expect(buffers.map((bytes) => bytes.length)).toEqual([0, 16, 1, 16, 0, 12, 12, 0, 1]);
  expect([...new BigInt64Array(buffers[1]!.buffer)]).toEqual([1_700_000_000_000_500_000n, 1_700_000_001_000_000_000n]);
  expect([buffers[2]![0], new Float64Array(buffers[3]!.buffer)[0], buffers[8]![0]]).toEqual([1, 1.5, 2]);
  expect([[...new Int32Array(buffers[5]!.buffer)], new TextDecoder().decode(buffers[6]!)]).toEqual([[0, 4, 12], '=1+1a "b", c']);
});

test("text in an SVG stays text, and a file has a plain name", () => {
  expect(escaped(`<script>&"\u0000`)).toBe("&lt;script&gt;&amp;&quot;");
  expect([fileName("request latency, p99 (ms)"), fileName("///")]).toEqual(["request-latency-p99-ms", "chart"]);
});
