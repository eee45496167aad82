// Each place by keys alone, and each place read by axe-core (WCAG 2.2 AA) in light, dark, more contrast, wide and narrow; against the mock of host/ui.
//   node tests/browser/keyboard.mjs                   (the page must be built: host/ui/dist)
// Out: one line for each check, then "N passed, N failed"; exit 1 where one failed. No pointer is used: what has the focus must be seen to have it.
import { axeFindings, chartsDrawn, Checks, eventually, go, none, open, pressUntil, see, startMock, watch, WITHIN } from "./browsing.mjs";

const TABS_MAX = 120;
const checks = new Checks();
const browser = await open();
const host = await startMock("full");

async function check(name, run, look = {}) {
  await checks.run(name, async () => {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: "reduce", ...look });
    const page = await context.newPage();
    const notes = [];
    try {
      await watch(page, host.url, notes);
      await page.goto(host.url);
      await chartsDrawn(page, 8);
      await run(page);
      none(notes);
    } finally {
      await context.close();
    }
  });
}

/** Tabs on until something has the focus, and checks that the eye can see what has it. */
async function tabTo(page, selector) {
  for (let tabs = 0; tabs < TABS_MAX; tabs++) {
    await page.keyboard.press("Tab");
    const there = await page.evaluate((wanted) => document.activeElement?.matches(wanted) === true, selector);
    if (!there) continue;
    const ring = await page.evaluate(() => getComputedStyle(document.activeElement));
    const outline = await page.evaluate(() => [getComputedStyle(document.activeElement).outlineStyle, parseFloat(getComputedStyle(document.activeElement).outlineWidth)]);
    if (ring === null || outline[0] === "none" || outline[1] < 2) throw new Error(`${selector} has the focus and does not show it`);
    return;
  }
  throw new Error(`${TABS_MAX} tabs did not reach ${selector}`);
}

await check("by keys: overview, a chart's values are read and it is opened alone", async (page) => {
  await tabTo(page, "#title-cpu a");
  await tabTo(page, ".canvas");
  await pressUntil(page, ["ArrowLeft"], () => document.querySelector(".tooltip .reading")?.textContent.includes("core 0") === true);
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".chart.large .canvas canvas", WITHIN);
});

await check("by keys: pipelines, from unit to unit and one is inserted", async (page) => {
  await go(page, "p", "#/pipelines");
  await page.waitForSelector("a.node", WITHIN);
  await tabTo(page, "a.node.source");
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(() => document.activeElement?.dataset.key === "requests/slow", null, WITHIN);
  await page.keyboard.press("Enter");
  await see(page, ".panel h2", "requests/slow");
  await tabTo(page, ".panel button.main");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".inject .choices button", WITHIN);
  await tabTo(page, ".inject .choices button");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".inject textarea.code", WITHIN);
  await tabTo(page, ".inject textarea.code");
  await page.keyboard.type("status >= 500");
  await tabTo(page, ".inject button[type=submit]");
  await page.keyboard.press("Enter");
  await page.locator('a.node[data-key="requests/filter"]').waitFor(WITHIN);
});

await check("by keys: streams, the table is held and a row opened", async (page) => {
  await go(page, "s", "#/streams");
  await page.waitForSelector(".virtual tbody tr", WITHIN);
  await pressUntil(page, ["Space"], () => document.querySelector(".hold")?.textContent.includes("go on") === true);
  await tabTo(page, ".row-open");
  await page.keyboard.press("Enter");
  await page.locator('.verdict[data-verdict="kept"]').first().waitFor(WITHIN);
});

await check("by keys: alerts, the second one is opened", async (page) => {
  await go(page, "a", "#/alerts");
  await page.waitForSelector(".items a.card", WITHIN);
  await tabTo(page, "li:nth-child(2) a.card");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => location.hash === "#/alerts/a2", null, WITHIN);
  await page.waitForSelector('a.card[href="#/alerts/a2"][aria-current="true"]', WITHIN);
});

await check("by keys: components, one is read", async (page) => {
  await go(page, "c", "#/components");
  await page.waitForSelector(".components .list a", WITHIN);
  await tabTo(page, '.components .list a[href="#/components/rollup"]');
  await page.keyboard.press("Enter");
  await see(page, "#component-title", "rollup");
});

await check("by keys: a wall and back", async (page) => {
  await pressUntil(page, ["t"], () => document.documentElement.dataset.tv !== undefined);
  await page.waitForFunction(() => document.querySelectorAll(".chart canvas").length === 4 && document.querySelector(".chart h3").getBoundingClientRect().height >= 24, null, WITHIN);
  await pressUntil(page, ["t"], () => document.documentElement.dataset.tv === undefined);
  await chartsDrawn(page, 8);
});

const PLACES = { "#/overview": ".canvas canvas", "#/overview?chart=cpu": ".data-table td", "#/overview?tv=on": ".canvas canvas", "#/pipelines/requests/requests%2Fper_host?tab=configuration": ".panel .field", "#/streams/shop/prod/request": ".virtual tbody tr", "#/streams/shop/prod/request?make=metric": ".maker-preview canvas", "#/alerts": ".detail .canvas canvas", "#/components": ".detail .options" };
const LOOKS = {
  "light": { colorScheme: "light" }, "dark": { colorScheme: "dark" }, "narrow, dark": { colorScheme: "dark", viewport: { width: 390, height: 844 } },
  "more contrast, dark": { colorScheme: "dark", contrast: "more" }, "more contrast, light": { colorScheme: "light", contrast: "more" },
};
for (const [look, options] of Object.entries(LOOKS)) {
  await check(`every place reads well and fits: ${look}`, async (page) => {
    for (const [hash, full] of Object.entries(PLACES)) {
      await page.goto(host.url + hash);
      await page.waitForSelector(full, WITHIN);
      await page.waitForFunction(() => document.querySelector(".skeleton") === null, null, WITHIN);
      await eventually(async () => {
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        return over > 0 ? [`${hash} is ${over} px wider than the window`] : [];
      });
      none((await axeFindings(page)).map((finding) => `${hash}: ${finding}`));
    }
  }, options);
}

host.end();
await browser.close();
checks.end();
