// A chart of each shape of docs/wire.md that is no line over time, with steady made-up data: for work on how they are drawn, and for the tests of it.
import { noise, smooth, wave } from "./noise.mjs";

const axis = (name, label, measure, scale = "linear", extras = {}) => ({ name, label, measure, scale, extras });
const mark = (shape, table, label, bindings, more = {}) => ({ shape, table, label, estimated: false, stack: "", extras: {}, bindings: bindings.map(([role, column, on]) => ({ role, column, axis: on ?? null })), ...more });
const column = (name, type, values) => ({ name, type, values });
const chart = (title, axes, marks, tables, more = {}) => ({ description: { title, summary: `${title}.`, axes, marks, gaps: [], extras: {}, ...more }, tables });

const HOSTS = ["web-1", "web-2", "web-3", "db-1"];
const PARTS = ["queue", "local", "remote", "send", "response"];

function boxes(seed, scale, names) {
  const at = (q) => names.map((_, index) => Math.round(scale * (1 + 0.5 * noise(seed, index)) * q * 10) / 10);
  return [column("name", "text", names), column("low", "f64", at(0.4)), column("q1", "f64", at(0.8)), column("median", "f64", at(1)), column("q3", "f64", at(1.4)), column("high", "f64", at(2.2)), column("n", "f64", names.map((_, index) => 400 + 31 * index))];
}
const boxBindings = [["x", "name", "x"], ["low", "low", "y"], ["q1", "q1", "y"], ["median", "median", "y"], ["q3", "q3", "y"], ["high", "high", "y"], ["n", "n"]];

const histogram = () => {
  const low = Array.from({ length: 24 }, (_, index) => index * 5);
  const counts = low.map((at) => Math.round(900 * Math.exp(-((at - 38) ** 2) / 500) + 60 * noise(3, at)));
  return chart("latency, last 10 min", [axis("x", "latency", "ms"), axis("y", "requests", "1")],
    [mark("bar", "bins", "requests", [["x", "low", "x"], ["x_low", "low", "x"], ["x_high", "high", "x"], ["y", "count", "y"]])],
    [{ name: "bins", columns: [column("low", "f64", low), column("high", "f64", low.map((at) => at + 5)), column("count", "f64", counts)] }], { extras: { "weir.bins": "24 bins of 5 ms" } });
};

const heat = (end_ms) => {
  const [columns, rows] = [40, 12];
  const step = Math.floor(end_ms / 5_000);
  const cells = Array.from({ length: columns * rows }, (_, index) => ({ x: step - columns + 1 + Math.floor(index / rows), y: index % rows }));
  const value = ({ x, y }) => Math.max(0, Math.round(80 * Math.exp(-((y - 4 - 2.5 * wave(1, x, 30)) ** 2) / 5) - 4 + 6 * noise(x, y)));
  return chart("latency over time", [axis("x", "event time", "s", "time"), axis("y", "latency", "ms"), axis("c", "requests", "1")],
    [mark("heat", "cells", "requests", [["x_low", "from", "x"], ["x_high", "to", "x"], ["y_low", "low", "y"], ["y_high", "high", "y"], ["value", "count", "c"]])],
    [{ name: "cells", columns: [column("from", "time", cells.map(({ x }) => x * 5_000)), column("to", "time", cells.map(({ x }) => (x + 1) * 5_000)), column("low", "f64", cells.map(({ y }) => y * 20)), column("high", "f64", cells.map(({ y }) => (y + 1) * 20)), column("count", "f64", cells.map(value))] }]);
};

const states = (end_ms) => {
  const begin = Math.floor(end_ms / 60_000) * 60_000 - 600_000;
  const rows = HOSTS.flatMap((host, which) => [0, 1, 2, 3].map((part) => ({ host, from: begin + part * 150_000, to: begin + (part + 1) * 150_000, level: [0, 0, 1, 2, 3, 4][Math.floor(noise(which + 7, part) * 6)] })));
  const words = ["running", "draining", "slow", "down", "no data"];
  return chart("state of hosts", [axis("x", "event time", "s", "time"), axis("y", "host", "1", "band")],
    [mark("state", "states", "state", [["x_low", "from", "x"], ["x_high", "to", "x"], ["y", "host", "y"], ["text", "state"], ["level", "level"]])],
    [{ name: "states", columns: [column("from", "time", rows.map(({ from }) => from)), column("to", "time", rows.map(({ to }) => to)), column("host", "text", rows.map(({ host }) => host)), column("state", "text", rows.map(({ level }) => words[level])), column("level", "f64", rows.map(({ level }) => level))] }]);
};

