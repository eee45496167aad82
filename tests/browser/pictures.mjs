// Every place, light and dark, compared with a stored picture. The mock host stands still at one time, so does the page's clock; fonts are those of fonts.conf (Debian's fonts-dejavu).
//   node tests/browser/pictures.mjs                            (the page must be built: host/ui/dist)
//   UPDATE_SCREENSHOTS=1 node tests/browser/pictures.mjs       writes them anew; a person looks at the difference
//   PICTURES=pipelines,streams node tests/browser/pictures.mjs of these places only
// Out: one line for each check, then "N passed, N failed"; exit 1 where one failed; what was seen instead lies in target/pictures.
// A picture is compared until it is the stored one or time is up: charts take turns to draw. Tolerance: compare.mjs.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Checks, eventually, none, openWithFixedFonts, startMock, watch, WITHIN } from "./browsing.mjs";
import { compare, SHARE_MAX, shoot, still } from "./compare.mjs";

const NOW_MS = Date.UTC(2026, 10, 22, 12, 0, 30);
const WIDE = { width: 1440, height: 900 };
const NARROW = { width: 390, height: 844 };
const PLACES = [
  ["overview", "#/overview", "full", WIDE], ["overview-narrow", "#/overview", "full", NARROW], ["shapes", "#/overview", "shapes", WIDE],
  ["pipelines", "#/pipelines/requests/requests%2Fper_host", "full", WIDE], ["streams", "#/streams/shop/prod/request", "full", WIDE],
  ["alerts", "#/alerts", "full", WIDE], ["alerts-narrow", "#/alerts", "full", NARROW], ["components", "#/components", "full", WIDE],
];
const ONLY = process.env.PICTURES?.split(",");
const SHOWS = { overview: ".canvas canvas", shapes: ".canvas canvas", pipelines: ".panel .pairs", streams: ".virtual tbody tr", alerts: ".detail .canvas canvas", components: ".detail .options" };
const stored = fileURLToPath(new URL("pictures/", import.meta.url));
const seen = fileURLToPath(new URL("../../target/pictures/", import.meta.url));

const checks = new Checks();
const browser = await openWithFixedFonts();
const judge = await browser.newPage();
const write = (folder, name, data) => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}${name}.png`, Buffer.from(data, "base64"));
};
try {
  for (const mode of ["full", "shapes"]) {
    const host = await startMock(mode, ["--now", String(NOW_MS)]);
    for (const [place, hash, of, viewport] of PLACES.filter((one) => one[2] === mode && (ONLY?.includes(one[0]) ?? true))) for (const theme of ["light", "dark"]) {
      const name = `${place}-${theme}`;
      await checks.run(`${name} looks as it is stored`, async () => {
        const context = await browser.newContext({ viewport, colorScheme: theme, reducedMotion: "reduce", timezoneId: "UTC", locale: "en-GB" });
        const page = await context.newPage();
        const notes = [];
        try {
          await watch(page, host.url, notes);
          await page.clock.setFixedTime(NOW_MS);
          await page.goto(host.url + hash);
          await page.waitForSelector(SHOWS[place.replace("-narrow", "")], WITHIN);
          await page.waitForFunction(() => document.querySelector(".skeleton") === null, null, WITHIN);
          const debug = await context.newCDPSession(page);
          if (process.env.UPDATE_SCREENSHOTS === "1") return write(stored, name, await still(debug));
          if (!existsSync(`${stored}${name}.png`)) throw new Error("there is no stored picture; UPDATE_SCREENSHOTS=1 writes it");
          const wanted = readFileSync(`${stored}${name}.png`).toString("base64");
          let last = null;
          try {
            await eventually(async () => {
              const picture = await shoot(debug);
              last = { picture, ...(await compare(judge, wanted, picture)) };
              return last.share <= SHARE_MAX ? [] : [`${(100 * last.share).toFixed(2)} % of the pixels differ, at most ${100 * SHARE_MAX} % may; see target/pictures/${name}-differs.png`];
            });
          } catch (error) {
            write(seen, name, last.picture);
            write(seen, `${name}-differs`, last.marked);
            throw error;
          }
          none(notes);
        } finally {
          await context.close();
        }
      });
    }
    host.end();
  }
  await checks.run("a picture that differs in one line of text is told", async () => {
    const [left, right] = await Promise.all(["one", "two"].map(async (text) => {
      const page = await browser.newPage({ viewport: { width: 200, height: 60 } });
      await page.setContent(`<p>${text} and the rest</p>`);
      return shoot(await page.context().newCDPSession(page));
    }));
    const { share } = await compare(judge, left, right);
    if (share <= SHARE_MAX) throw new Error(`only ${share}`);
  });
} finally {
  await browser.close();
}
checks.end();
