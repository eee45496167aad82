// What all tests of the page in a browser share: the browser, the mock host, checks that are counted, and what a page must never do.
// In: nothing. Out: functions. The browser driver belongs to the page's own packages: `npm ci` in host/ui brings it. CHROMIUM names another browser binary than /usr/bin/chromium.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const require = createRequire(new URL("../../host/ui/package.json", import.meta.url));
export const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const mock = fileURLToPath(new URL("../../host/ui/mock/server.mjs", import.meta.url));

/** Long, so that a busy machine is no failure: each check waits for what it asserts, and this only says when it gives up. */
export const WITHIN = { timeout: 60_000 };
const LOOK_AGAIN_MS = 100;
/** A key that nobody listened to yet is pressed anew so often, each time after so long. */
const PRESSES_MAX = 8;
const PRESSED_WITHIN_MS = 5_000;
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
/** Fonts as the test says and not as the machine is set up: one family, grey edges. */
const FIXED_FONTS = ["--font-render-hinting=none", "--disable-lcd-text", "--force-color-profile=srgb"];

const launch = (more = {}) => ({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args: FLAGS, ...more });
export const open = (more) => chromium.launch(launch(more));
export const openIn = (folder, more) => chromium.launchPersistentContext(folder, launch(more));
/** The same picture on every machine that has the DejaVu fonts. */
export const openWithFixedFonts = () =>
  open({ args: [...FLAGS, ...FIXED_FONTS], env: { ...process.env, FONTCONFIG_FILE: fileURLToPath(new URL("fonts.conf", import.meta.url)) } });

/** Port 0: the system gives a free one, and the mock says which. */
export function startMock(mode, more = []) {
  const child = spawn(process.execPath, [mock, "--port", "0", "--mode", mode, ...more], { stdio: ["ignore", "pipe", "inherit"] });
  return new Promise((done, fail) => {
    child.once("exit", (code) => fail(new Error(`the mock ended with ${code}`)));
    child.stdout.on("data", (text) => {
      const url = /http:\/\/\S+/.exec(String(text));
      if (url) done({ url: url[0], pid: child.pid, end: () => child.kill("SIGTERM") });
    });
  });
}

/** Everything that a page must not do is written down while it runs. `offline`: what a lost connection makes the browser say is no fault of the page. */
export async function watch(page, url, notes, { offline = false } = {}) {
  page.setDefaultTimeout(WITHIN.timeout);
  const { origin, host } = new URL(url);
  const unreached = /net::ERR_CONNECTION_REFUSED|WebSocket connection to|status of (4\d\d|503)/;
  page.on("console", (message) => {
    if (message.type() === "error" && !(offline && unreached.test(message.text()))) notes.push(`logged as an error: ${message.text()}`);
  });
  page.on("pageerror", (error) => notes.push(`thrown: ${error.message}`));
  page.on("request", (request) => {
    if (!/^(data|blob|about):/.test(request.url()) && new URL(request.url()).origin !== origin) notes.push(`a request to another place: ${request.url()}`);
  });
  page.on("websocket", (socket) => {
    if (new URL(socket.url()).host !== host) notes.push(`a connection to another place: ${socket.url()}`);
  });
  await page.exposeBinding("__violated", (_, text) => notes.push(`against the Content-Security-Policy: ${text}`));
  await page.addInitScript(() => document.addEventListener("securitypolicyviolation", (event) => window.__violated(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`)));
}

/** Rules of WCAG 2.2, level AA, that a program can find broken. */
export async function axeFindings(page) {
  // Through the debugger, not a script element: the page's policy stays as strict as it is.
  await page.evaluate(axe);
  const result = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }));
  return result.violations.map((one) => `${one.id}: ${one.nodes.map((node) => `${node.target.join(" ")} ${node.any[0]?.message ?? ""}`).slice(0, 3).join(" | ")}`);
}

/** One line for each check; `end` says how many and leaves with 1 where one failed. */
export class Checks {
  passed = 0;
  failed = 0;

  async run(name, work) {
    try {
      await work();
      this.passed += 1;
      console.log(`ok      ${name}`);
    } catch (error) {
      this.failed += 1;
      console.log(`FAILED  ${name}\n        ${String(error?.message ?? error).split("\n").slice(0, 12).join("\n        ")}`);
    }
  }

  end() {
    console.log(`${this.passed} passed, ${this.failed} failed`);
    process.exit(this.failed === 0 ? 0 : 1);
  }
}

export function none(list) {
  if (list.length > 0) throw new Error(list.slice(0, 10).join("\n"));
}

/** Looks again and again until there is nothing to complain of; else fails with the last complaints. */
export async function eventually(complaintsOf) {
  const until_ms = Date.now() + WITHIN.timeout;
  for (;;) {
    const complaints = await complaintsOf();
    if (complaints.length === 0) return;
    if (Date.now() > until_ms) none(complaints);
    await new Promise((done) => setTimeout(done, LOOK_AGAIN_MS));
  }
}

/** Waits until every chart that the page lists is on its canvas with all that stands around it: charts take turns to draw. */
export const chartsDrawn = (page, least = 1) => page.waitForFunction((least) => {
  const charts = [...document.querySelectorAll(".chart")];
  return charts.length >= least && charts.every((chart) => chart.querySelector(".canvas canvas") && chart.querySelector("footer"));
}, least, WITHIN);

/** Presses keys one after the other until the page shows what they do: who listens to them may not be there yet, and two that belong together may have come too far apart. */
export async function pressUntil(page, keys, shows, wanted = null) {
  for (let presses = 1; ; presses++) {
    for (const key of keys) await page.keyboard.press(key);
    try {
      return void (await page.waitForFunction(shows, wanted, { timeout: PRESSED_WITHIN_MS }));
    } catch (error) {
      if (presses === PRESSES_MAX) throw error;
    }
  }
}

/** By its two keys. */
export const go = (page, key, hash) => pressUntil(page, ["g", key], (wanted) => location.hash.startsWith(wanted) && document.querySelector(`nav a[aria-current="page"][href="${wanted}"]`) !== null, hash);

/** Waits until an element has this text in it. */
export const see = (page, selector, wanted) =>
  page.waitForFunction(([where, part]) => [...document.querySelectorAll(where)].some((one) => one.textContent.includes(part)), [selector, wanted], WITHIN);
