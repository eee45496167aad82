// Every place, light and dark, compared with a stored picture. The mock host stands still at one time, so does the page's clock; fonts are those of fonts.conf (Debian's fonts-dejavu).
//   node tests/browser/pictures.mjs                            (the page must be built: host/ui/dist)
//   UPDATE_SCREENSHOTS=1 node tests/browser/pictures.mjs       writes them anew; a person looks at the difference
//   PICTURES=pipelines,streams node tests/browser/pictures.mjs of these places only
// Out: one line for each check, then "N passed, N failed"; exit 1 where one failed; what was seen instead lies in target/pictures.
// Tolerance: a pixel differs where a channel does by more than 48 of 255 (edges of letters differ between versions of the browser); at most 0.1 % of the pixels may.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Checks, none, openWithFixedFonts, startMock, watch, WITHIN } from "./browsing.mjs";

const NOW_MS = Date.UTC(2026, 10, 22, 12, 0, 30);
const CHANNEL_MAX = 48;
const SHARE_MAX = 0.001;
/** A picture is taken when it has stopped to change, which is looked at so often at most. */
const LOOKS_MAX = 30;
const LOOK_MS = 400;
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

/** Through the debugger: the driver's own way adds a style element, which the page's policy refuses. */
const shoot = async (debug) => (await debug.send("Page.captureScreenshot", { format: "png" })).data;

async function still(debug) {
  let before = "";
  for (let look = 0; look < LOOKS_MAX; look++) {
    const now = await shoot(debug);
    if (now === before) return now;
    before = now;
    await new Promise((done) => setTimeout(done, LOOK_MS));
  }
  throw new Error("the picture does not come to rest");
}

/** Share of pixels that differ, and the picture with those in red; decoded and compared by the browser itself. */
const compare = (page, left, right) => page.evaluate(async ([left, right, most]) => {
  const pixels = async (text) => {
    const image = await createImageBitmap(new Blob([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))], { type: "image/png" }));
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    return { context, canvas, image: context.getImageData(0, 0, image.width, image.height) };
  };
  const [a, b] = [await pixels(left), await pixels(right)];
  if (a.image.width !== b.image.width || a.image.height !== b.image.height) return { share: 1, marked: right };
  let differ = 0;
  for (let at = 0; at < a.image.data.length; at += 4) {
    if ([0, 1, 2].every((channel) => Math.abs(a.image.data[at + channel] - b.image.data[at + channel]) <= most)) continue;
    differ += 1;
    b.image.data.set([255, 0, 0, 255], at);
  }
  b.context.putImageData(b.image, 0, 0);
  const bytes = new Uint8Array(await (await b.canvas.convertToBlob()).arrayBuffer());
  return { share: differ / (a.image.width * a.image.height), marked: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")) };
}, [left, right, CHANNEL_MAX]);

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
          const picture = await still(await context.newCDPSession(page));
          none(notes);
          if (process.env.UPDATE_SCREENSHOTS === "1") return write(stored, name, picture);
          if (!existsSync(`${stored}${name}.png`)) throw new Error("there is no stored picture; UPDATE_SCREENSHOTS=1 writes it");
          const { share, marked } = await compare(judge, readFileSync(`${stored}${name}.png`).toString("base64"), picture);
          if (share <= SHARE_MAX) return;
          write(seen, name, picture);
          write(seen, `${name}-differs`, marked);
          throw new Error(`${(100 * share).toFixed(2)} % of the pixels differ, at most ${100 * SHARE_MAX} % may; see target/pictures/${name}-differs.png`);
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
