// Where nodes stand, how wide edges are, and what arrows reach.
import { expect, test } from "vitest";
import { neighbour } from "../src/graph/graph-view";
import { edgeWidth_px, layOut } from "../src/graph/layout";
import { OutRateMeter } from "../src/graph/out-rates";
import type { Outline, PipelineView, UnitView } from "../src/wire/messages";

const unit = (id: string, to: string[], rows_per_s = 1, rows_out_total = 0): UnitView => ({
  id, component: "filter", digest: "", kind: "filter", state: "running", rows_in_total: 0, rows_out_total, calls_total: 0, busy_ns_total: 0, rows_per_s, ns_per_event: 0, memory_bytes: 0, faults_total: 0,
  rejected_total: 0, late_total: 0, state_entries: 0, dead_letters: 0, to,
});
const pipeline = (units: UnitView[]): PipelineView => ({ name: "p", from: ["a/b/c"], flow: "p", state: "running", lag_bytes: 0, lag_records: 0, lag_s: 0, skipped_total: 0, units });
const none = new Map<string, Outline>();

test("the columns of a graph move apart to fill their place, within bounds, and nodes are smaller where there is little", () => {
  const view = [pipeline([unit("p/a", ["series x"])])];
  expect(layOut(view, new Map(), new Map(), 600)).toMatchObject({ nodeWidth: 118, width: 2 * (118 + 115) + 118 + 16 });
  expect(layOut(view, new Map(), new Map(), 5_000)).toMatchObject({ nodeWidth: 156, column: 156 + 260 });
  expect(layOut(view, new Map(), new Map(), 480).column).toBeLessThan(118 + 120);
});

test("on a phone a pipeline is a tree from the top down that is never wider than its place", () => {
  const graph = layOut([pipeline([unit("p/a", ["p/b", "p/c"]), unit("p/b", ["series x"]), unit("p/c", ["p/d"]), unit("p/d", [])])], none, new Map(), 360);
  expect(graph.nodes.map(({ name }) => name)).toEqual(["a/b/c", "a", "b", "x", "c", "d"]);
  expect(graph.nodes.every((node, index) => index === 0 || node.y > graph.nodes[index - 1]!.y)).toBe(true);
  expect(Math.max(...graph.nodes.map(({ x }) => x + graph.nodeWidth))).toBeLessThanOrEqual(360);
  expect(graph.nodes.map(({ x }) => x / graph.column)).toEqual([0, 1, 2, 3, 2, 3]);
});

test("a chain is a straight line, branches go below, sinks stand in the last column", () => {
  const graph = layOut([pipeline([unit("p/a", ["p/b", "p/c"]), unit("p/b", ["series x"]), unit("p/c", ["rule/r"]), unit("rule/r", [])])], none, new Map());
  const at = (key: string) => graph.nodes.find((node) => node.key === key)!;
  expect(at("p/a").y).toBe(at("p/b").y);
  expect(at("p/c").y).toBeGreaterThan(at("p/b").y);
  expect(at("p\nseries x").x).toBe(at("rule/r").x);
  expect(at("p\nin").x).toBeLessThan(at("p/a").x);
});

test("no two nodes stand at one place", () => {
  const units = Array.from({ length: 12 }, (_, index) => unit(`p/u${index}`, index % 3 === 0 ? [`p/u${index + 1}`, `series s${index}`] : [`series s${index}`]));
  const { nodes } = layOut([pipeline(units), { ...pipeline([]), name: "q" }], none, new Map());
  expect(new Set(nodes.map(({ x, y }) => `${x} ${y}`)).size).toBe(nodes.length);
});

test("the outline says who takes from the source, also a unit that another feeds", () => {
  const units = [unit("p/a", ["p/b"]), unit("p/b", [])];
  const outline = { revision: 1, name: "p", from: [], state: "", rules: [], series: [], streams: [], units: units.map(({ id }) => ({ name: id, id, use: "", from: ["in"], config: {}, kind: "", state: "" })) } as Outline;
  expect(layOut([pipeline(units)], new Map([["p", outline]]), new Map()).edges.map(({ key }) => key)).toEqual(["p\nin\np/a", "p\nin\np/b", "p/a\np/b"]);
});

test("an edge is as wide as the logarithm of its rate, and idle ones stay thin", () => {
  expect(edgeWidth_px(0)).toBe(1);
  expect(edgeWidth_px(10_000)).toBeGreaterThan(edgeWidth_px(10));
  expect(edgeWidth_px(1e9)).toBeLessThan(16);
});

test("what a unit gives out is the difference of its counter; a restart gives none", () => {
  const meter = new OutRateMeter();
  meter.look([pipeline([unit("p/a", [], 1, 100)])], 1_000);
  meter.look([pipeline([unit("p/a", [], 1, 300)])], 3_000);
  expect(meter.rates.get("p/a")).toBe(100);
  meter.look([pipeline([unit("p/a", [], 1, 5)])], 4_000);
  expect(meter.rates.has("p/a")).toBe(false);
});

test("arrows follow edges and rows", () => {
  const graph = layOut([pipeline([unit("p/a", ["p/b", "p/c"]), unit("p/b", []), unit("p/c", [])])], none, new Map());
  const at = (key: string) => graph.nodes.find((node) => node.key === key)!;
  expect(neighbour(graph, at("p/a"), "ArrowRight")?.key).toBe("p/b");
  expect(neighbour(graph, at("p/b"), "ArrowLeft")?.key).toBe("p/a");
  expect(neighbour(graph, at("p/b"), "ArrowDown")?.key).toBe("p/c");
  expect(neighbour(graph, at("p/a"), "x")).toBeUndefined();
});
