// Pictures of the page: taken, and compared with each other.
// Tolerance: a pixel differs where a channel does by more than 48 of 255 (edges of letters differ between versions of the browser); at most 0.1 % of the pixels may.

const CHANNEL_MAX = 48;
export const SHARE_MAX = 0.001;
/** A picture has stopped to change when so many in a row are equal; so many are taken at most. */
const EQUAL_LOOKS = 3;
const LOOKS_MAX = 150;
const LOOK_MS = 400;

/** Through the debugger: the driver's own way adds a style element, which the page's policy refuses. */
export const shoot = async (debug) => (await debug.send("Page.captureScreenshot", { format: "png" })).data;

/** For a picture with nothing to compare it with. */
export async function still(debug) {
  let before = "";
  for (let look = 0, equal = 1; look < LOOKS_MAX; look++) {
    const now = await shoot(debug);
    equal = now === before ? equal + 1 : 1;
    if (equal === EQUAL_LOOKS) return now;
    before = now;
    await new Promise((done) => setTimeout(done, LOOK_MS));
  }
  throw new Error("the picture does not come to rest");
}

/** Share of pixels that differ, and the picture with those in red; decoded and compared by the browser itself. */
export const compare = (page, left, right) => page.evaluate(async ([left, right, most]) => {
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