const band = (end_ms) => {
  const last = Math.floor(end_ms / 1_000);
  const steps = Array.from({ length: 120 }, (_, index) => last - 119 + index);
  const mean = steps.map((step) => 60 + 30 * wave(4, step, 50) + 8 * smooth(5, step));
  const columns = [column("time", "time", steps.map((step) => step * 1_000)), column("mean", "f64", mean), column("low", "f64", mean.map((value, index) => value - 12 - 6 * noise(6, steps[index]))), column("high", "f64", mean.map((value, index) => value + 15 + 9 * noise(7, steps[index])))];
  return chart("response time, mean in its range", [axis("x", "event time", "s", "time"), axis("y", "response time", "ms")], [
    mark("band", "points", "least to greatest", [["x", "time", "x"], ["low", "low", "y"], ["high", "high", "y"]]), mark("line", "points", "mean", [["x", "time", "x"], ["y", "mean", "y"]]),
    mark("rule", "limits", "limit", [["y", "at", "y"], ["text", "text"]]),
  ], [{ name: "points", columns }, { name: "limits", columns: [column("at", "f64", [110]), column("text", "text", ["limit 110 ms"])] }]);
};

const many = (end_ms) => {
  const last = Math.floor(end_ms / 1_000);
  const steps = Array.from({ length: 60 }, (_, index) => last - 59 + index);
  const names = Array.from({ length: 60 }, (_, index) => `partition ${index}`);
  const rows = names.flatMap((name, which) => steps.map((step) => ({ name, step, value: which + 10 * smooth(which, step) })));
  return chart("lag by partition", [axis("x", "event time", "s", "time"), axis("y", "lag", "1")], [mark("line", "points", "lag", [["x", "time", "x"], ["y", "lag", "y"], ["color", "name"]])],
    [{ name: "points", columns: [column("time", "time", rows.map(({ step }) => step * 1_000)), column("name", "text", rows.map(({ name }) => name)), column("lag", "f64", rows.map(({ value }) => value))] }]);
};

export const SHAPES = {
  boxes: { title: "latency by host", make: () => chart("latency by host", [axis("x", "host", "1", "band"), axis("y", "latency", "ms")], [
    mark("box", "boxes", "latency", boxBindings), mark("point", "beyond", "beyond the whiskers", [["x", "name", "x"], ["y", "value", "y"]]),
  ], [{ name: "boxes", columns: boxes(1, 40, HOSTS) }, { name: "beyond", columns: [column("name", "text", ["web-2", "web-2", "db-1"]), column("value", "f64", [152, 171, 140])] }], { extras: { "weir.whiskers": "whiskers: 5th and 95th percentile" } }) },
  parts: { title: "parts of a request", make: () => chart("parts of a request", [axis("x", "topic", "1", "band"), axis("y", "time", "ms")],
    PARTS.map((part, index) => mark("box", part, part, boxBindings, { stack: "parts" })).concat(mark("text", "totals", "total", [["x", "name", "x"], ["y", "total", "y"], ["text", "text"]])),
    [...PARTS.map((part, index) => ({ name: part, columns: boxes(index + 20, 4 + index, ["orders", "clicks", "audit"]) })), { name: "totals", columns: [column("name", "text", ["orders", "clicks", "audit"]), column("total", "f64", [46, 44, 47]), column("text", "text", ["46 ms", "44 ms", "47 ms"])] }], { extras: { "weir.whiskers": "whiskers: least and greatest" } }) },
  histogram: { title: "latency, last 10 min", make: histogram }, heat: { title: "latency over time", make: heat }, states: { title: "state of hosts", make: states }, band: { title: "response time, mean in its range", make: band }, many: { title: "lag by partition", make: many },
};
