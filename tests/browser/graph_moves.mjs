// Whole-page test: a graph moves, and the page keeps to itself.
//   node tests/browser/graph_moves.mjs http://127.0.0.1:7070/ [DATA_FOLDER]     (DATA_FOLDER: of that host, for the component that is dropped into it; CHROMIUM names another browser binary than /usr/bin/chromium)
// In: a running host. Out: one line for each check, then "N passed, N failed"; exit 1 where one failed.
// Checks: a chart canvas with pixels appears; the data behind a chart moves; every place opens by its keys; nothing is logged as an error;
// no Content-Security-Policy violation; no request to another origin; axe-core finds no WCAG 2.2 AA violation, dark and light, wide and 390 px.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { axeFindings, Checks, eventually, go, none, open, openIn, watch, WITHIN } from "./browsing.mjs";

const CHANGES_WITHIN_MS = 1_000;
/** What takes a second is told from what takes longer even where a busy machine spoils one look: the best of so many counts. */
const INSERTIONS_MAX = 5;
/** A new host compiles its components after its start. */
const COMPILED_WITHIN_MS = 120_000;
const PLACES = [["p", "#/pipelines"], ["s", "#/streams"], ["a", "#/alerts"], ["c", "#/components"], ["o", "#/overview"]];
/** What a place shows when it is full. */
const SHOWS = { "#/overview": ".canvas canvas", "#/pipelines": ".graph a.node", "#/streams": ".virtual tbody tr", "#/alerts": ".alerts table", "#/components": ".components .options, .components .detail" };

const [url, data] = process.argv.slice(2);
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
      await page.waitForSelector(SHOWS[hash], { timeout: hash === "#/components" ? COMPILED_WITHIN_MS : WITHIN.timeout });
      await eventually(async () => {
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        return over > 0 ? [`the page is ${over} px wider than the window`] : [];
      });
      none(await axeFindings(page));
    });
  }
  await context.close();
}

/** Into the running default pipeline, with five clicks; what counts is the time from the last of them to the graph. */
async function inject(page) {
  const within = { timeout: COMPILED_WITHIN_MS };
  await page.getByRole("link", { name: "Pipelines" }).click(within);
  await page.locator('a.node[data-key="cpu/cores"]').click(within);
  await page.getByRole("button", { name: "insert after" }).click(within);
  await page.locator(".inject .choices").getByRole("button", { name: "filter", exact: true }).click(within);
  await page.locator(".inject textarea.code").fill("busy_percent >= 0");
  await page.evaluate(() => {
    window.__changed = new Promise((done) => {
      document.querySelector(".inject button[type=submit]").addEventListener("click", () => {
        const begun = performance.now();
        const look = () => (document.querySelector('a.node[data-key="cpu/filter"]') === null ? requestAnimationFrame(look) : done(performance.now() - begun));
        look();
      }, { capture: true });
    });
  });
  await page.getByRole("button", { name: "insert", exact: true }).click(within);
  return page.evaluate(() => window.__changed);
}

async function injects(page) {
  await check("a filter is inserted into the running default pipeline with five clicks, and the graph changes within a second", async () => {
    for (let insertion = 1; ; insertion++) {
      const took_ms = await inject(page);
      console.log(`        it took ${Math.round(took_ms)} ms`);
      if (took_ms <= CHANGES_WITHIN_MS) return;
      if (insertion === INSERTIONS_MAX) throw new Error(`the graph changed after ${Math.round(took_ms)} ms`);
      await page.getByRole("button", { name: "history" }).click(WITHIN);
      await page.getByRole("button", { name: "undo" }).first().click(WITHIN);
      await page.locator('a.node[data-key="cpu/filter"]').waitFor({ state: "detached", ...WITHIN });
    }
  });
}

/** A component that the page has never heard of; nothing is loaded anew. */
async function newFormatter(page, data) {
  await check("a formatter that is dropped in is a type of chart", async () => {
    const components = new URL("../../plugins/target/components/", import.meta.url);
    mkdirSync(join(data, "components"), { recursive: true });
    copyFileSync(new URL("boxplot.wasm", components), join(data, "components", "quartiles-of-mine.wasm"));
    await page.goto(new URL("#/overview", url).href);
    await page.evaluate(() => (window.__same_page = true));
    const text = await (await page.request.get(new URL("/api/configuration", url).href)).text();
    const chart = '\n[[chart]]\nid = "mine"\ntitle = "a chart of mine"\nmetric = "cpu_busy"\nuse = "quartiles-of-mine"\nconfig = { measure = "%", label = "busy" }\n';
    const answer = await page.request.put(new URL("/api/configuration", url).href, { data: text + chart, headers: { "content-type": "application/toml" } });
    if (!answer.ok()) throw new Error(await answer.text());
    await page.waitForSelector('.chart[aria-labelledby="title-mine"] canvas', WITHIN);
    await page.waitForFunction(() => window.__weir.charts.mine?.points > 0 && window.__weir.charts.mine.drawn_at_ms !== null, null, WITHIN);
    const { drawn, same } = await page.evaluate(() => {
      const canvas = document.querySelector('.chart[aria-labelledby="title-mine"] canvas');
      return { drawn: canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((byte) => byte !== 0), same: window.__same_page === true };
    });
    if (!drawn || !same) throw new Error(`drawn: ${drawn}, without loading the page anew: ${same}`);
  });
}

async function graphMoves(page) {
  await check("a chart canvas with pixels appears", async () => {
    await page.goto(url);
    await page.waitForSelector(".canvas canvas", WITHIN);
    await page.waitForFunction(() => [...document.querySelectorAll(".canvas canvas")].some((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return data.some((byte) => byte !== 0);
    }), null, WITHIN);
  });
  await check("the data behind a chart moves", async () => {
    const before = await page.waitForFunction(() => {
      const charts = Object.entries(window.__weir.charts).filter(([, chart]) => chart.points > 0 && chart.newest_time_ms !== null);
      return charts.length > 0 ? Object.fromEntries(charts) : null;
    }, null, WITHIN);
    const start = await before.jsonValue();
    await page.waitForFunction((old) => Object.entries(window.__weir.charts).some(([id, chart]) =>
      old[id] !== undefined && chart.newest_time_ms > old[id].newest_time_ms && chart.frames > old[id].frames && chart.points > 0), start, WITHIN);
  });
  await check("the badge says live", () => page.waitForSelector('.badge[data-state="live"]', WITHIN));
  for (const [key, hash] of PLACES) {
    await check(`g ${key} opens ${hash}`, () => go(page, key, hash));
  }
}

const folder = mkdtempSync(join(tmpdir(), "weir-browser-"));
const context = await openIn(folder, { viewport: { width: 1440, height: 900 } });
const notes = [];
try {
  const page = await context.newPage();
  await watch(page, url, notes);
  await graphMoves(page);
  await injects(page);
  if (data !== undefined) await newFormatter(page, data);
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
