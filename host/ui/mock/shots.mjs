// Screenshots of the page in its sizes, themes and states, to be looked at before a change is committed.
//   node mock/shots.mjs URL FOLDER NAME [--hash "#/streams"] [--offline]   (--offline asks the mock to drop its connections first)
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [url, folder, name] = process.argv.slice(2);
const hashAt = process.argv.indexOf("--hash");
const hash = hashAt > 0 ? process.argv[hashAt + 1] : "";
const SIZES = { wide: { width: 1440, height: 900 }, narrow: { width: 390, height: 844 } };
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args: FLAGS });
for (const [size, viewport] of Object.entries(SIZES)) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await browser.newPage({ viewport, colorScheme });
    page.on("console", (message) => message.type() === "error" && console.log(`${size} ${colorScheme}: ${message.text()}`));
    page.on("pageerror", (error) => console.log(`${size} ${colorScheme}: ${error.message}`));
    await page.goto(url + hash);
    await page.waitForTimeout(2_500);
    if (process.argv.includes("--hover")) await page.mouse.move(400, 200);
    if (process.argv.includes("--offline")) {
      await page.request.post(`${url.replace(/\/$/, "")}/mock/offline?seconds=6`);
      await page.waitForTimeout(4_500);
    }
    if (process.argv.includes("--hover")) await page.waitForTimeout(300);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wide > 0) console.log(`${size} ${colorScheme}: the page is ${wide} px too wide`);
    await page.screenshot({ path: join(folder, `${name}-${size}-${colorScheme}.png`) });
    await page.close();
    if (process.argv.includes("--offline")) await new Promise((done) => setTimeout(done, 3_000));
  }
}
await browser.close();
