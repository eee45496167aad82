// Screenshots of every place in its sizes and themes, to be looked at before a change is committed.
//   node mock/shots.mjs URL FOLDER [--only NAME] [--sizes wide,full,narrow] [--themes light,dark] [--state offline] [--rest MS]
// In: a running host or the mock. Out: FOLDER/{place}-{size}-{theme}.png, and on standard output what was logged as an error and which page is wider than its window.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [url, folder] = process.argv.slice(2);
const option = (name, otherwise) => (process.argv.includes(`--${name}`) ? process.argv[process.argv.indexOf(`--${name}`) + 1] : otherwise);
const ALL = { wide: { width: 1440, height: 900 }, full: { width: 1920, height: 1080 }, narrow: { width: 390, height: 844 } };
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const sizes = option("sizes", "wide,full,narrow").split(",");
const themes = option("themes", "light,dark").split(",");
const rest_ms = Number(option("rest", "2500"));
const offline = option("state", "") === "offline";

const json = async (path) => (await fetch(new URL(path, url))).json();
const { pipelines } = await json("/api/pipelines");
const unit = pipelines.flatMap((one) => one.units.map((each) => [one.name, each.id]))[1];
const faulted = pipelines.flatMap((one) => one.units.filter((each) => each.faults_total > 0).map((each) => [one.name, each.id]))[0];
const streams = (await json("/api/streams")).streams.map((one) => one.triplet);
const stream = streams.find((one) => one.startsWith("shop/prod/request")) ?? streams[0];
const { charts } = await json("/api/charts");
const of = ([pipeline, id]) => `#/pipelines/${pipeline}/${encodeURIComponent(id)}`;
const PLACES = {
  overview: "#/overview",
  chart: charts[0] && `#/overview?chart=${charts[0].id}`,
  pipelines: "#/pipelines",
  unit: unit && of(unit), configuration: unit && `${of(unit)}?tab=configuration`, insert: unit && `${of(unit)}?tab=insert`, dead: faulted && `${of(faulted)}?tab=dead+letters`,
  streams: stream ? `#/streams/${stream}` : "#/streams", metric: stream && `#/streams/${stream}?make=metric`,
  alerts: "#/alerts", components: "#/components",
};

mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args: FLAGS });
for (const [place, hash] of Object.entries(PLACES)) {
  if (hash === undefined || (option("only", "") !== "" && !option("only", "").split(",").includes(place))) continue;
  for (const size of sizes) for (const colorScheme of themes) {
    const page = await browser.newPage({ viewport: ALL[size], colorScheme, hasTouch: size === "narrow", isMobile: size === "narrow" });
    page.on("console", (message) => message.type() === "error" && !offline && console.log(`${place} ${size} ${colorScheme}: ${message.text()}`));
    page.on("pageerror", (error) => console.log(`${place} ${size} ${colorScheme}: ${error.message}`));
    await page.goto(url + hash);
    await page.waitForTimeout(rest_ms);
    if (offline) {
      await page.request.post(`${url.replace(/\/$/, "")}/mock/offline?seconds=6`);
      await page.waitForTimeout(4_500);
    }
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wide > 0) console.log(`${place} ${size} ${colorScheme}: the page is ${wide} px too wide`);
    // Through the debugger: the driver's own way adds a style element, which the page's policy refuses.
    const { data } = await (await page.context().newCDPSession(page)).send("Page.captureScreenshot", { format: "png" });
    writeFileSync(join(folder, `${place}-${size}-${colorScheme}.png`), Buffer.from(data, "base64"));
    await page.close();
    if (offline) await new Promise((done) => setTimeout(done, 3_000));
  }
}
await browser.close();
