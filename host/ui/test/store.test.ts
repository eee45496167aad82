// What the store does with frames of the mock's own encoder (a second implementation of docs/wire.md), text frames and the tail.
import { expect, test } from "vitest";
// @ts-expect-error the mock is plain JavaScript
import { encodeFrame } from "../mock/frames.mjs";
import { Store, TAIL_EVENTS_MAX } from "../src/live/store";

const chart = (times: number[]) => ({
  id: "c", description: { title: "c", summary: "", axes: [], marks: [], gaps: [], extras: {} },
  tables: [{ name: "points", columns: [{ name: "time", type: "time", values: times }, { name: "v", type: "f64", values: times.map((time) => (time % 2 ? null : time)) }] }],
});
const frame = (times: number[], sent: number[] | null, merged = 0): ArrayBuffer => {
  const bytes = encodeFrame(chart(times), { epoch: 1, version: 1, sent, merged, newest_ms: times.at(-1) }) as Uint8Array;
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
};
const event = (position: number) => ({ time: "2026-01-01T00:00:00Z", position, row: 0, fields: {} });

test("a delta moves the picture on and tells its listeners", () => {
  const store = new Store();
  let told = 0;
  store.listen("chart:c", () => (told += 1));
  store.binary(frame([1, 2, 3], null), 10);
  store.binary(frame([2, 3, 4], [1, 2, 3]), 20);
  expect([...store.pictures.get("c")!.tables.get("points")!.columns.get("time")!.values]).toEqual([2, 3, 4]);
  expect(store.pictures.get("c")!.frames).toBe(2);
  expect(told).toBe(2);
});

test("merged updates are counted", () => {
  const store = new Store();
  store.binary(frame([1], null, 3), 10);
  store.binary(frame([1], null, 2), 20);
  expect(store.connection).toMatchObject({ merged_total: 5, merged_last: 2, merged_last_at_ms: 20 });
});

test("a chart that is gone from the list is forgotten", () => {
  const store = new Store();
  store.binary(frame([1], null), 10);
  store.text(JSON.stringify({ hello: { version: "0", epoch: 1, charts: [] } }));
  expect(store.pictures.size).toBe(0);
});

test("the tail is newest first, without doubles, and bounded", () => {
  const store = new Store();
  store.startTail("a/b/c");
  store.appendTail("a/b/c", [event(1), event(2)], 0);
  store.appendTail("a/b/c", [event(2), event(3)], 4);
  store.appendTail("other/b/c", [event(9)], 0);
  expect(store.tail.events.map(({ position }) => position)).toEqual([3, 2, 1]);
  expect(store.tail.skipped_total).toBe(4);
  store.appendTail("a/b/c", Array.from({ length: TAIL_EVENTS_MAX + 100 }, (_, index) => event(10 + index)), 0);
  expect(store.tail.events.length).toBe(TAIL_EVENTS_MAX);
});
