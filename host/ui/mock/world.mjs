// What the mock host shows: made-up but steady data, a pure function of the time, so that a snapshot and deltas agree.

import { noise, smooth, wave } from "./noise.mjs";
import { SHAPES } from "./shapes.mjs";

const POINTS = 180;
const STEP_MS = 1_000;

const busy = (core) => (step) => Math.max(1, Math.min(100, 18 + 30 * wave(core * 1.9, step, 90) + 26 * smooth(core, step)));
const GAP_EVERY = 130;
const GAP_STEPS = 24;
const inGap = (step) => step % GAP_EVERY < GAP_STEPS;

const CHARTS = [
  { id: "cpu", title: "cpu busy by core", label: "busy", measure: "%", shape: "line", series: { "core 0": busy(1), "core 1": busy(2), "core 2": busy(3), "core 3": busy(4) } },
  { id: "requests", title: "requests by status", label: "requests", measure: "1/s", shape: "area", stack: "stack", series: { "2xx": (s) => 220 + 90 * wave(0, s, 140) + 20 * smooth(11, s), "3xx": (s) => 34 + 10 * smooth(12, s), "4xx": (s) => 16 + 14 * smooth(13, s), "5xx": (s) => (noise(14, s) > 0.93 ? 24 : 2 * smooth(14, s)) } },
  { id: "latency", title: "request latency, p99", label: "latency p99", measure: "ms", shape: "line", gap: true, series: { "shop/prod": (s) => 140 + 50 * wave(2, s, 60) + 36 * smooth(21, s) }, estimated: { forecast: (s) => 140 + 50 * wave(2, s, 60) + 18 } },
  { id: "memory", title: "memory", label: "memory", measure: "By", shape: "area", stack: "stack", series: { used: (s) => 3.1e9 + 4e8 * wave(3, s, 200), cache: (s) => 1.9e9 + 1e8 * wave(5, s, 70), buffers: () => 2.2e8 } },
  { id: "rejected", title: "rejected events", label: "events", measure: "1", shape: "bar", stride: 5, series: { "codec json": (s) => Math.floor(noise(31, s) * 6), "filter slow": (s) => Math.floor(noise(32, s) * 4) }, stack: "stack" },
  { id: "ns", title: "time in units for each event", label: "time per event", measure: "ns", shape: "line", series: { "requests/slow": (s) => 9 + 3 * smooth(41, s), "requests/per_host": (s) => 31 + 6 * smooth(42, s), "weir/rates": (s) => 22 + 5 * smooth(43, s), "host/cpu": (s) => 41 + 5 * smooth(44, s), "host/memory": (s) => 52 + 4 * smooth(45, s), "host/load": (s) => 58 + 4 * smooth(46, s), "network/outside": (s) => 14 + 3 * smooth(47, s), "network/per_interface": (s) => 64 + 3 * smooth(48, s), "sources/per_source": (s) => 70 + 3 * smooth(49, s) } },
  { id: "jobs", title: "jobs as they end", label: "duration", measure: "s", shape: "point", moments: true, series: { import: (s) => (s % 7 === 0 ? 4 + 9 * noise(51, s) : null), export: (s) => (s % 11 === 0 ? 2 + 3 * noise(52, s) : null) } },
  { id: "temperature", title: "temperature", label: "temperature", measure: "Cel", shape: "line", stride: 10, series: { board: (s) => 48 + 3 * wave(6, s, 80) } },
];

const LOAD_CHARTS = 24;
const LOAD_POINTS = 3_600;
/** Each value is computed once: for a bench it is the page that must be busy and not this host. */
function remembered(value) {
  const [values, at] = [new Float64Array(4_096), new Int32Array(4_096)];
  return (step) => {
    const place = step & 4_095;
    if (at[place] !== step) [values[place], at[place]] = [value(step), step];
    return values[place];
  };
}
const LOAD = Object.fromEntries(Array.from({ length: LOAD_CHARTS }, (_, chart) => {
  const series = Object.fromEntries(Array.from({ length: 5 }, (_, line) => [`series ${line}`, remembered((step) => 20 * line + 10 * wave(chart + line, step, 300) + 6 * smooth(chart * 5 + line, step))]));
  return [`load${chart}`, { id: `load${chart}`, title: `load ${chart}`, label: "value", measure: "1", shape: "line", points: LOAD_POINTS, series }];
}));

