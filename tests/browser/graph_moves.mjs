// Whole-page test: a graph moves, and the page keeps to itself.
//   node tests/browser/graph_moves.mjs http://127.0.0.1:7070/     (CHROMIUM names another browser binary than /usr/bin/chromium)
// In: a running host. Out: one line for each check, then "N passed, N failed"; exit 1 where one failed.
// Checks: a chart canvas with pixels appears; the data behind a chart moves within 10 s; every place opens by its keys; nothing is logged as an error;
// no Content-Security-Policy violation; no request to another origin; axe-core finds no WCAG 2.2 AA violation, dark and light, wide and 390 px.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

// The browser driver belongs to the page's own packages: `npm ci` in host/ui brings it.
const require = createRequire(new URL("../../host/ui/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const MOVES_WITHIN_MS = 10_000;
const APPEARS_WITHIN_MS = 15_000;
/** A new host compiles its components when they are listed for the first time. */
const COMPILED_WITHIN_MS = 120_000;
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const PLACES = [["p", "#/pipelines"], ["s", "#/streams"], ["a", "#/alerts"], ["c", "#/components"], ["o", "#/overview"]];
/** What a place shows when it is full. */
const SHOWS = { "#/overview": ".canvas canvas", "#/pipelines": ".graph a.node", "#/streams": ".virtual tbody tr", "#/alerts": ".alerts table", "#/components": ".components .options, .components .detail" };

const url = process.argv[2];
if (url === undefined) {
  console.error("usage: node tests/browser/graph_moves.mjs URL");
  process.exit(2);
}

let passed = 0;
let failed = 0;
async function check(name, run) {
  try {
    await run();
    passed += 1;
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n        ${String(error?.message ?? error).split("\n").slice(0, 12).join("\n        ")}`);
  }
}
function none(list) {
  if (list.length > 0) throw new Error(list.slice(0, 10).join("\n"));
}

/** Everything that a page must not do is written down while it runs. */
function watch(page, notes) {
  const { origin } = new URL(url);
  page.on("console", (message) => {
    if (message.type() === "error") notes.errors.push(message.text());
  });
  page.on("pageerror", (error) => notes.errors.push(error.message));
  page.on("request", (request) => {
    if (!/^(data|blob|about):/.test(request.url()) && new URL(request.url()).origin !== origin) notes.foreign.push(request.url());
  });
  page.on("websocket", (socket) => {
    if (new URL(socket.url()).host !== new URL(url).host) notes.foreign.push(socket.url());
  });
  return page.addInitScript(() => {
    window.__violations = [];
    document.addEventListener("securitypolicyviolation", (event) => window.__violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`));
  });
}

async function axeFindings(page) {
  // Through the debugger, not a script element: the page's policy stays as strict as it is.
  await page.evaluate(axe);
  const result = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }));
  return result.violations.map((one) => `${one.id}: ${one.nodes.map((node) => `${node.target.join(" ")} ${node.any[0]?.message ?? ""}`).slice(0, 3).join(" | ")}`);
}

async function readsWell(browser, notes, viewport, colorScheme) {
  const context = await browser.newContext({ viewport, colorScheme, reducedMotion: "reduce" });
  const page = await context.newPage();
  await watch(page, notes);
  for (const hash of Object.keys(SHOWS)) {
    await check(`${hash} at ${viewport.width} px, ${colorScheme}: reads well and fits`, async () => {
      await page.goto(new URL(hash, url).href);
      await page.waitForSelector(SHOWS[hash], { timeout: hash === "#/components" ? COMPILED_WITHIN_MS : APPEARS_WITHIN_MS });
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (over > 0) throw new Error(`the page is ${over} px wider than the window`);
      none(await axeFindings(page));
    });
  }
  notes.violations.push(...(await page.evaluate(() => window.__violations)));
  await context.close();
}

async function graphMoves(page) {
  await check("a chart canvas with pixels appears", async () => {
    await page.goto(url);
    await page.waitForSelector(".canvas canvas", { timeout: APPEARS_WITHIN_MS });
    await page.waitForFunction(() => [...document.querySelectorAll(".canvas canvas")].some((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return data.some((byte) => byte !== 0);
    }), null, { timeout: APPEARS_WITHIN_MS });
  });
  await check("the data behind a chart moves", async () => {
    const before = await page.waitForFunction(() => {
      const charts = Object.entries(window.__weir.charts).filter(([, chart]) => chart.points > 0 && chart.newest_time_ms !== null);
      return charts.length > 0 ? Object.fromEntries(charts) : null;
    }, null, { timeout: APPEARS_WITHIN_MS });
    const start = await before.jsonValue();
    await page.waitForFunction((old) => Object.entries(window.__weir.charts).some(([id, chart]) =>
      old[id] !== undefined && chart.newest_time_ms > old[id].newest_time_ms && chart.frames > old[id].frames && chart.points > 0), start, { timeout: MOVES_WITHIN_MS });
  });
  await check("the badge says live", () => page.waitForSelector('.badge[data-state="live"]', { timeout: MOVES_WITHIN_MS }));
  for (const [key, hash] of PLACES) {
    await check(`g ${key} opens ${hash}`, async () => {
      await page.keyboard.press("g");
      await page.keyboard.press(key);
      await page.waitForFunction((wanted) => location.hash === wanted && document.querySelector(`nav a[aria-current="page"][href="${wanted}"]`) !== null, hash, { timeout: MOVES_WITHIN_MS });
    });
  }
}

const folder = mkdtempSync(join(tmpdir(), "weir-browser-"));
const context = await chromium.launchPersistentContext(folder, { executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args: FLAGS, viewport: { width: 1440, height: 900 } });
const notes = { errors: [], foreign: [], violations: [] };
try {
  const page = await context.newPage();
  await watch(page, notes);
  await graphMoves(page);
  notes.violations.push(...(await page.evaluate(() => window.__violations)));
  await page.close();
} finally {
  await context.close();
  rmSync(folder, { recursive: true, force: true });
}
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args: FLAGS });
try {
  await readsWell(browser, notes, { width: 1440, height: 900 }, "light");
  await readsWell(browser, notes, { width: 390, height: 844 }, "dark");
} finally {
  await browser.close();
}
await check("nothing is logged as an error", () => none(notes.errors));
await check("no violation of the Content-Security-Policy", () => none(notes.violations));
await check("no request to another origin", () => none(notes.foreign));
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
