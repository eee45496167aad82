// The truth of the picture, requirement by requirement (V1 to V11; of V5 and V11 the colours are in colours.test.ts, the pixels of V5 in tests/browser/states.mjs), at the level of what is drawn and said.
import { beforeAll, expect, test, vi } from "vitest";
import { areaPaths } from "../src/charts/area";
import { barPaths } from "../src/charts/bar";
import { cellsOf, heatColour, LEVELS } from "../src/charts/cells";
import { seriesName } from "../src/charts/direct";
import { gapLabel, nameGaps } from "../src/charts/gaps";
import { linePaths } from "../src/charts/line";
import { buildModel, type ChartSeries } from "../src/charts/model";
import { SvgPath } from "../src/charts/path";
import { drawMoments, drawPresent } from "../src/charts/notes";
import { pathsOf, yRange } from "../src/charts/plot";
import { markerPlaces } from "../src/charts/point";
import { axisName } from "../src/charts/reading";
import { densityNote, gapsNote, momentsNote, notesOf } from "../src/charts/said";
import { samplesAt } from "../src/charts/samples";
import { zone } from "../src/format";
import type { Column } from "../src/wire/frame";
import type { Axis, Description, Mark } from "../src/wire/messages";
import type { Tables } from "../src/wire/table";

beforeAll(() => {
  vi.stubGlobal("window", { devicePixelRatio: 1 });
  vi.stubGlobal("document", { documentElement: { dataset: {} } });
});

/** A plot of 300 x 100 px over x 0 to `span` and y 0 to 100, as far as the functions that draw look at it. */
const plotOf = (span: number): never =>
  ({ bbox: { left: 0, top: 0, width: 300, height: 100 }, scales: { x: { min: 0, max: span } }, cursor: {}, posToVal: (px: number) => px, valToPos: (value: number, scale: string) => (scale === "x" ? (value / span) * 300 : 100 - value) }) as never;
const numbers = (values: (number | null)[]): Column => ({ type: "f64", values: Float64Array.from(values, (value) => value ?? 0), valid: Uint8Array.from(values, (value) => (value === null ? 0 : 1)) });
const times = (values: number[]): Column => ({ type: "time", values: Float64Array.from(values), valid: null });
const names = (values: string[]): Column => ({ type: "text", values, valid: null });
const table = (columns: Record<string, Column>): Tables => new Map([["t", { rows: Object.values(columns)[0]!.values.length, columns: new Map(Object.entries(columns)) }]]);
const mark = (shape: string, roles: Record<string, string>, more: Partial<Mark> = {}): Mark =>
  ({ shape, table: "t", label: shape, estimated: false, stack: "", bindings: Object.entries(roles).map(([role, column]) => ({ role, column, axis: role.startsWith("x") ? "x" : role === "value" ? "c" : "y" })), ...more });
const axis = (name: string, scale = "linear", measure = "ms"): Axis => ({ name, label: name, measure, scale });
const describe = (marks: Mark[], more: Partial<Description> = {}): Description => ({ title: "t", summary: "", axes: [axis("x", "time", "s"), axis("y"), axis("c", "linear", "1")], marks, gaps: [], ...more });
const line = (x: number[], y: (number | null)[], more: Partial<Mark> = {}): ChartSeries => buildModel(describe([mark("line", { x: "x", y: "y" }, more)]), table({ x: times(x), y: numbers(y) })).series[0]!;
const steps = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const d = (drawn: { stroke: unknown } | null): string => (drawn?.stroke as SvgPath).d;

test.each([[20, 20], [100, 100], [101, 0], [3_000, 0]])("V1: %d points in 300 px have %d markers, so at most one for 3 px", (count, markers) => {
  expect(markerPlaces(plotOf(count), line(steps(count), steps(count).map(() => 5)), []).length).toBe(markers);
});

test("V1: a point that no line reaches is marked however dense the others are", () => {
  const y: (number | null)[] = steps(900).map(() => 5);
  y[449] = y[451] = null;
  expect(markerPlaces(plotOf(900), line(steps(900), y), []).length).toBe(1);
});

test("V1: hover counts every sample behind the pixel, with the least and the greatest", () => {
  const model = buildModel(describe([mark("line", { x: "x", y: "y" })]), table({ x: times(steps(900)), y: numbers(steps(900)) }));
  expect(samplesAt(plotOf(900), model, 300, 3, () => "", false)[0]).toMatchObject({ value: 300, samples: 3, min: 299, max: 301 });
});

test("V2: no line crosses a gap, no area is filled over it, and it is named by its length", () => {
  const gaps = [{ table: "t", start_ms: 2_000, end_ms: 46_802_000, label: "" }];
  const series = line([1_000, 2_000, 46_802_000, 46_803_000], [1, 2, 3, 4]);
  expect(d(linePaths(plotOf(5e7), series, gaps, () => new SvgPath())).match(/M/g)?.length).toBe(2);
  expect((areaPaths(plotOf(5e7), series, gaps, () => new SvgPath()).fill as SvgPath).d.match(/z/g)?.length).toBe(2);
  expect(gapLabel(gaps[0]!)).toBe("no data 13 h");
  expect(notesOf({ "weir.gap_after": "5 s" })).toBe("a gap is over 5 s");
});