export const chartList = (mode = "full") => mode === "load" ? Object.values(LOAD).map(({ id, title }) => ({ id, title, component: "timeseries", metric: id })) : [
  ...(mode === "shapes" ? [] : CHARTS).map(({ id, title }) => ({ id, title, component: "timeseries", metric: id })),
  ...(mode === "shapes" ? Object.entries(SHAPES) : []).map(([id, { title }]) => ({ id, title, component: id, metric: id })),
];

export function chartState(id, end_ms) {
  if (id in SHAPES) return { id, ...SHAPES[id].make(end_ms) };
  const chart = LOAD[id] ?? CHARTS.find((one) => one.id === id) ?? CHARTS[0];
  const points = chart.points ?? POINTS;
  const stride = chart.stride ?? 1;
  const last = Math.floor(end_ms / STEP_MS / stride);
  const steps = Array.from({ length: Math.ceil(points / stride) }, (_, index) => (last - Math.ceil(points / stride) + 1 + index) * stride);
  const kept = chart.gap ? steps.filter((step) => !inGap(step)) : steps;
  const all = { ...chart.series, ...chart.estimated };
  const columns = [{ name: "time", type: "time", values: kept.map((step) => step * STEP_MS) }];
  for (const [name, value] of Object.entries(all)) columns.push({ name, type: "f64", values: kept.map(value) });
  return { id: chart.id, description: describe(chart, all, chart.gap ? gapsIn(steps) : [], steps), tables: [{ name: "points", columns }] };
}

/** Some that came late, and a counter that began anew. */
const momentsIn = (steps) => [
  ...steps.filter((step) => step % 67 === 0).map((step) => ({ kind: "late", time_ms: step * STEP_MS, label: "import, 3.2 s late" })),
  ...steps.filter((step) => step % 101 === 0).map((step) => ({ kind: "reset", time_ms: step * STEP_MS, label: "export" })),
];

function describe(chart, all, gaps, steps) {
  return {
    title: chart.title,
    summary: `${chart.title}: ${Object.keys(all).length} series over the last ${POINTS} s`,
    axes: [{ name: "x", label: "event time", measure: "s", scale: "time" }, { name: "y", label: chart.label, measure: chart.measure, scale: "linear" }],
    marks: Object.keys(all).map((name) => ({
      shape: chart.shape, table: "points", label: name, estimated: name in (chart.estimated ?? {}), stack: chart.stack ?? "", extras: {},
      bindings: [{ role: "x", column: "time", axis: "x" }, { role: "y", column: name, axis: "y" }],
    })),
    gaps,
    ...(chart.moments ? { moments: momentsIn(steps) } : {}),
    extras: chart.id === "latency" ? { "weir.gap_after": "2500 ms" } : {},
  };
}

function gapsIn(steps) {
  const gaps = [];
  const before = steps.filter((step) => !inGap(step));
  before.forEach((step, index) => {
    const next = before[index + 1];
    if (next !== undefined && next - step > 2.5) gaps.push({ table: "points", start_ms: step * STEP_MS, end_ms: next * STEP_MS, label: `no data ${next - step} s` });
  });
  return gaps;
}

export function streams(now_ms) {
  const step = Math.floor(now_ms / 1_000);
  const one = (triplet, rate, columns, more = {}) => ({
    triplet, events_total: Math.floor(rate * (step % 100_000)), bytes_total: Math.floor(rate * 200 * (step % 100_000)), rejected_total: 0, events_per_s: rate * (0.9 + 0.2 * noise(rate, step)),
    late_total: 0, future_total: 0, last_event_time_unix_ns: (now_ms - 180) * 1e6, watermark_unix_ns: (now_ms - 2_000) * 1e6,
    columns: columns.map(([name, type]) => ({ name, type })), schema_changes_total: 0, derived: false, ...more,
  });
  return [
    one("host/local/cpu", 4, [["core", "text"], ["busy_pct", "f64"], ["iowait_pct", "f64"]]),
    one("shop/prod/request", 318, [["host", "text"], ["path", "text"], ["status", "s64"], ["latency_ms", "f64"], ["agent", "text"]], { late_total: 412, rejected_total: 9, schema_changes_total: 1 }),
    one("shop/prod/slow", 21, [["host", "text"], ["latency_ms", "f64"]], { derived: true }),
    one("weir/local/unit", 6, [["unit", "text"], ["rows_per_s", "f64"], ["ns_per_event", "f64"]]),
    one("sensors/attic/temperature", 0.1, [["board", "text"], ["celsius", "f64"]], { last_event_time_unix_ns: (now_ms - 8_400) * 1e6 }),
  ];
}

