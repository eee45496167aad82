// The states of the page that a healthy host never shows, against the mock of host/ui (which it starts and ends itself).
//   node tests/browser/states.mjs                     (the page must be built: host/ui/dist)
// Out: one line for each check, then "N passed, N failed"; exit 1 where one failed.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const require = createRequire(new URL("../../host/ui/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const mock = fileURLToPath(new URL("../../host/ui/mock/server.mjs", import.meta.url));
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const WITHIN = { timeout: 15_000 };

/** Port 0: the system gives a free one, and the mock says which. */
function startMock(mode) {
  const child = spawn(process.execPath, [mock, "--port", "0", "--mode", mode], { stdio: ["ignore", "pipe", "inherit"] });
  return new Promise((done, fail) => {
    child.once("exit", (code) => fail(new Error(`the mock ended with ${code}`)));
    child.stdout.on("data", (text) => {
      const url = /http:\/\/\S+/.exec(String(text));
      if (url) done({ url: url[0], end: () => child.kill("SIGTERM") });
    });
  });
}

let passed = 0;
let failed = 0;
async function check(name, mode, run) {
  const host = await startMock(mode);
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  try {
    await page.goto(host.url);
    await run(page, host.url);
    if (errors.length > 0) throw new Error(errors.join("\n"));
    passed += 1;
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n        ${String(error?.message ?? error)}`);
  }
  await page.close();
  host.end();
}

const text = (selector, wanted) => [([where, part]) => [...document.querySelectorAll(where)].some((one) => one.textContent.includes(part)), [selector, wanted]];
const see = (page, selector, wanted) => page.waitForFunction(...text(selector, wanted), WITHIN);

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args: FLAGS });
try {
  await check("an empty host shows three lines that can be copied", "empty", async (page) => {
    for (const tool of ["curl", "nc", "python"]) await see(page, ".copyable .tool", tool);
    await see(page, ".badge", "no data yet");
    await page.goto(`${page.url().split("#")[0]}#/streams`);
    await see(page, ".empty", "No events yet");
  });

  await check("a lost connection keeps the picture, counts the seconds and comes back by itself", "full", async (page, url) => {
    await page.waitForFunction(() => Object.keys(window.__weir.charts).length >= 8, null, WITHIN);
    await page.evaluate(() => (window.__same_page = true));
    await page.request.post(`${url}mock/offline?seconds=4`);
    await see(page, ".badge", "no connection for 2 s");
    const at_loss = await page.evaluate(() => ({ canvases: document.querySelectorAll(".canvas canvas").length, cpu: window.__weir.charts.cpu }));
    if (at_loss.canvases < 8) throw new Error(`only ${at_loss.canvases} canvases are left of 8`);
    await see(page, ".badge", "live");
    await page.waitForFunction((newest) => window.__weir.charts.cpu.newest_time_ms > newest, at_loss.cpu.newest_time_ms, WITHIN);
    if (!(await page.evaluate(() => window.__same_page === true))) throw new Error("the page was loaded anew");
  });

  await check("a page at rest says little: it subscribes, tells its size, and then listens", "full", async (page, url) => {
    await page.waitForFunction(() => (window.__weir.charts.cpu?.frames ?? 0) >= 5, null, WITHIN);
    const { messages_total } = await (await page.request.get(`${url}mock/messages`)).json();
    if (messages_total > 3) throw new Error(`${messages_total} messages`);
  });

  await check("a slow page says how many updates were merged, and old data turns the badge amber", "slow", async (page) => {
    await see(page, ".merged", "3 updates merged");
    await page.waitForSelector(".badge.warn", WITHIN);
  });

  await check("a unit is paused and started again by its buttons", "full", async (page, url) => {
    await page.goto(`${url}#/pipelines`);
    await page.getByRole("button", { name: "pause requests/slow" }).click(WITHIN);
    await page.locator("tr", { hasText: "slow" }).getByText("paused").first().waitFor(WITHIN);
    await page.getByRole("button", { name: "start requests/slow" }).click(WITHIN);
    await page.getByRole("button", { name: "pause requests/slow" }).and(page.locator(":enabled")).waitFor(WITHIN);
  });

  await check("text of events stays text", "full", async (page, url) => {
    await page.goto(`${url}#/streams/shop/prod/request`);
    await see(page, ".tail td", "<img src=x onerror=alert(1)>");
    if ((await page.locator(".tail img").count()) > 0) throw new Error("an event became an element");
  });

  await check("hold stops the tail, go on shows what came", "full", async (page, url) => {
    await page.goto(`${url}#/streams/shop/prod/request`);
    await page.getByRole("button", { name: "hold" }).click(WITHIN);
    const first = await page.locator(".tail tbody tr").first().textContent();
    await page.waitForFunction(() => /[1-9]\d* new/.test(document.querySelector(".selected button")?.textContent ?? ""), null, WITHIN);
    if ((await page.locator(".tail tbody tr").first().textContent()) !== first) throw new Error("the held tail moved");
    await page.getByRole("button", { name: /go on/ }).click();
    await page.waitForFunction((old) => document.querySelector(".tail tbody tr")?.textContent !== old, first, WITHIN);
  });

  await check("the arrow keys move the cursor and the value is read out", "full", async (page) => {
    await page.waitForSelector(".canvas canvas", WITHIN);
    await page.locator(".canvas").first().focus();
    await page.keyboard.press("ArrowLeft");
    await see(page, ".tooltip .reading", "core 0");
  });
} finally {
  await browser.close();
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
