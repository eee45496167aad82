// The palette: contrast against its surface, and told apart by eyes without red or green cones (Machado 2009, severity 1).
import { expect, test } from "vitest";
import { PALETTE_DARK, PALETTE_LIGHT, SLOTS, slotsOf } from "../src/charts/colours";
import theme from "../src/style/theme.css?raw";
import wall from "../src/style/tv.css?raw";

type Rgb = [number, number, number];
const SURFACES = { light: "#fbfcfc", dark: "#10171a" };
const EYES: Record<string, number[][]> = {
  normal: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  protan: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  deutan: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
};

const linear = (hex: string): Rgb => [1, 3, 5].map((at) => {
  const value = parseInt(hex.slice(at, at + 2), 16) / 255;
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
}) as Rgb;
const luminance = ([r, g, b]: Rgb): number => 0.2126 * r + 0.7152 * g + 0.0722 * b;
const seen = (rgb: Rgb, eye: number[][]): Rgb => eye.map((row) => Math.max(0, row.reduce((sum, share, at) => sum + share * rgb[at]!, 0))) as Rgb;

function oklab([r, g, b]: Rgb): Rgb {
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s, 1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s, 0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s];
}

function contrast(a: string, b: string): number {
  const [high, low] = [luminance(linear(a)), luminance(linear(b))].sort((x, y) => y - x) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

function closest(palette: readonly string[], eye: number[][]): { distance: number; pair: string } {
  let found = { distance: Infinity, pair: "" };
  palette.forEach((a, index) => palette.slice(index + 1).forEach((b) => {
    const [x, y] = [oklab(seen(linear(a), eye)), oklab(seen(linear(b), eye))];
    const distance = Math.hypot(x[0] - y[0], x[1] - y[1], x[2] - y[2]);
    if (distance < found.distance) found = { distance, pair: `${a} ${b}` };
  }));
  return found;
}

test.each([["light", PALETTE_LIGHT], ["dark", PALETTE_DARK]] as const)("V11: %s: every colour has 3:1 against the surface", (theme, palette) => {
  expect(palette.filter((one) => contrast(one, SURFACES[theme]) < 3)).toEqual([]);
});

/** The variables of a rule of a style sheet. */
function variables(text: string, selector: string): Record<string, string> {
  const at = text.indexOf(`${selector} {`);
  const long = (hex: string): string => (hex.length === 4 ? `#${[...hex.slice(1)].map((one) => one + one).join("")}` : hex);
  return Object.fromEntries([...text.slice(at, text.indexOf("}", at)).matchAll(/--([a-z-]+): (#[0-9a-f]+)/g)].map(([, name, value]) => [name, long(value!)]));
}

test.each([["light", theme, "\n:root", 3, 4.5], ["dark", theme, ':root[data-theme="dark"]', 3, 4.5], ["more contrast, light", wall, "  :root", 7, 7], ["more contrast, dark", wall, '  :root[data-theme="dark"]', 7, 7]] as const)(
  "V5: rules at ticks are seen and texts are read: %s", (_, sheet, selector, rule, text) => {
    const { surface = "", ...inks } = variables(sheet, selector);
    expect(contrast(inks["rule"] ?? "", surface)).toBeGreaterThanOrEqual(rule);
    for (const name of ["text", "muted", "good", "warn", "bad", "off", "accent"]) expect(contrast(inks[name] ?? "", surface), name).toBeGreaterThanOrEqual(text);
  });

// 0.06 in OKLab is about three just noticeable differences; the first four, which most charts use, are kept further apart.
test.each([["light", PALETTE_LIGHT], ["dark", PALETTE_DARK]] as const)("V11: %s: any two are told apart by all eyes", (_, palette) => {
  for (const [name, eye] of Object.entries(EYES)) {
    const all = closest(palette, eye);
    expect(all.distance, `${name}: ${all.pair}`).toBeGreaterThan(0.06);
    const four = closest(palette.slice(0, 4), eye);
    expect(four.distance, `${name}, first four: ${four.pair}`).toBeGreaterThan(0.09);
  }
});

test("V11: a label keeps its slot on every chart", () => {
  const [one, two] = slotsOf(["first", "second"]);
  expect(slotsOf(["second", "first"])).toEqual([two, one]);
});

test("labels of one chart get different slots while there are any", () => {
  const slots = slotsOf(["a", "b", "c", "d", "e", "f", "g", "h"]);
  expect(new Set(slots).size).toBe(SLOTS);
});
