// Figures of the page in a real browser, for `cargo xtask bench page`.
//   node tests/browser/measure.mjs URL TCP_PORT PID          (PID: of the host, for its CPU; WEIR_PAGE_MINUTES: how long the heap is watched, 2)
// In: a host with the charts `background` and `markers` of the bench `latency`, the built page, the mock host. Out: progress on standard error; the last line of standard
// output is JSON with all figures.
// First graph: cold is a fresh profile (nothing cached, no connection open) in a browser that runs already; from the start of the navigation (performance.timeOrigin) until the
// frame with the first chart that has points left for the compositor. Neither the start of the browser's process nor the making of the profile counts.
// Times: an event has the time at which it was sent as its own. A hook of the page tells when a picture was drawn; the time ends in the next animation
// frame, when what was drawn has gone to the compositor. Browser, sender and host share one clock. CPU of the page: time that its main thread ran
// (CDP Performance, thread ticks), so that waiting for a shared machine does not count. Heap: used bytes after a forced garbage collection.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { open, startMock } from "./browsing.mjs";

const require = createRequire(new URL("../../host/ui/package.json", import.meta.url));
const { WebSocket } = require("ws");

const [url, tcp_port, pid] = process.argv.slice(2);
const COLD_OPENINGS = 20;
const PROFILE_RESTS_MS = 300;
const BACKGROUND_PER_S = 10_000;
const BACKGROUND_EVERY_MS = 10;
const MARKERS = 250;
const DRAWN_WITHIN_S = 30;
const CLIENTS = 200;
const CLIENTS_S = 15;
const LOAD_CHARTS = 24;
const LOAD_S = 20;
const HEAP_WARM_S = 75;
const HEAP_MINUTES = Number(process.env.WEIR_PAGE_MINUTES ?? "2");
const MIB = 1024 * 1024;
/** Linux counts the CPU time of a process in these. */
const TICKS_PER_S = 100;

const rest = (ms) => new Promise((done) => setTimeout(done, ms));
const say = (text) => console.error(`page: ${text}`);
function share(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(sorted.length * part) - 1))] ?? NaN;
}

function gzipped_kib() {
  const files = (folder) => readdirSync(folder).flatMap((name) => (statSync(join(folder, name)).isDirectory() ? files(join(folder, name)) : [join(folder, name)]));
  const dist = fileURLToPath(new URL("../../host/ui/dist", import.meta.url));
  return files(dist).reduce((sum, path) => sum + gzipSync(readFileSync(path), { level: 9 }).length, 0) / 1024;
}

/** CPU time of the host so far, s. */
function hostCpu_s() {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

/** 10,000 events per second in a steady stream, until it is ended. */
function background() {
  const socket = connect(Number(tcp_port), "127.0.0.1");
  let number = 0;
  let due = Date.now();
  const timer = setInterval(() => {
    let lines = "";
    for (; due <= Date.now(); due += BACKGROUND_EVERY_MS) {
      for (let row = 0; row < (BACKGROUND_PER_S * BACKGROUND_EVERY_MS) / 1_000; row++, number++) {
        const us = (number * 7_919) % 100_000;
        lines += `{"application":"shop","environment":"prod","type":"request","host":"web-${number % 10}","path":"/api/items/${number % 500}","status":200,"latency_ms":${us / 1_000},"bytes":${number % 50_000}}\n`;
      }
    }
    socket.write(lines);
  }, BACKGROUND_EVERY_MS);
  return { sent: () => number, end: () => { clearInterval(timer); socket.destroy(); } };
}

async function firstGraph(browser) {
  const times_ms = [];
  for (let opening = 0; opening < COLD_OPENINGS; opening++) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    const page = await context.newPage();
    // Making the profile is the browser's work, not the page's.
    await rest(PROFILE_RESTS_MS);
    await page.goto(url, { waitUntil: "commit" });
    await page.waitForFunction(() => window.__weir?.first_painted_at_ms !== undefined, null, { timeout: 30_000, polling: 20 });
    const { points, painted_ms } = await page.evaluate(() => ({
      points: Math.max(...Object.values(window.__weir.charts).filter((chart) => chart.first_drawn_at_ms !== null).map((chart) => chart.points)),
      painted_ms: window.__weir.first_painted_at_ms - performance.timeOrigin,
    }));
    if (!(points > 0)) throw new Error("the first chart was painted without a point");
    times_ms.push(painted_ms);
    await context.close();
  }
  return { first_graph_ms: share(times_ms, 0.5), first_graph_p95_ms: share(times_ms, 0.95) };
}

