// A stand-in for the host, for work on the page and for tests of its states: speaks docs/wire.md with moving, made-up data.
//   node mock/server.mjs [--port 7070] [--mode full|empty|slow|shapes] [--dist DIR] [--now MS] [--pace MS]
// --now: the clock stands at this time (ms since 1970). --pace: a frame of each chart so often (1000). full: charts, streams, pipelines, alerts, faults. empty: a host that has nothing yet. slow: updates are merged and data is old.
// shapes: a chart of each shape that is no line over time. load: 24 charts of 5 series with 3,600 points each, for benches.
// GET /mock/messages counts what pages have said over their WebSockets (but for acknowledgements), and the most frames of one chart that were on their way at once.
// POST /mock/offline?seconds=n closes all connections and answers 503 to everything but files for that long.
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { WebSocketServer } from "ws";
import { encodeFrame } from "./frames.mjs";
import { Shelf } from "./dead.mjs";
import { Editing } from "./editing.mjs";
import { alerts, channels, chartList, chartState, episodes, faults, pipelines, previewed, recent, rules, streams, tailEvents, traced } from "./world.mjs";

const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at > 0 ? process.argv[at + 1] : otherwise;
};
// A host at whose clock nothing moves: pictures that can be compared.
const fixed_ms = Number(option("now", "0"));
if (fixed_ms > 0) Date.now = () => fixed_ms;
const port = Number(option("port", "7070"));
const mode = option("mode", "full");
const dist = option("dist", new URL("../dist/", import.meta.url).pathname);
const STEP_MS = 1_000;
/** How often frames are sent. */
const pace_ms = Number(option("pace", "1000"));
const TAIL_MS = 200;
const EPOCH = 7;
let offlineUntil_ms = 0;
let messages_total = 0;
/** Frames of one chart that were on their way at once. */
let in_flight_most = 0;

// The same policy as the host's: what works here works there.
const SECURITY = {
  "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  "x-content-type-options": "nosniff",
  "cross-origin-opener-policy": "same-origin",
  "referrer-policy": "no-referrer",
};
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

const shelf = new Shelf(Date.now());
const editing = new Editing();
const { held } = editing;
for (const pipeline of pipelines()) for (const [id, state] of [[pipeline.name, pipeline.state], ...pipeline.units.map((unit) => [unit.id, unit.state])]) held.set(id, state);
const DONE = { start: "running", pause: "paused", stop: "stopped" };

