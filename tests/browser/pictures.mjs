// Every place, light and dark, compared with a stored picture; and a copied link, opened elsewhere, with the picture that it was copied from. The mock host stands still at one time, so does the page's clock; fonts are those of fonts.conf (Debian's fonts-dejavu).
//   node tests/browser/pictures.mjs                            (the page must be built: host/ui/dist)
//   UPDATE_SCREENSHOTS=1 node tests/browser/pictures.mjs       writes them anew; a person looks at the difference
//   PICTURES=pipelines,streams node tests/browser/pictures.mjs of these places only; `links`: of the copied links
// Out: one line for each check, then "N passed, N failed"; exit 1 where one failed; what was seen instead lies in target/pictures.
// A picture is compared until it is the stored one or time is up: charts take turns to draw. Tolerance: compare.mjs.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Checks, eventually, none, openWithFixedFonts, pressUntil, startMock, watch, WITHIN } from "./browsing.mjs";
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
/** What a person does before the link is copied; each begins at the overview. */
const LINKS = {
  "a chart alone, in the other theme": async (page) => {
    await page.locator("#title-latency a").click(WITHIN);
    await page.waitForSelector(".chart.large .canvas canvas", WITHIN);
    await pressUntil(page, ["d"], () => document.documentElement.dataset.theme === "dark");
  },
  "a chart as a table among the others": async (page) => {
    await page.getByRole("button", { name: "table of temperature" }).click(WITHIN);
    await page.waitForSelector(".data-table td", WITHIN);
  },
  "a filtered stream with chosen columns and an open row": async (page, url) => {
    await page.goto(`${url}#/streams/shop/prod/request`);
    await page.locator(".filter").fill("latency_ms > 350");
    await page.waitForFunction(() => location.hash.includes("where="), null, WITHIN);
    await page.locator("summary", { hasText: "columns" }).click(WITHIN);
    await page.getByLabel("agent", { exact: true }).uncheck(WITHIN);
    await page.locator("summary", { hasText: "columns" }).click(WITHIN);
    await page.locator(".row-open").nth(3).click(WITHIN);
    await page.locator(".verdict").first().waitFor(WITHIN);
  },
  "a metric that is being made": async (page, url) => {
    await page.goto(`${url}#/streams/shop/prod/request`);
    await page.getByRole("button", { name: "make a metric" }).click(WITHIN);
    await page.getByLabel("Aggregate").selectOption("p99", WITHIN);
    await page.getByLabel("Chart").selectOption("bar", WITHIN);
    await page.getByLabel("host").check(WITHIN);
    await page.getByLabel("Only events where").fill("status >= 500");
    await page.waitForSelector(".maker-preview canvas", WITHIN);
  },
  "a unit that is about to be inserted": async (page, url) => {
    await page.goto(`${url}#/pipelines`);
    await page.locator('a.node[data-key="requests/slow"]').click(WITHIN);
    await page.getByRole("button", { name: "insert after" }).click(WITHIN);
    await page.locator(".inject .choices").getByRole("button", { name: "filter", exact: true }).click(WITHIN);
    await page.waitForSelector(".inject textarea.code", WITHIN);
  },
  "what a revision changed": async (page, url) => {
    await page.request.post(`${url}api/metrics`, { data: { name: "made" } });
    await page.goto(`${url}#/pipelines`);
    await page.getByRole("button", { name: "what exactly" }).first().click(WITHIN);
    await page.waitForSelector(".diff .added", WITHIN);
  },
  "the second alert": async (page, url) => {
    await page.goto(`${url}#/alerts`);
    await page.locator("li:nth-child(2) a.card").click(WITHIN);
    await page.waitForSelector(".detail .canvas canvas", WITHIN);
  },
};

/** Two browsers that know nothing of each other; the other one prefers the other theme. */
async function linked(arrange) {
  const host = await startMock("full", ["--now", String(NOW_MS)]);
  const like = { viewport: WIDE, reducedMotion: "reduce", timezoneId: "UTC", locale: "en-GB" };
  const [here, there] = [await browser.newContext({ ...like, colorScheme: "light" }), await browser.newContext({ ...like, colorScheme: "dark" })];
  const notes = [];
  const opened = async (context, address) => {
    const page = await context.newPage();
    await watch(page, host.url, notes);
    await page.clock.setFixedTime(NOW_MS);
    await page.goto(address);
    return page;
  };
  try {
    await here.grantPermissions(["clipboard-read", "clipboard-write"]);
    const page = await opened(here, host.url);
    await page.waitForSelector(".canvas canvas", WITHIN);
    await arrange(page, host.url);
    await page.getByRole("button", { name: "copy a link to this picture" }).click(WITHIN);
    await page.waitForFunction(() => document.querySelector(".toast")?.textContent === "link copied", null, WITHIN);
    const link = await page.evaluate(() => navigator.clipboard.readText());
    const other = await opened(there, link);
    const debugs = [await here.newCDPSession(page), await there.newCDPSession(other)];
    await eventually(async () => {
      // Neither the pointer, nor the focus, nor what is said of the copying belongs to the picture.
      await page.evaluate(() => document.activeElement?.blur());
      await page.mouse.move(1, 1);
      const [left, right] = [await shoot(debugs[0]), await shoot(debugs[1])];
      const { share, marked } = await compare(judge, left, right);
      if (share > SHARE_MAX) write(seen, "link-differs", marked);
      return share <= SHARE_MAX ? [] : [`${(100 * share).toFixed(2)} % of the pixels differ; the link is ${link}; see target/pictures/link-differs.png`];
    });
    none(notes);
  } finally {
    await here.close();
    await there.close();
    host.end();
  }
}

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
  for (const [name, arrange] of Object.entries((ONLY?.includes("links") ?? true) ? LINKS : {})) await checks.run(`a copied link opens the same picture elsewhere: ${name}`, () => linked(arrange));
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