test("V2: why data are missing is said in words, each reason once, where more is known than that they are", () => {
  const gap = (label: string, start_ms: number) => ({ table: "", start_ms, end_ms: start_ms + 5, label });
  expect(gapsNote([gap("no data 13 h", 0), gap("", 10)])).toBe("");
  expect(gapsNote([gap("the journal is damaged here, 12 s", 0), gap("the journal is damaged here, 12 s", 10), gap("no data 5 s", 20)])).toBe("▨ the journal is damaged here, 12 s");
  expect(gapsNote(["a", "b", "c", "d"].map(gap))).toBe("▨ a; b; c; 1 more");
  const texts: string[] = [];
  const ctx = new Proxy({ measureText: () => ({ width: 20 }), fillText: (text: string) => texts.push(text) } as Record<string, unknown>, { get: (own, name: string) => own[name] ?? (() => undefined), set: () => true });
  nameGaps({ ...(plotOf(300) as object), ctx } as never, [gap("the journal is damaged here", 100)].map((one) => ({ ...one, end_ms: 200 })), 1, { surface: "", text: "", muted: "", rule: "", gap: "" });
  expect(texts).toEqual(["the journal is damaged here"]);
});

test("V2: a value that is not there cuts the line and is never zero", () => {
  const path = d(linePaths(plotOf(4), line([0, 1, 2, 3, 4], [1, 2, null, 4, 5]), [], () => new SvgPath()));
  expect(path.match(/M/g)?.length).toBe(2);
  expect(path).not.toContain(" 100");
});

test("V3: what is estimated is named so", () => {
  expect(seriesName(line([0, 1], [1, 2], { label: "forecast", estimated: true }))).toBe("forecast (estimated)");
});

test.each([["ms", "linear", "y, ms"], ["1", "linear", "y, number"], ["1/s", "log", "y, per s (log scale)"], ["By", "linear", "y, bytes"]])("V4: an axis of %s always has label and unit", (measure, scale, text) => {
  expect(axisName(axis("y", scale, measure))).toBe(text);
});

test("V6: bars and areas begin at zero and a stack adds up from there", () => {
  const { series } = buildModel(describe([mark("bar", { x: "x", y: "a" }, { stack: "s" }), mark("bar", { x: "x", y: "b" }, { stack: "s" })]), table({ x: times([0, 1]), a: numbers([30, 20]), b: numbers([40, 50]) }));
  expect(yRange(series)[0]).toBe(0);
  expect([...series[1]!.top as number[]]).toEqual([70, 70]);
  expect([...series[1]!.y as number[]]).toEqual([40, 50]);
});

test("V6: bars of a histogram touch and have the edges that were given", () => {
  const { series } = buildModel(describe([mark("bar", { x: "low", x_low: "low", x_high: "high", y: "n" })]), table({ low: numbers([0, 10]), high: numbers([10, 30]), n: numbers([5, 9]) }));
  expect((barPaths(plotOf(30), series[0]!, () => new SvgPath()).fill as SvgPath).d).toBe("M0.5 95h99v5h-99zM100.5 91h199v9h-199z");
});

test("V7: a stacked box stands on the medians below it, and says its own numbers", () => {
  const columns = { x: names(["a"]), low: numbers([1]), q1: numbers([2]), median: numbers([3]), q3: numbers([4]), high: numbers([5]), n: numbers([77]) };
  const roles = { x: "x", low: "low", q1: "q1", median: "median", q3: "q3", high: "high", n: "n" };
  const model = buildModel(describe([mark("box", roles, { stack: "s" }), mark("box", roles, { stack: "s" })]), table(columns));
  expect(model.series[1]!.box).toMatchObject({ low: [4], q1: [5], q3: [7], high: [8] });
  expect(model.series[1]!.y).toEqual([3]);
  expect(samplesAt(plotOf(1), model, 0, 0.1, () => "", false)[0]).toMatchObject({ value: 3, text: "box 2ms to 4ms, whiskers 1ms to 5ms, n = 77".replace(/(\d)ms/g, "$1 ms") });
  expect(notesOf({ "weir.whiskers": "5th to 95th percentile" })).toBe("5th to 95th percentile");
});

test("V8: a time axis says its zone", () => {
  expect(zone()).toMatch(/^UTC([+−]\d+(:\d\d)?)?$/);
});

/** What is drawn, as calls: the part of a canvas that the functions here use. */
function canvas(): { ctx: never; calls: string[] } {
  const calls: string[] = [];
  const note = (name: string) => (...values: unknown[]): void => void calls.push([name, ...values.map((value) => (typeof value === "number" ? Math.round(value) : value))].join(" "));
  const names = ["save", "restore", "beginPath", "closePath", "moveTo", "lineTo", "stroke", "fill", "fillText", "setLineDash"];
  return { calls, ctx: Object.fromEntries(names.map((name) => [name, note(name)])) as never };
}
const INKS = { surface: "#fff", text: "#000", muted: "#555", rule: "#888", gap: "#eee" };