const HOSTS = ["web-1", "web-2", "web-3"];
const PATHS = ["/", "/cart", "/search?q=%3Cscript%3E", "<img src=x onerror=alert(1)>", "/checkout"];
function event(triplet, time_ms, position, row) {
  const pick = noise(position, row);
  const fields = triplet.startsWith("host/")
    ? { core: String(row % 4), busy_pct: busy(row % 4)(time_ms / 1000), iowait_pct: pick * 2 }
    : { host: HOSTS[Math.floor(pick * 3)], path: PATHS[Math.floor(noise(position, row + 7) * 5)], status: pick > 0.95 ? 500 : 200, latency_ms: 20 + 400 * pick * pick, agent: "curl/8.5.0" };
  return { time: new Date(time_ms).toISOString(), position, row, fields };
}

export const recent = (triplet, now_ms) => Array.from({ length: 400 }, (_, index) => event(triplet, now_ms - index * 200, Math.floor(now_ms / 200) - index, 0));
export const tailEvents = (triplet, now_ms) => [0, 1].map((row) => event(triplet, now_ms, Math.floor(now_ms / 200), row)).reverse();

export function pipelines(held = new Map()) {
  const step = Math.floor(Date.now() / 1_000);
  const unit = (id, component, rate, ns, more = {}) => ({
    id, component, digest: "3f9c2ab17d60e5c4", kind: component, state: held.get(id) ?? "running", rows_in_total: Math.floor(rate * 86_000), rows_out_total: Math.floor(rate * 8_000),
    calls_total: 86_000, busy_ns_total: 1e9, rows_per_s: rate * (0.9 + 0.2 * noise(ns, step)), ns_per_event: ns + 3 * noise(ns, step), memory_bytes: 1_310_720, faults_total: 0, rejected_total: 0, late_total: 0,
    state_entries: component === "rollup" ? 100 : 0, over_quota_total: 0, dead_letters: 0, to: [], ...more,
  });
  const pipeline = (name, from, units, more = {}) => ({ name, from, flow: name, state: held.get(name) ?? "running", lag_bytes: 0, lag_records: 0, lag_s: 0, skipped_total: 0, units, ...more });
  return [
    pipeline("requests", ["shop/*/request"], [unit("requests/slow", "filter", 318, 8.2, { to: ["requests/per_host", "stream shop/prod/slow"] }), unit("requests/per_host", "rollup", 21, 31, { late_total: 412, rejected_total: 9, to: ["series latency", "rule/too-slow"] }), unit("rule/too-slow", "threshold", 3, 22, { kind: "rule" })]),
    pipeline("host", ["host/*/*"], [unit("host/cpu", "rollup", 4, 41, { to: ["series cpu"] }), unit("host/memory", "transform", 1, 52, { to: ["series memory"] })]),
    pipeline("weir", ["weir/*/*"], [unit("weir/rates", "rollup", 6, 24, { to: ["series ns"] })]),
    pipeline("experiments", ["shop/prod/request"], [unit("experiments/score", "transform", 0, 0, { state: held.get("experiments/score") ?? "open-circuit", faults_total: 3 })], { lag_bytes: 48_120_000, lag_records: 902, lag_s: 14.2 }),
    pipeline("archive", ["*/*/*"], [unit("archive/thin", "filter", 0, 0, { state: held.get("archive/thin") ?? "paused" })], { state: held.get("archive") ?? "paused" }),
  ];
}

