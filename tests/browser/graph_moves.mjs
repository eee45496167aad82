// Whole-page test: a graph moves, and the page keeps to itself.
//   node tests/browser/graph_moves.mjs http://127.0.0.1:7070/     (CHROMIUM names another browser binary than /usr/bin/chromium)
// In: a running host. Out: one line for each check, then "N passed, N failed"; exit 1 where one failed.
// Checks: a chart canvas with pixels appears; the data behind a chart moves within 10 s; every place opens by its keys; nothing is logged as an error;
// no Content-Security-Policy violation; no request to another origin; axe-core finds no WCAG 2.2 AA violation, dark and light, wide and 390 px.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { axeFindings, Checks, none, open, openIn, watch } from "./browsing.mjs";

const MOVES_WITHIN_MS = 10_000;
const APPEARS_WITHIN_MS = 15_000;
/** A new host compiles its components after its start. */
const COMPILED_WITHIN_MS = 120_000;
const PLACES = [["p", "#/pipelines"], ["s", "#/streams"], ["a", "#/alerts"], ["c", "#/components"], ["o", "#/overview"]];
/** What a place shows when it is full. */
const SHOWS = { "#/overview": ".canvas canvas", "#/pipelines": ".graph a.node", "#/streams": ".virtual tbody tr", "#/alerts": ".alerts table", "#/components": ".components .options, .components .detail" };

const url = process.argv[2];
if (url === undefined) {
  console.error("usage: node tests/browser/graph_moves.mjs URL");
  process.exit(2);
}

const checks = new Checks();
const check = (name, work) => checks.run(name, work);

async function readsWell(browser, notes, viewport, colorScheme) {
  const context = await browser.newContext({ viewport, colorScheme, reducedMotion: "reduce" });
  const page = await context.newPage();
  await watch(page, url, notes);
  for (const hash of Object.keys(SHOWS)) {
    await check(`${hash} at ${viewport.width} px, ${colorScheme}: reads well and fits`, async () => {
      await page.goto(new URL(hash, url).href);
      await page.waitForSelector(SHOWS[hash], { timeout: hash === "#/components" ? COMPILED_WITHIN_MS : APPEARS_WITHIN_MS });
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (over > 0) throw new Error(`the page is ${over} px wider than the window`);
      none(await axeFindings(page));
    });
  }
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
const context = await openIn(folder, { viewport: { width: 1440, height: 900 } });
const notes = [];
try {
  const page = await context.newPage();
  await watch(page, url, notes);
  await graphMoves(page);
  await page.close();
} finally {
  await context.close();
  rmSync(folder, { recursive: true, force: true });
}
const browser = await open();
try {
  await readsWell(browser, notes, { width: 1440, height: 900 }, "light");
  await readsWell(browser, notes, { width: 390, height: 844 }, "dark");
} finally {
  await browser.close();
}
await check("nothing is logged as an error, nothing is against the Content-Security-Policy, nothing is asked of another origin", () => none(notes));
checks.end();
