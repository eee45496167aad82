// From marks and tables to series: stacks, colour columns, gaps, ranges; nothing of pixels.
import { expect, test } from "vitest";
import { trailingGap } from "../src/charts/gaps";
import { buildModel, usualInterval } from "../src/charts/model";
import { yRange } from "../src/charts/plot";
import { segmentsOf } from "../src/charts/segments";
import type { Column } from "../src/wire/frame";
import type { Description, Gap, Mark } from "../src/wire/messages";
import type { Tables } from "../src/wire/table";

const numbers = (values: (number | null)[], type: "f64" | "time" = "f64"): Column => ({
  type, values: Float64Array.from(values, (value) => value ?? 0), valid: values.includes(null) ? Uint8Array.from(values, (value) => (value === null ? 0 : 1)) : null,
});
const mark = (shape: string, label: string, column: string, more: Partial<Mark> = {}): Mark => ({
  shape, table: "t", label, estimated: false, stack: "", bindings: [{ role: "x", column: "time", axis: "x" }, { role: "y", column, axis: "y" }], ...more,
});
const describe = (marks: Mark[], gaps: Gap[] = []): Description => ({
  title: "t", summary: "", marks, gaps,
  axes: [{ name: "x", label: "time", measure: "s", scale: "time" }, { name: "y", label: "busy", measure: "%", scale: "linear" }],
});
function tables(columns: Record<string, Column>): Tables {
  const rows = columns["time"]?.values.length ?? 0;
  return new Map([["t", { rows, columns: new Map(Object.entries(columns)) }]]);
}
const time = numbers([1, 2, 3, 4, 5], "time");

test("a value that is not there is null, not zero", () => {
  const model = buildModel(describe([mark("line", "a", "v")]), tables({ time, v: numbers([1, null, NaN, 0, 2]) }));
  expect(model.series[0]!.y).toEqual([1, null, null, 0, 2]);
});

test("a stack adds up, and keeps the own values", () => {
  const model = buildModel(describe([mark("area", "a", "v", { stack: "stack" }), mark("area", "b", "w", { stack: "stack" })]), tables({ time, v: numbers([1, 2, 3, 4, 5]), w: numbers([1, 1, null, 1, 1]) }));
  expect(model.series[1]!.top).toEqual([2, 3, null, 5, 6]);
  expect(model.series[1]!.base).toEqual([1, 2, 3, 4, 5]);
  expect(model.series[1]!.y).toEqual([1, 1, null, 1, 1]);
});

test("a colour column splits a mark into series", () => {
  const host: Column = { type: "text", values: ["a", "b", "a", "b", "a"], valid: null };
  const colour = mark("line", "all", "v");
  colour.bindings.push({ role: "color", column: "host", axis: "" });
  const model = buildModel(describe([colour]), tables({ time, host, v: numbers([1, 2, 3, 4, 5]) }));
  expect(model.series.map((one) => [one.label, [...(one.x as number[])]])).toEqual([["a", [1, 3, 5]], ["b", [2, 4]]]);
});

test("a box has its quartiles, and its points stand at the place of their box", () => {
  const names: Column = { type: "text", values: ["a", "b"], valid: null };
  const roles = [["x", "series"], ["low", "low"], ["q1", "q1"], ["y", "median"], ["q3", "q3"], ["high", "high"]];
  const box = mark("box", "ms", "median", { table: "boxes", bindings: roles.map(([role, column]) => ({ role: role!, column: column!, axis: role === "x" ? "x" : "y" })) });
  const beyond = mark("point", "beyond", "value", { table: "outliers", bindings: [{ role: "x", column: "place", axis: "x" }, { role: "y", column: "value", axis: "y" }] });
  const boxes = { series: names, low: numbers([1, 2]), q1: numbers([2, 3]), median: numbers([3, 4]), q3: numbers([4, 5]), high: numbers([6, null]) };
  const all: Tables = new Map([
    ["boxes", { rows: 2, columns: new Map(Object.entries(boxes)) }],
    ["outliers", { rows: 1, columns: new Map(Object.entries({ place: numbers([1]), value: numbers([9]) })) }],
  ]);
  const model = buildModel(describe([box, beyond]), all);
  expect([model.undrawn, model.categories.get("x")]).toEqual([[], ["a", "b"]]);
  const { low, q1, q3, high, n } = model.series[0]!.box!;
  expect([low, q1, q3, high].map((values) => Array.from(values))).toEqual([[1, 2], [2, 3], [4, 5], [6, null]]);
  expect(n).toBeNull();
  expect([...(model.series[1]!.x as number[])]).toEqual([1]);
  expect(yRange(model.series)[1]).toBeGreaterThan(9);
});

test("a mark of rows draws nothing and is no mistake", () => {
  const model = buildModel(describe([mark("table", "rows", "v")]), tables({ time, v: numbers([1, 2, 3, 4, 5]) }));
  expect([model.rows, model.series, model.undrawn]).toEqual([true, [], []]);
});

test("what cannot be drawn is named", () => {
  const model = buildModel(describe([mark("heat", "h", "v"), mark("line", "l", "nowhere")]), tables({ time, v: numbers([1, 2, 3, 4, 5]) }));
  expect(model.undrawn.map(({ mark: one }) => one.label)).toEqual(["h", "l"]);
});

test("a line is cut at missing values and at gaps", () => {
  const gaps = [{ table: "", start_ms: 4, end_ms: 5, label: "" }];
  const model = buildModel(describe([mark("line", "a", "v")], gaps), tables({ time, v: numbers([1, null, 3, 4, 5]) }));
  expect(segmentsOf(model.series[0]!, gaps)).toEqual([[0, 0], [2, 3], [4, 4]]);
});

test("a gap of another table cuts nothing here", () => {
  const gaps = [{ table: "other", start_ms: 2, end_ms: 3, label: "" }];
  const model = buildModel(describe([mark("line", "a", "v")], gaps), tables({ time, v: numbers([1, 2, 3, 4, 5]) }));
  expect(segmentsOf(model.series[0]!, gaps)).toEqual([[0, 4]]);
});

test("areas and bars start at zero, lines zoom where zero would press them flat", () => {
  const range = (shape: string, values: number[]): [number, number] => yRange(buildModel(describe([mark(shape, "a", "v")]), tables({ time, v: numbers(values) })).series);
  expect(range("area", [90, 95, 99, 97, 96])[0]).toBe(0);
  expect(range("bar", [90, 95, 99, 97, 96])[0]).toBe(0);
  expect(range("bar", [-90, -95, -99, -97, -96])[1]).toBe(0);
  expect(range("line", [90, 95, 99, 97, 96])[0]).toBeGreaterThan(80);
  expect(range("line", [1, 5, 9, 7, 6])[0]).toBe(0);
});

test("the usual interval is the median, and none where points come as they come", () => {
  expect(usualInterval([0, 10, 20, 30, 40, 50])).toBe(10);
  expect(usualInterval([0, 1, 100, 101, 500, 501])).toBe(null);
});

test("a chart that fell behind ends in a gap after 2.5 intervals", () => {
  expect(trailingGap(100, 120, 10)).toBe(null);
  expect(trailingGap(100, 126, 10)).toMatchObject({ start_ms: 100, end_ms: 126 });
});