test("V8: a line stands at the present while it lies within the picture, and none where the picture is of the past", () => {
  for (const [now, x] of [[900, 270], [1_000, 300]] as const) {
    const { ctx, calls } = canvas();
    drawPresent({ ...(plotOf(1_000) as object), ctx } as never, now, INKS);
    expect(calls).toContain(`lineTo ${x} 100`);
    expect(calls.some((call) => call.startsWith("fillText now"))).toBe(true);
  }
  for (const now of [1_001, null]) {
    const { ctx, calls } = canvas();
    drawPresent({ ...(plotOf(1_000) as object), ctx } as never, now, INKS);
    expect(calls).toEqual([]);
  }
});

test("V10: points that came late and counters that began anew have signs of their own and are counted in words", () => {
  const moments = [{ kind: "late", time_ms: 500, label: "a, 5.0 s late" }, { kind: "reset", time_ms: 800, label: "b" }, { kind: "late", time_ms: 5_000, label: "outside" }];
  const model = buildModel(describe([mark("line", { x: "x", y: "y" })], { moments }), table({ x: times(steps(3)), y: numbers([1, 2, 3]) }));
  const { ctx, calls } = canvas();
  drawMoments({ ...(plotOf(1_000) as object), ctx } as never, model, INKS);
  expect(calls.filter((call) => call === "fill").length).toBe(2);
  expect(calls.filter((call) => /To (146|150|154) /.test(call)).length).toBe(4);
  expect(calls.filter((call) => /To (236|240|244) /.test(call)).length).toBe(3);
  expect(momentsNote(model)).toBe("◇ 2 came late, ▼ 1 counter reset");
});

test("V9: the line goes through every sample, so the least and the greatest of a pixel are drawn, and that is said", () => {
  const y = steps(3_000).map((index) => (index === 1_501 ? 99 : index === 1_502 ? 1 : 50));
  const series = line(steps(3_000).map((index) => index * 1_000), y);
  const path = d(pathsOf(plotOf(3e6), series, [], () => new SvgPath()));
  for (const extreme of [" 1L", " 99L"]) expect(path).toContain(extreme);
  const model = buildModel(describe([mark("line", { x: "x", y: "y" })]), table({ x: times(steps(3_000).map((index) => index * 1_000)), y: numbers(y) }));
  expect(densityNote(model, 300)).toBe("1 px = 10.0 s, 3,000 samples, least and greatest kept");
  expect(densityNote(model, 3_000)).toBe("");
});

test("a heat map's cells have their edges, an empty one is not drawn as zero, more is darker", () => {
  const { series, colourAxis } = buildModel(describe([mark("heat", { x_low: "a", x_high: "b", y_low: "l", y_high: "h", value: "v" })]), table({ a: times([0, 10]), b: times([10, 20]), l: numbers([0, 0]), h: numbers([50, 50]), v: numbers([8, null]) }));
  expect([...cellsOf(plotOf(20), series[0]!)]).toMatchObject([{ left: 0, width: 150, top: 50, height: 50, share: 1 }]);
  expect(colourAxis?.name).toBe("c");
  expect(heatColour(1, false)).not.toBe(heatColour(0.5, false));
});

test("V11: a state is a shape and a word beside its colour; what has no level is unknown", () => {
  const { series, categories } = buildModel(describe([mark("state", { x_low: "a", x_high: "b", y: "host", text: "s", level: "level" })]), table({ a: times([0, 10]), b: times([10, 20]), host: names(["web", "db"]), s: names(["down", "?"]), level: numbers([3, null]) }));
  expect([...cellsOf(plotOf(20), series[0]!)].map(({ text, level }) => [text, level])).toEqual([["down", 3], ["?", 4]]);
  expect(categories.get("y")).toEqual(["web", "db"]);
  expect(new Set(LEVELS.map(({ shape }) => shape)).size).toBe(5);
});

test("names of several tables meet at one place; rules and texts are kept", () => {
  const model = buildModel(describe([mark("point", { x: "x", y: "y" }), { ...mark("point", { x: "x", y: "y" }), table: "u" }, mark("rule", { y: "y", text: "x" }), mark("text", { x: "x", y: "y", text: "x" })]),
    new Map([...table({ x: names(["a", "b"]), y: numbers([1, 2]) }), ["u", { rows: 1, columns: new Map<string, Column>([["x", names(["b"])], ["y", numbers([9])]]) }]]));
  expect([...model.series[1]!.x as number[]]).toEqual([1]);
  expect(model.rules).toEqual([{ axis: "y", value: 1, text: "a" }, { axis: "y", value: 2, text: "b" }]);
  expect(model.texts.length).toBe(2);
});

test("too many series are named, not left out in silence", () => {
  const many = names(steps(60).map((index) => `s${index}`));
  const { series, undrawn } = buildModel(describe([mark("line", { x: "x", y: "y", color: "k" })]), table({ x: times(steps(60)), y: numbers(steps(60)), k: many }));
  expect(series.length).toBe(40);
  expect(undrawn[0]?.why).toContain("at most 40 series");
});