export const alerts = (now_ms) => [
  { id: "a1", annotations: { runbook: "https://wiki.example.org/slow" }, rule: "too-slow", triplet: "shop/prod/request", labels: { host: "web-2" }, level: "critical", value: 512.4, since_unix_ns: (now_ms - 94_000) * 1e6, summary: "mean latency 512 ms, over 500 ms", state: "firing", beside: "fresh", flapping: false },
  { id: "a2", rule: "too-slow", triplet: "shop/prod/request", labels: { host: "web-3" }, level: "warning", value: 231.9, since_unix_ns: (now_ms - 610_000) * 1e6, summary: "mean latency 232 ms, over 200 ms", state: "firing", beside: "stale", flapping: false },
];

export const faults = (now_ms) => [
  { at: new Date(now_ms - (now_ms % 1e6)).toISOString(), unit: "experiments/score", digest: "a91d44fe02b7731c", call: "process", kind: "trap", message: "wasm unreachable instruction executed", frames: ["score::model::predict", "score::process"], position: 48_211, rows: 1 },
];

const episode = (id, minutes_ago, lasted_s, level, now_ms) => ({ id, alert: "a1", rule: "too-slow", triplet: "shop/prod/request", labels: { host: "web-2" }, start_position: 1, started_unix_ns: (now_ms - minutes_ago * 60_000) * 1e6, end_position: 2, ended_unix_ns: (now_ms - minutes_ago * 60_000 + lasted_s * 1_000) * 1e6, end: "resolved", worst_level: level, worst_value: 530, worst_summary: "mean latency 530 ms" });
export const episodes = (now_ms) => [episode("e1", 42, 95, "critical", now_ms), episode("e2", 180, 610, "warning", now_ms)];
export const rules = () => [{ id: "too-slow", failing: false, words_total: 48_210, alerts: 12 }];
export const channels = () => [{ name: "on-call", url: "http://127.0.0.1:9094/hook", queued: 0, sent_total: 31, attempts_failed_total: 2, refused_total: 0, dropped_total: 0 }];
export const traced = (body) => ({
  ...body, event: {}, left_out: 0,
  pipelines: [{ name: "requests", units: [
    { id: "requests/slow", component: "filter", kind: "filter", verdict: "kept", rows_in: 1, rows_out: 1, message: null, ports: [] },
    { id: "requests/enrich", component: "transform", kind: "transform", verdict: "changed", rows_in: 1, rows_out: 1, message: null, ports: [{ name: "out", rows_total: 1, rows: [{ host: "web-1", class: "2xx" }] }] },
    { id: "requests/per_host", component: "rollup", kind: "rollup", verdict: "taken-in", rows_in: 1, rows_out: 0, message: null, ports: [] },
  ] }, { name: "archive", units: [{ id: "archive/thin", component: "filter", kind: "filter", verdict: "dropped", rows_in: 1, rows_out: 0, message: null, ports: [] }] }],
});
export function previewed(wish, now_ms) {
  const last = Math.floor(now_ms / 1_000);
  const times = Array.from({ length: 60 }, (_, index) => (last - 59 + index) * 1e9);
  const one = (label, seed) => ({ metric: `${wish.name}_1s`, triplet: wish.from[0], labels: label === "" ? {} : { [wish.key[0]]: label }, fields: ["value"], time_unix_ns: times, values: { value: times.map((time) => 40 + 60 * wave(seed, time / 1e9, 40) + 10 * smooth(seed, time / 1e9)) }, open: 2 });
  const toml = `[[metric]]\nname = "${wish.name}"\nfrom = ["${wish.from[0]}"]\n${wish.key.length > 0 ? `key = ${JSON.stringify(wish.key)}\n` : ""}${wish.value ? `value = "${wish.value}"\n` : ""}rollup = [{ window = "${wish.rollup[0].window}", is = "${wish.rollup[0].is[0]}" }]\n`;
  return { toml, warnings: [], events: 1_000, rows: 870, elapsed_ms: 4, cut: false, series: wish.key.length > 0 ? ["web-1", "web-2", "web-3"].map(one) : [one("", 3)], faults: [] };
}