function answer(response, status, body) {
  response.writeHead(status, { ...SECURITY, "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  return text === "" ? {} : JSON.parse(text);
}

/** True where it was a change. */
async function edit(request, response, parts, url) {
  const { method } = request;
  const say = ({ status, body }) => (answer(response, status, body), true);
  if (method === "POST" && parts[0] === "pipelines" && parts[2] === "units" && parts.length === 3) return say(editing.inject(parts[1], await bodyOf(request)));
  if (method === "POST" && parts[0] === "dead") return say(shelf.act(parts[1], await bodyOf(request)));
  if (method === "PATCH") return say(editing.change(parts[1], parts[3]));
  if (method === "DELETE") return say(editing.remove(parts[1], parts[3]));
  if (method === "POST" && parts.join("/") === "configuration/undo") return say(editing.undo(Number(url.searchParams.get("to"))));
  if (method === "POST" && parts[0] === "trace") return say({ status: 200, body: traced(await bodyOf(request)) });
  if (method === "POST" && parts.join("/") === "metrics/preview") return say({ status: 200, body: previewed(await bodyOf(request), Date.now()) });
  if (method === "POST" && parts.join("/") === "metrics") return say({ status: 201, body: editing.commit(`makes metric \`${(await bodyOf(request)).name}\``) });
  return false;
}

async function api(request, response, url) {
  const parts = url.pathname.split("/").slice(2).map(decodeURIComponent);
  const empty = mode === "empty";
  if (await edit(request, response, parts, url)) return undefined;
  if (request.method === "POST" && parts[0] === "pipelines") {
    const action = parts.at(-1);
    const id = parts.length === 3 ? parts[1] : `${parts[1]}/${parts[3]}`;
    if (!(action in DONE) || !held.has(id)) return answer(response, 404, { error: { code: "no-unit", message: `there is no unit ${id}; GET /api/pipelines lists them` } });
    held.set(id, DONE[action]);
    return answer(response, 200, { position: 1 });
  }
  if (parts[0] === "pipelines" && parts.length === 2) {
    const outline = editing.outline(parts[1]);
    return outline ? answer(response, 200, outline) : answer(response, 404, { error: { code: "not_found", message: `there is no pipeline ${parts[1]}` } });
  }
  if (parts[0] === "components" && parts.length === 2) return answer(response, 200, editing.component(parts[1]) ?? editing.component("transform"));
  if (parts[0] === "alerts" && parts.length === 2) return answer(response, 200, { alert: alerts(Date.now()).find(({ id }) => id === parts[1]) ?? alerts(Date.now())[0], episodes: episodes(Date.now()) });
  if (parts.join("/") === "configuration") return void response.writeHead(200, { ...SECURITY, "content-type": "application/toml" }).end('[[source]]\nname = "tcp"\nkind = "tcp"\nlisten = "127.0.0.1:7272"\n');
  if (parts.join("/") === "configuration/revisions") return answer(response, 200, { current: editing.revision, revisions: editing.revisions });
  if (parts.join("/") === "configuration/diff") return answer(response, 200, { unified: '--- a\n+++ b\n@@ -4,3 +4,5 @@\n [[pipeline.unit]]\n-config = { keep = "latency_ms > 200" }\n+config = { keep = "latency_ms > 100" }\n' });
  if (parts[0] === "dead" && parts.length === 1) return answer(response, 200, empty ? { total: 0, rows: 0, letters: [] } : shelf.page(url.searchParams));
  if (parts[0] === "dead") {
    const letter = shelf.one(parts[1]);
    return letter ? answer(response, 200, letter) : answer(response, 404, { error: { code: "not_found", message: `there is no dead letter \`${parts[1]}\` (any more)` } });
  }
  const where = url.searchParams.get("where");
  if (parts[0] === "streams" && parts.length === 5 && where !== null) {
    const match = /^(\w+) *(>|==?) *'?([^']+)'?$/.exec(where);
    if (!match) return answer(response, 422, { error: { code: "bad_expression", message: "column 4: an operator is missing" } });
    const holds = ({ fields }) => (match[2] === ">" ? fields[match[1]] > Number(match[3]) : String(fields[match[1]]) === match[3]);
    return answer(response, 200, { triplet: "", events: recent(parts.slice(1, 4).join("/"), Date.now()).filter(holds) });
  }
  if (parts[0] === "streams" && parts.length === 5) return answer(response, 200, { triplet: parts.slice(1, 4).join("/"), events: recent(parts.slice(1, 4).join("/"), Date.now()) });
  const table = {
    streams: () => ({ streams: empty ? [] : streams(Date.now()) }),
    pipelines: () => ({ revision: editing.revision, pipelines: empty ? [] : editing.pipelines().map((pipeline) => ({ ...pipeline, units: pipeline.units.map((unit) => ({ ...unit, dead_letters: shelf.of(unit.id) })) })), dead_letters: empty ? 0 : shelf.letters.length }),
    charts: () => ({ charts: empty ? [] : chartList(mode) }),
    alerts: () => ({ alerts: empty ? [] : alerts(Date.now()), cut: false, rules: empty ? [] : rules() }),
    episodes: () => ({ episodes: empty ? [] : episodes(Date.now()) }),
    channels: () => ({ channels: empty ? [] : channels() }),
    components: () => ({ components: editing.components(), compiling: 0 }),
    faults: () => ({ faults: empty ? [] : faults(Date.now()) }),
  };
  const found = table[parts[0]];
  return found ? answer(response, 200, found()) : answer(response, 404, { error: { code: "no-path", message: `nothing is at ${url.pathname}` } });
}

function file(response, path) {
  const wanted = join(dist, normalize(path === "/" ? "/index.html" : path));
  if (!wanted.startsWith(dist) || !existsSync(wanted) || !statSync(wanted).isFile()) return answer(response, 404, { error: { code: "no-path", message: `nothing is at ${path}` } });
  response.writeHead(200, { ...SECURITY, "content-type": TYPES[extname(wanted)] ?? "application/octet-stream" });
  createReadStream(wanted).pipe(response);
}

