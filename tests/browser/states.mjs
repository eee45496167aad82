// The states of the page that a healthy host never shows, against the mock of host/ui (which it starts and ends itself).
//   node tests/browser/states.mjs                     (the page must be built: host/ui/dist)
// Out: one line for each check, then "N passed, N failed"; exit 1 where one failed.
import { readFileSync } from "node:fs";
import { chartsDrawn, Checks, eventually, none, open, pressUntil, see, startMock, watch, WITHIN } from "./browsing.mjs";

const checks = new Checks();
const check = (name, mode, run, more = []) => checks.run(name, async () => {
  const host = await startMock(mode, more);
  const page = await browser.newPage();
  const notes = [];
  try {
    await watch(page, host.url, notes, { offline: true });
    await page.goto(host.url);
    await run(page, host.url);
    none(notes);
  } finally {
    await page.close();
    host.end();
  }
});

const browser = await open();
try {
  await check("an empty host shows three lines that can be copied", "empty", async (page) => {
    for (const tool of ["curl", "nc", "python"]) await see(page, ".copyable .tool", tool);
    // Of the source that is configured.
    await see(page, ".copyable code", "nc -w 1 127.0.0.1 7272");
    await see(page, ".badge", "no data yet");
    await page.goto(`${page.url().split("#")[0]}#/streams`);
    await see(page, ".empty", "No events yet");
  });

  await check("a place that is asked for while the page starts is shown", "full", async (page, url) => {
    // Between the first paint and the line that listens for it.
    await page.addInitScript(() => {
      const observer = new MutationObserver(() => {
        if (document.querySelector("#main") === null) return;
        observer.disconnect();
        location.hash = "#/streams/shop/prod/request?theme=light";
      });
      observer.observe(document, { childList: true, subtree: true });
    });
    await page.goto("about:blank");
    await page.goto(url);
    await see(page, ".table-tools", "events");
    await page.waitForFunction(() => document.documentElement.dataset.theme === "light", null, WITHIN);
  });

  await check("a lost connection keeps the picture, counts the seconds and comes back by itself", "full", async (page, url) => {
    await chartsDrawn(page, 8);
    await page.evaluate(() => (window.__same_page = true));
    // It ends when all of it was seen.
    await page.request.post(`${url}mock/offline?seconds=3600`);
    // Which second is seen first depends on the machine; that it goes on is the point.
    const lost = await page.waitForFunction(() => document.querySelector(".badge")?.textContent.match(/no connection for \d+ s/)?.[0], null, WITHIN);
    await page.waitForFunction((first) => document.querySelector(".badge")?.textContent.includes("no connection for") && !document.querySelector(".badge").textContent.includes(first), await lost.jsonValue(), WITHIN);
    const at_loss = await page.evaluate(() => ({ canvases: document.querySelectorAll(".canvas canvas").length, cpu: window.__weir.charts.cpu }));
    if (at_loss.canvases < 8) throw new Error(`only ${at_loss.canvases} canvases are left of 8`);
    await page.request.post(`${url}mock/offline?seconds=0`);
    await page.waitForSelector('.badge[data-state="live"]', WITHIN);
    await page.waitForFunction((newest) => window.__weir.charts.cpu.newest_time_ms > newest, at_loss.cpu.newest_time_ms, WITHIN);
    if (!(await page.evaluate(() => window.__same_page === true))) throw new Error("the page was loaded anew");
  });

  await check("a page at rest says little: it subscribes, tells its size, and then listens", "full", async (page, url) => {
    const said = async () => (await (await page.request.get(`${url}mock/messages`)).json()).messages_total;
    const frames = () => page.evaluate(() => window.__weir.charts.cpu?.frames ?? 0);
    await chartsDrawn(page, 8);
    // Where it tells its size late, it is not at rest yet.
    await eventually(async () => {
      const [messages, seen] = [await said(), await frames()];
      await page.waitForFunction((more) => window.__weir.charts.cpu.frames >= more, seen + 5, WITHIN);
      const more = (await said()) - messages;
      return more === 0 ? [] : [`${more} messages while five frames came`];
    });
    if ((await said()) > 4) throw new Error(`${await said()} messages`);
  });

  await check("a slow page says how many updates were merged, and old data turns the badge amber", "slow", async (page) => {
    await page.waitForFunction(() => /^[1-9]\d* updates merged$/.test(document.querySelector(".merged")?.textContent ?? ""), null, WITHIN);
    await page.waitForSelector(".badge.warn", WITHIN);
  });

  await check("a starved page has at most two frames of a chart on their way, goes on at the newest and says what was merged", "full", async (page, url) => {
    await page.waitForFunction(() => (window.__weir.charts.cpu?.frames ?? 0) >= 5, null, WITHIN);
    // What the page does not take meanwhile would come to forty frames of each of eight charts. The badge says the latest that were merged, its title all.
    const merged = () => page.evaluate(() => Number(/\d+/.exec(document.querySelector(".merged")?.title ?? "")?.[0] ?? "0"));
    const before = await merged();
    await page.evaluate((end_ms) => { while (performance.now() < end_ms) { /* nothing else runs */ } }, (await page.evaluate(() => performance.now())) + 2_000);
    await eventually(async () => {
      const said = await page.evaluate(() => document.querySelector(".merged")?.textContent ?? "");
      const more = (await merged()) - before;
      return /^[1-9]\d* updates? merged$/.test(said) && more >= 40 ? [] : [`it says "${said}" and ${more} more in all`];
    });
    const { in_flight_most } = await (await page.request.get(`${url}mock/messages`)).json();
    if (in_flight_most > 2) throw new Error(`${in_flight_most} frames were on their way`);
    const frames = await page.evaluate(() => window.__weir.charts.cpu.frames);
    await page.waitForFunction((seen) => window.__weir.charts.cpu.frames > seen + 2, frames, WITHIN);
  }, ["--pace", "50"]);

  await check("a unit is paused and started again by its buttons", "full", async (page, url) => {
    await page.goto(`${url}#/pipelines`);
    await page.locator('a.node[data-key="requests/slow"]').click(WITHIN);
    await page.getByRole("button", { name: "pause requests/slow" }).click(WITHIN);
    await see(page, '.node[data-key="requests/slow"]', "paused");
    await page.getByRole("button", { name: "start requests/slow" }).click(WITHIN);
    await page.getByRole("button", { name: "pause requests/slow" }).and(page.locator(":enabled")).waitFor(WITHIN);
  });

  await check("text of events stays text", "full", async (page, url) => {
    await page.goto(`${url}#/streams/shop/prod/request`);
    await see(page, ".virtual td", "<img src=x onerror=alert(1)>");
    if ((await page.locator(".virtual img").count()) > 0) throw new Error("an event became an element");
  });

  await check("hold stops the tail, go on shows what came", "full", async (page, url) => {
    await page.goto(`${url}#/streams/shop/prod/request`);
    await page.locator(".virtual tbody tr:not(.room)").first().waitFor(WITHIN);
    await page.locator(".hold").click(WITHIN);
    await see(page, ".hold", "go on");
    const first = await page.locator(".virtual tbody tr").first().textContent();
    await page.waitForFunction(() => /[1-9]\d* new/.test(document.querySelector(".hold")?.textContent ?? ""), null, WITHIN);
    if ((await page.locator(".virtual tbody tr").first().textContent()) !== first) throw new Error("the held tail moved");
    await page.getByRole("button", { name: /go on/ }).click();
    await page.waitForFunction((old) => document.querySelector(".virtual tbody tr")?.textContent !== old, first, WITHIN);
  });

  await check("a filter is inserted into a running pipeline with five clicks, and undone", "full", async (page) => {
    let clicks = 0;
    const click = async (locator) => {
      clicks += 1;
      await locator.click(WITHIN);
    };
    await click(page.getByRole("link", { name: "Pipelines" }));
    await click(page.locator('a.node[data-key="requests/slow"]'));
    await click(page.getByRole("button", { name: "insert after" }));
    await click(page.locator(".inject .choices").getByRole("button", { name: "filter", exact: true }));
    await page.getByLabel(/Keep rows where/).fill("status >= 500");
    await click(page.getByRole("button", { name: "insert", exact: true }));
    if (clicks > 5) throw new Error(`${clicks} clicks`);
    await page.locator('a.node[data-key="requests/filter"]').waitFor(WITHIN);
    await page.getByRole("button", { name: "history" }).click(WITHIN);
    await page.getByRole("button", { name: "undo" }).click(WITHIN);
    await page.locator('a.node[data-key="requests/filter"]').waitFor({ state: "detached", ...WITHIN });
  });

  await check("what the host refuses stands at its field", "full", async (page, url) => {
    await page.goto(`${url}#/pipelines/requests/requests%2Fslow?tab=insert`);
    await page.locator(".inject .choices").getByRole("button", { name: "filter", exact: true }).click(WITHIN);
    await page.getByLabel(/Keep rows where/).fill("status ?? 5");
    await page.getByRole("button", { name: "insert", exact: true }).click(WITHIN);
    await see(page, ".field.wrong .problem", "unexpected sign at column 3");
  });

  await check("faults are shown with their row", "full", async (page, url) => {
    await page.goto(`${url}#/pipelines/experiments/experiments%2Fscore?tab=faults`);
    await see(page, ".faults .letter", "/search?q=%00");
  });

  await check("dead letters are counted on the badge, replayed and dropped, and one that cannot be says why", "full", async (page, url) => {
    await page.goto(`${url}#/pipelines`);
    await see(page, '.node[data-key="experiments/score"] .dead-count', "24 dead letters");
    await page.goto(`${url}#/pipelines/experiments/experiments%2Fscore?tab=dead+letters`);
    await see(page, ".dead .lead", "24 letters, 35 rows");
    await see(page, ".dead .letter dd", "/search?q=%00");
    await page.getByLabel("letter of position 48211, row 17").check(WITHIN);
    await page.getByRole("button", { name: "replay 1 chosen" }).click(WITHIN);
    await see(page, '.dead [role="status"]', "1 replayed");
    await see(page, ".dead .lead", "23 letters");
    await page.getByRole("button", { name: "older" }).click(WITHIN);
    await page.waitForFunction(() => location.hash.includes("before=") && document.querySelectorAll(".dead .letter").length === 3, null, WITHIN);
    await see(page, ".dead .letter small", "cannot be replayed: these are timers");
    await page.getByRole("button", { name: "replay all 23" }).click(WITHIN);
    await see(page, '.dead [role="status"]', "22 replayed, 1 refused");
    await page.getByRole("button", { name: "newest" }).click(WITHIN);
    await see(page, ".dead .lead", "1 letter, 12 rows");
    await page.getByRole("button", { name: "drop all 1" }).click(WITHIN);
    await page.getByRole("button", { name: "drop all 1 for good" }).click(WITHIN);
    await see(page, ".dead .calm", "No dead letters");
    await see(page, '.node[data-key="experiments/score"] .badge-count', "▲ 3");
    await page.locator('.node[data-key="experiments/score"] .dead-count').waitFor({ state: "detached", ...WITHIN });
  });

  await check("a filter is an expression, a wrong one says why, and both are in the URL", "full", async (page, url) => {
    await page.goto(`${url}#/streams/shop/prod/request`);
    await page.locator(".filter").fill("latency_ms > 350");
    await page.waitForFunction(() => location.hash.includes("where=") && ((rows) => rows.length > 0 && rows.every((row) => Number(row.children[4]?.textContent) > 350))([...document.querySelectorAll(".virtual tbody tr:not(.room)")]), null, WITHIN);
    await page.locator(".filter").fill("latency_ms >");
    await see(page, ".failed", "an operator is missing");
  });

  await check("only rows that can be seen are elements", "full", async (page, url) => {
    await page.goto(`${url}#/streams/shop/prod/request`);
    await see(page, ".table-tools", "events");
    await page.waitForFunction(() => Number(document.querySelector(".virtual table")?.getAttribute("aria-rowcount")) > 300, null, WITHIN);
    const rows = await page.locator(".virtual tbody tr").count();
    if (rows > 70) throw new Error(`${rows} rows are elements`);
  });

  await check("columns are chosen, and a row shows its way through the units", "full", async (page, url) => {
    await page.goto(`${url}#/streams/shop/prod/request?columns=host,status`);
    await page.locator(".virtual tbody tr:not(.room)").first().waitFor(WITHIN);
    await page.locator(".hold").click(WITHIN);
    await see(page, ".hold", "go on");
    await page.waitForFunction(() => document.querySelectorAll(".virtual thead th").length === 3, null, WITHIN);
    await page.locator(".row-open").first().click(WITHIN);
    for (const verdict of ["kept", "changed", "taken-in", "dropped"]) await page.locator(`.verdict[data-verdict="${verdict}"]`).first().waitFor(WITHIN);
    await page.waitForFunction(() => location.hash.includes("row="), null, WITHIN);
  });

  await check("a metric is tried and saved", "full", async (page, url) => {
    await page.goto(`${url}#/streams/shop/prod/request?make=metric`);
    await see(page, ".toml", 'value = "latency_ms"');
    await page.getByLabel("host").check(WITHIN);
    await see(page, ".toml", 'key = ["host"]');
    await page.waitForSelector(".maker-preview canvas", WITHIN);
    await page.getByRole("button", { name: "save" }).click(WITHIN);
    await see(page, ".empty", "runs.");
  });

  await check("the palette finds by parts of names and goes there, by keys alone", "full", async (page) => {
    await page.waitForSelector(".canvas canvas", WITHIN);
    await pressUntil(page, ["/"], () => document.activeElement?.matches(".palette input") === true);
    await page.keyboard.type("unit per_host");
    await see(page, ".palette li[aria-selected=true]", "requests/per_host");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => location.hash === "#/pipelines/requests/requests%2Fper_host" && document.querySelector("dialog") === null, null, WITHIN);
    await pressUntil(page, ["?"], () => document.querySelector("dialog.help[open]") !== null);
    await see(page, "dialog.help", "dark or light");
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => document.querySelector("dialog") === null, null, WITHIN);
  });

  await check("an alert shows its key, its history and the charts of its pipeline", "full", async (page, url) => {
    await page.goto(`${url}#/alerts/a1`);
    await see(page, ".detail .pairs", "web-2");
    await see(page, ".detail table", "resolved");
    await page.waitForSelector(".detail .canvas canvas", WITHIN);
  });

  await check("a link opens the same picture in the same theme", "full", async (page, url) => {
    await page.goto(`${url}#/overview?chart=latency&theme=dark`);
    await page.waitForSelector(".chart.large .canvas canvas", WITHIN);
    await page.waitForFunction(() => document.documentElement.dataset.theme === "dark" && document.querySelectorAll(".chart").length === 1, null, WITHIN);
  });

  await check("a chart is exported as SVG, PNG, CSV and Arrow", "full", async (page, url) => {
    await page.goto(`${url}#/overview?chart=cpu`);
    await chartsDrawn(page);
    const files = {};
    for (const kind of ["SVG", "PNG", "CSV", "Arrow"]) {
      await page.locator("summary", { hasText: "export" }).click(WITHIN);
      const [download] = await Promise.all([page.waitForEvent("download", WITHIN), page.getByRole("button", { name: kind, exact: true }).click(WITHIN)]);
      files[download.suggestedFilename()] = readFileSync(await download.path());
    }
    const svg = String(files["cpu-busy-by-core.svg"]);
    for (const part of ["cpu busy by core", "busy, %", "event time", "core 3", " to ", "<path"]) if (!svg.includes(part)) throw new Error(`the SVG has no ${part}`);
    if (files["cpu-busy-by-core.png"].subarray(1, 4).toString() !== "PNG" || files["cpu-busy-by-core.png"].length < 20_000) throw new Error("the PNG is none");
    const lines = String(files["cpu-busy-by-core.csv"]).split("\r\n");
    if (lines[0] !== "time,core 0,core 1,core 2,core 3" || lines.length !== 182) throw new Error(`the CSV has ${lines.length} lines, the first is ${lines[0]}`);
    if (files["cpu-busy-by-core.arrow"].subarray(0, 6).toString() !== "ARROW1") throw new Error("the Arrow file is none");
  });

  await check("every shape of the wire is drawn", "shapes", async (page) => {
    await chartsDrawn(page, 7);
    for (const words of ["whiskers: 5th and 95th percentile", "24 bins of 5 ms", "requests, number: 0"]) await see(page, ".chart footer", words);
    await see(page, ".chart .note", "at most 40 series");
    // All are drawn: what is not is named by now.
    const undrawn = await page.locator(".chart .note").allTextContents();
    if (undrawn.length !== 1 || !undrawn[0].includes("at most 40 series")) throw new Error(`undrawn: ${undrawn.join(" | ")}`);
  });

  await check("V5: a rule stands at every labelled tick of both axes, thinner than the data", "full", async (page, url) => {
    await page.goto(`${url}#/overview?chart=temperature`);
    await chartsDrawn(page);
    const lines = await page.waitForFunction(() => {
      const canvas = document.querySelector(".chart.large canvas");
      const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const wanted = getComputedStyle(document.documentElement).getPropertyValue("--rule").trim();
      const ink = [1, 3, 5].map((at) => parseInt(wanted.slice(at, at + 2), 16));
      const is = (x, y) => [0, 1, 2].every((channel) => Math.abs(data[(y * width + x) * 4 + channel] - ink[channel]) <= 8) && data[(y * width + x) * 4 + 3] > 40;
      // Dots of 1 px in 5, over most of the canvas: an eighth of a row or column is a rule; rows or columns beside each other would be a thick one.
      const count = (length, across, at) => Array.from({ length }, (_, place) => Array.from({ length: across }, (_, step) => at(place, step)).filter(Boolean).length > across / 8);
      const rows = count(height, width, (y, x) => is(x, y));
      const columns = count(width, height, (x, y) => is(x, y));
      const runs = (list) => list.filter((one, at) => one && !list[at - 1]).length;
      const thick = [rows, columns].some((list) => list.some((one, at) => one && list[at + 1] && list[at + 2]));
      return runs(rows) >= 3 && runs(columns) >= 3 ? { rows: runs(rows), columns: runs(columns), thick } : null;
    }, null, { ...WITHIN, polling: 250 });
    const { thick } = await lines.jsonValue();
    if (thick) throw new Error("a rule is as thick as the data");
  });

  for (const mode of ["full", "shapes"]) {
    await check(`V4: both axes of every chart carry a label and a unit (${mode})`, mode, async (page) => {
      await chartsDrawn(page, 7);
      await eventually(() => page.evaluate(() => [...document.querySelectorAll(".chart")].flatMap((chart) => {
        const [y, x] = [".y-name", ".x-name"].map((where) => chart.querySelector(where)?.textContent ?? "");
        // An axis of names has no unit.
        const ok = (text) => /^.+, .+$/.test(text) || ["host", "topic"].includes(text);
        return ok(y) && ok(x) ? [] : [`${chart.querySelector("h3").textContent}: "${y}" and "${x}"`];
      })));
    });
  }

  await check("V3: an estimated line is dashed and named so, a measured one is not", "full", async (page, url) => {
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto(`${url}#/overview?chart=latency`);
    await chartsDrawn(page);
    await see(page, ".legend li", "forecast (estimated)");
    const drawn = () => page.evaluate(() => {
      const canvas = document.querySelector(".chart.large canvas");
      const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return [...document.querySelectorAll(".legend .swatch")].map((swatch) => {
        const ink = getComputedStyle(swatch).color.match(/\d+/g).map(Number);
        let [most, now, runs] = [0, 0, 0];
        for (let x = 0; x < width; x++) {
          let there = false;
          for (let y = 0; y < height && !there; y++) there = data[(y * width + x) * 4 + 3] > 200 && [0, 1, 2].every((channel) => Math.abs(data[(y * width + x) * 4 + channel] - ink[channel]) < 40);
          if (there && now === 0) runs += 1;
          now = there ? now + 1 : 0;
          most = Math.max(most, now);
        }
        return { dashed: swatch.classList.contains("dashed"), most, runs };
      });
    });
    await eventually(async () => {
      const lines = await drawn();
      // Where a line is steep, dashes stand above each other and no column is free; elsewhere they are apart.
      const wrong = lines.filter(({ dashed, most, runs }) => (dashed ? runs < 12 || most > 60 : runs > 8 || most < 60));
      return lines.length === 2 && wrong.length === 0 ? [] : [JSON.stringify(lines)];
    });
  });

  await check("V8: the present is marked, and V10: late points and resets are counted beneath their chart and read under the cursor", "full", async (page, url) => {
    await page.goto(`${url}#/overview?chart=jobs`);
    await see(page, ".chart footer", "came late");
    await see(page, ".chart footer", "event time, UTC");
    await chartsDrawn(page);
    // Somewhere a sign stands; the mock puts one every 67 s into 180 s. What is under the cursor is read out after the move, so it is looked at a frame later.
    await eventually(async () => {
      const box = await page.locator(".chart.large .u-over").boundingBox();
      for (let x = box.width - 2; x > 0; x -= 4) {
        await page.mouse.move(box.x + x, box.y + box.height / 2);
        const text = await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => done(document.querySelector(".tooltip .moment")?.textContent ?? ""))));
        if (/came late: import, 3.2 s late|counter reset: export/.test(text)) return [];
      }
      return ["no sign is read under the cursor"];
    });
  });

  await check("the arrow keys move the cursor and the value is read out", "full", async (page) => {
    await chartsDrawn(page, 8);
    await page.locator(".canvas").first().focus();
    await pressUntil(page, ["ArrowLeft"], () => document.querySelector(".tooltip .reading")?.textContent.includes("core 0") === true);
  });
} finally {
  await browser.close();
}
checks.end();
