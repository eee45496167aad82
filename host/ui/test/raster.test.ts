import { expect, test, vi } from "vitest";
import { isDense, Raster, trace } from "../src/charts/raster";
import type { ChartSeries } from "../src/charts/model";

const WIDTH = 100;
const HEIGHT = 50;
const places = (span: number) => ({ width: WIDTH, x: (value: number) => (value / span) * WIDTH, y: (value: number) => HEIGHT - value });
/** Steady, uneven values without a pattern. */
const values = (count: number): number[] => Array.from({ length: count }, (_, index) => ((index * 7_919 + 13 * ((index * index) % 101)) % 487) / 10);
const steps = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** First, least, greatest and last of each column, as a formatter keeps them. */
function thinned(y: number[], span: number): number[] {
  const columns = new Map<number, number[]>();
  y.forEach((_, row) => {
    const column = Math.floor((row / span) * WIDTH);
    columns.set(column, [...(columns.get(column) ?? []), row]);
  });
  const rows = [...columns.values()].flatMap((all) => {
    const sorted = [...all].sort((a, b) => y[a]! - y[b]!);
    return [all[0]!, sorted[0]!, sorted.at(-1)!, all.at(-1)!];
  });
  return [...new Set(rows)].sort((a, b) => a - b);
}

test("V9: the least and the greatest sample of every column of pixels are in it", () => {
  const [count, y] = [5_000, values(5_000)];
  const { low, high } = trace(steps(count), y, [[0, count - 1]], places(count));
  const outside = y.filter((value, row) => {
    const column = Math.floor((row / count) * WIDTH);
    return !(low[column]! <= Math.fround(HEIGHT - value) && high[column]! >= Math.fround(HEIGHT - value));
  });
  expect(outside).toEqual([]);
});

test("V9: what was thinned out exactly gives the same pixels as all samples", () => {
  const [count, y] = [5_000, values(5_000)];
  const rows = thinned(y, count);
  expect(rows.length).toBeLessThan(count / 8);
  const all = trace(steps(count), y, [[0, count - 1]], places(count));
  const kept = trace(rows, rows.map((row) => y[row]!), [[0, rows.length - 1]], places(count));
  const near = (a: Float32Array, b: Float32Array): void => a.forEach((value, column) => expect(b[column]!).toBeCloseTo(value, 3));
  near(all.low, kept.low);
  near(all.high, kept.high);
});

test("V2: nothing is drawn between two runs", () => {
  const { low } = trace(steps(200), values(200), [[0, 49], [150, 199]], places(200));
  expect([...low].slice(26, 74).every(Number.isNaN)).toBe(true);
  expect([low[0], low[24], low[75], low[99]].some((at) => Number.isNaN(at!))).toBe(false);
});

test("samples outside of the picture and far apart leave no column out and none beside it", () => {
  const { low, high } = trace([-50, 50, 400], [10, 20, 20], [[0, 2]], { width: WIDTH, x: (value) => value, y: (value) => value });
  expect([...low].some(Number.isNaN)).toBe(false);
  expect([low[0], high[99]]).toEqual([15, 20]);
});

test("V3: the line of an estimated series has gaps, that of a measured one none", () => {
  vi.stubGlobal("ImageData", class { data: Uint8ClampedArray; constructor(readonly width: number, readonly height: number) { this.data = new Uint8ClampedArray(width * height * 4); } });
  const row = (dash: readonly [number, number] | null): string => {
    const raster = new Raster();
    raster.begin(18, 4);
    raster.fill(new Float32Array(18).fill(1), new Float32Array(18).fill(2.5), [10, 20, 30], 255, dash);
    const { data } = raster.end()!;
    return Array.from({ length: 18 }, (_, column) => (data[(18 + column) * 4 + 3] === 255 ? "#" : ".")).join("");
  };
  expect(row([5, 4])).toBe("#####....#####....");
  expect(row(null)).toBe("#".repeat(18));
});

test("only what has a sample for each pixel is dense", () => {
  const line = (count: number, shape = "line"): ChartSeries => ({ shape, x: { length: count } }) as unknown as ChartSeries;
  expect([isDense(line(99), 100), isDense(line(100), 100), isDense(line(100, "bar"), 100), isDense(line(9), 0)]).toEqual([false, true, false, false]);
});