const server = createServer((request, response) => {
  const url = new URL(request.url, "http://localhost");
  if (url.pathname === "/mock/offline") {
    offlineUntil_ms = Date.now() + 1000 * Number(url.searchParams.get("seconds") ?? "10");
    for (const client of sockets.clients) client.terminate();
    return answer(response, 200, {});
  }
  if (url.pathname === "/mock/messages") return answer(response, 200, { messages_total, in_flight_most });
  if (url.pathname.startsWith("/api/")) {
    if (Date.now() < offlineUntil_ms) return answer(response, 503, { error: { code: "offline", message: "the host is being restarted" } });
    return void api(request, response, url).catch((error) => answer(response, 400, { error: { code: "bad_body", message: String(error) } }));
  }
  return file(response, url.pathname);
});

const sockets = new WebSocketServer({ noServer: true });
server.on("upgrade", (request, socket, head) => {
  if (Date.now() < offlineUntil_ms || !request.url.startsWith("/api/live")) return socket.destroy();
  sockets.handleUpgrade(request, socket, head, (client) => serve(client, new URL(request.url, "http://localhost").searchParams));
});

function serve(client, first) {
  let wanted = [];
  let tail = null;
  const versions = new Map();
  const sent = new Map();
  let in_flight = Infinity;
  const flying = new Map();
  const missed = new Map();
  const send = (id, merged_more) => {
    const frames = flying.get(id) ?? [];
    flying.set(id, frames);
    if (frames.length >= in_flight) return void missed.set(id, (missed.get(id) ?? 0) + 1);
    const merged = merged_more + (missed.get(id) ?? 0);
    missed.delete(id);
    const now_ms = Date.now() - (mode === "slow" ? 5_000 : 0);
    const version = (versions.get(id) ?? 0) + 1;
    versions.set(id, version);
    const chart = chartState(id, Math.floor(now_ms / STEP_MS) * STEP_MS);
    client.send(encodeFrame(chart, { epoch: EPOCH, version, sent: sent.get(id) ?? null, merged, newest_ms: now_ms }));
    sent.set(id, chart.tables[0].columns[0].values);
    frames.push(version);
    in_flight_most = Math.max(in_flight_most, frames.length);
  };
  client.send(JSON.stringify({ hello: { version: "0.1.0", epoch: EPOCH, charts: mode === "empty" ? [] : chartList(mode) } }));
  const hear = (message) => {
    for (const { chart, version } of message.ack ?? []) flying.set(chart, (flying.get(chart) ?? []).filter((one) => one > version));
    if (message.subscribe) {
      // Where the clock stands nothing new comes, so nothing can be merged.
      in_flight = fixed_ms > 0 ? Infinity : message.in_flight ?? Infinity;
      flying.clear();
      wanted = message.subscribe.map((one) => one.chart);
      for (const one of message.subscribe) {
        if (one.version === null || one.epoch !== EPOCH || !versions.has(one.chart)) {
          sent.delete(one.chart);
          send(one.chart, 0);
        }
      }
    }
    if ("tail" in message) tail = message.tail;
  };
  if (first.get("watch") === "all") hear({ subscribe: (mode === "empty" ? [] : chartList(mode)).slice(0, 64).map(({ id }) => ({ chart: id, version: null })), in_flight: Number(first.get("in_flight") ?? Infinity) });
  client.on("message", (data) => {
    const message = JSON.parse(String(data));
    if (!message.ack) messages_total += 1;
    hear(message);
  });
  const steps = setInterval(() => wanted.forEach((id) => send(id, mode === "slow" && Math.random() < 0.5 ? 3 : 0)), pace_ms);
  const tails = setInterval(() => {
    if (tail !== null) client.send(JSON.stringify({ tail, events: tailEvents(tail, Date.now()), skipped: mode === "slow" ? 40 : 0 }));
  }, TAIL_MS);
  client.on("close", () => {
    clearInterval(steps);
    clearInterval(tails);
  });
}

server.listen(port, "127.0.0.1", () => console.log(`mock host on http://127.0.0.1:${server.address().port}/ (${mode})`));
process.on("SIGTERM", () => process.exit(0));