async function eventToPixel(browser, sender) {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  const flying = new Map();
  const times_ms = [];
  await page.exposeBinding("__told", (_, newest_ms, seen_ms) => {
    for (const [sent_ms] of flying) if (sent_ms <= newest_ms) {
      flying.delete(sent_ms);
      times_ms.push(seen_ms - sent_ms);
    }
  });
  await page.goto(url);
  await page.waitForFunction(() => window.__weir.charts.background?.drawn_at_ms, null, { timeout: 30_000 });
  await page.evaluate(() => {
    let told_ms = 0;
    window.__weir.drawn = (id, chart) => {
      if (id !== "markers" || chart.newest_time_ms === null || chart.newest_time_ms <= told_ms) return;
      const newest_ms = (told_ms = chart.newest_time_ms);
      requestAnimationFrame(() => void window.__told(newest_ms, Date.now()));
    };
  });
  await rest(3_000);
  const [from, begun_ms] = [sender.sent(), Date.now()];
  const socket = connect(Number(tcp_port), "127.0.0.1").setNoDelay(true);
  let last_ms = 0;
  for (let number = 0; number < MARKERS; number++) {
    await rest(40 + Math.random() * 80);
    const sent_ms = (last_ms = Math.max(Date.now(), last_ms + 1));
    flying.set(sent_ms, number);
    socket.write(`{"application":"shop","environment":"prod","type":"marker","time":${sent_ms},"value":${number}}\n`);
  }
  for (let waited = 0; flying.size > 0 && waited < DRAWN_WITHIN_S * 10; waited++) await rest(100);
  const rate = ((sender.sent() - from) / (Date.now() - begun_ms)) * 1_000;
  socket.destroy();
  await page.close();
  if (flying.size > 0) throw new Error(`${flying.size} of ${MARKERS} markers were not drawn within ${DRAWN_WITHIN_S} s`);
  return { event_to_pixel_p50_ms: share(times_ms, 0.5), event_to_pixel_p99_ms: share(times_ms, 0.99), markers: times_ms.length, background_events_per_s: rate };
}

async function manyCharts(browser) {
  const mock = await startMock("load");
  try {
    const page = await browser.newPage({ viewport: { width: 1920, height: 1080 } });
    const debug = await page.context().newCDPSession(page);
    await debug.send("Performance.enable", { timeDomain: "threadTicks" });
    await page.goto(mock.url);
    await page.waitForFunction((count) => Object.values(window.__weir?.charts ?? {}).filter((chart) => chart.drawn_at_ms !== null && chart.frames > 2).length === count, LOAD_CHARTS, { timeout: 120_000 });
    const look = async () => {
      const { metrics } = await debug.send("Performance.getMetrics");
      const frames = await page.evaluate(() => Object.values(window.__weir.charts).reduce((sum, chart) => sum + chart.frames, 0));
      return { cpu_s: metrics.find(({ name }) => name === "TaskDuration").value, frames, at_ms: Date.now() };
    };
    const before = await look();
    await rest(LOAD_S * 1_000);
    const after = await look();
    await page.close();
    const elapsed_s = (after.at_ms - before.at_ms) / 1_000;
    return { charts24_main_thread_pct: (100 * (after.cpu_s - before.cpu_s)) / elapsed_s, charts24_frames_per_s: (after.frames - before.frames) / elapsed_s };
  } finally {
    mock.end();
  }
}

/** Each is a page that looks at both charts: frames are counted and their headers read for what was merged. */
async function manyClients() {
  const state = { frames: 0, merged: 0, closed: 0 };
  const sockets = await Promise.all(Array.from({ length: CLIENTS }, () => new Promise((done, fail) => {
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}api/live`);
    socket.on("open", () => {
      socket.send(JSON.stringify({ subscribe: [{ chart: "background", version: null, epoch: null }, { chart: "markers", version: null, epoch: null }], width: 800, height: 240 }));
      done(socket);
    });
    socket.on("error", fail);
    socket.on("close", () => (state.closed += 1));
    socket.on("message", (data, binary) => {
      if (!binary) return;
      state.frames += 1;
      const header = data.subarray(4, 4 + Math.min(data.readUInt32LE(0), 400)).toString("latin1");
      state.merged += Number(/"merged":(\d+)/.exec(header)?.[1] ?? 0);
    });
  })));
  await rest(3_000);
  const [frames, merged, cpu_s, at_ms] = [state.frames, state.merged, hostCpu_s(), Date.now()];
  await rest(CLIENTS_S * 1_000);
  const elapsed_s = (Date.now() - at_ms) / 1_000;
  const [got, skipped, used_s] = [state.frames - frames, state.merged - merged, hostCpu_s() - cpu_s];
  if (state.closed > 0) throw new Error(`${state.closed} of ${CLIENTS} clients were closed`);
  sockets.forEach((socket) => socket.terminate());
  return { clients200_host_cpu_pct: (100 * used_s) / elapsed_s, clients200_frames_per_s: got / elapsed_s, clients200_dropped_pct: (100 * skipped) / Math.max(1, got + skipped) };
}

async function heapGrowth(browser) {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  const debug = await page.context().newCDPSession(page);
  await page.goto(url);
  const used_mib = async () => {
    await debug.send("HeapProfiler.collectGarbage");
    await debug.send("HeapProfiler.collectGarbage");
    return (await debug.send("Runtime.getHeapUsage")).usedSize / MIB;
  };
  // The windows of the charts are full then: what grows later is not data.
  await rest(HEAP_WARM_S * 1_000);
  const before = await used_mib();
  await rest(HEAP_MINUTES * 60_000);
  const after = await used_mib();
  await page.close();
  return { heap_growth_mib: after - before, heap_minutes: HEAP_MINUTES };
}

const figures = { gzipped_kib: gzipped_kib() };
const sender = background();
const browser = await open();
try {
  await rest(2_000);
  for (const [what, measure] of [["first graph", firstGraph], ["event to pixel", eventToPixel], ["24 charts of an hour", manyCharts], ["200 clients", manyClients], ["heap", heapGrowth]]) {
    say(what);
    Object.assign(figures, await measure(browser, sender));
  }
} finally {
  sender.end();
  await browser.close();
}
console.log(JSON.stringify(figures));
process.exit(0);
