// Dense lines, areas and bands: where a series has a sample or more for each pixel, its line is traced into columns of pixels and those are filled, instead
// of stroking a path of thousands of points (which costs a hundred times as much). In: a series, its runs, and where x and y lie. Out: for each column the least
// and the greatest y of the joined samples, exactly (so nothing between two pixels is lost, V9), and pixels of it. Dashes are kept: they are columns left out.
import type uPlot from "uplot";
import type { ChartSeries, Values } from "./model";
import type { Segment } from "./segments";

/** Samples for each pixel of the canvas. */
const DENSE_FROM = 1;
const LINE_PX = 1.75;
const EDGE_PX = 0.75;
const FILL_ALPHA = { plain: 0x33, stacked: 0x80, band: 0x40, estimated: 0x26 };
/** On and off, in CSS pixels. */
const DASHED = [5, 4] as const;
const DOTTED = [2, 2] as const;

export const isDense = (series: ChartSeries, width: number): boolean =>
  (series.shape === "line" || series.shape === "area" || series.shape === "band") && width > 0 && series.x.length / width >= DENSE_FROM;

/** Of each column of pixels; NaN: nothing is there. */
export interface Columns {
  low: Float32Array;
  high: Float32Array;
}

/** Where x and y lie, in pixels from the left and the top of the drawing area. */
export interface Places {
  width: number;
  x: (value: number) => number;
  y: (value: number) => number;
}

/** What the straight lines from sample to sample cover in each column. */
export function trace(x: ArrayLike<number>, y: Values, runs: readonly Segment[], places: Places): Columns {
  const { width } = places;
  const low = new Float32Array(width).fill(NaN);
  const high = new Float32Array(width).fill(NaN);
  const touch = (column: number, at: number): void => {
    if (column < 0 || column >= width) return;
    // Written so that NaN gives way.
    if (!((low[column] as number) <= at)) low[column] = at;
    if (!((high[column] as number) >= at)) high[column] = at;
  };
  for (const [first, last] of runs) {
    let fromX = places.x(x[first] as number);
    let fromY = places.y(y[first] as number);
    let from = Math.floor(fromX);
    touch(from, fromY);
    for (let index = first + 1; index <= last; index++) {
      const toX = places.x(x[index] as number);
      const toY = places.y(y[index] as number);
      const to = Math.floor(toX);
      const slope = to > from ? (toY - fromY) / (toX - fromX) : 0;
      for (let column = Math.max(from, -1); column < Math.min(to, width); column++) {
        const edge = fromY + slope * (column + 1 - fromX);
        touch(column, edge);
        touch(column + 1, edge);
      }
      touch(to, toY);
      [fromX, fromY, from] = [toX, toY, to];
    }
  }
  return { low, high };
}

/** Pixels that are filled column by column. Coverage at the ends of a column is a share, so that lines are smooth. */
export class Raster {
  private image: ImageData | null = null;
  private pixels: ImageDataArray | Uint8ClampedArray = new Uint8ClampedArray(0);

  /** Empty, of this size. */
  begin(width: number, height: number): void {
    if (this.image === null || this.image.width !== width || this.image.height !== height) {
      this.image = new ImageData(width, height);
      this.pixels = this.image.data;
    } else {
      this.pixels.fill(0);
    }
  }

  end(): ImageData | null {
    return this.image;
  }

  /** Each column from `low` to `high`, which are distances from the top; a dash leaves out `off` columns after `on`. */
  fill(low: ArrayLike<number>, high: ArrayLike<number>, ink: readonly [number, number, number], alpha: number, dash: readonly [on: number, off: number] | null): void {
    const width = this.image?.width ?? 0;
    const height = this.image?.height ?? 0;
    const period = dash === null ? 1 : dash[0] + dash[1];
    const on = dash === null ? 1 : dash[0];
    for (let column = 0; column < width; column++) {
      if (column % period >= on) continue;
      const top = low[column] as number;
      const foot = high[column] as number;
      // Also false where one is NaN.
      if (!(foot > top) || foot <= 0 || top >= height) continue;
      const [from, to] = [Math.max(0, top), Math.min(height, foot)];
      const [first, last] = [Math.floor(from), Math.ceil(to) - 1];
      for (let row = first; row <= last; row++) {
        const covered = Math.min(to, row + 1) - Math.max(from, row);
        this.blend((row * width + column) * 4, ink, covered >= 1 ? alpha : alpha * covered);
      }
    }
  }

  private blend(at: number, [red, green, blue]: readonly [number, number, number], alpha: number): void {
    const { pixels } = this;
    const under = pixels[at + 3] as number;
    if (alpha >= 255 || under === 0) {
      pixels[at] = red;
      pixels[at + 1] = green;
      pixels[at + 2] = blue;
      pixels[at + 3] = alpha;
      return;
    }
    const rest = (under * (255 - alpha)) / 255;
    const sum = alpha + rest;
    pixels[at] = (red * alpha + (pixels[at] as number) * rest) / sum;
    pixels[at + 1] = (green * alpha + (pixels[at + 1] as number) * rest) / sum;
    pixels[at + 2] = (blue * alpha + (pixels[at + 2] as number) * rest) / sum;
    pixels[at + 3] = sum;
  }
}

const raster = new Raster();
let sheet: HTMLCanvasElement | null = null;

export interface DenseSeries {
  series: ChartSeries;
  runs: readonly Segment[];
  /** "#rrggbb" */
  ink: string;
  /** Its colour is that of another series. */
  dotted: boolean;
}

/** Draws all dense series of a chart over what is on its canvas. */
export function drawDense(plot: uPlot, dense: readonly DenseSeries[]): void {
  if (dense.length === 0) return;
  const { bbox, ctx } = plot;
  const [width, height] = [Math.round(bbox.width), Math.round(bbox.height)];
  if (width < 1 || height < 1) return;
  raster.begin(width, height);
  for (const one of dense) fillSeries(plot, one, width);
  const image = raster.end();
  if (image === null) return;
  sheet ??= document.createElement("canvas");
  if (sheet.width < width || sheet.height < height) [sheet.width, sheet.height] = [Math.max(sheet.width, width), Math.max(sheet.height, height)];
  sheet.getContext("2d")?.putImageData(image, 0, 0);
  ctx.drawImage(sheet, 0, 0, width, height, Math.round(bbox.left), Math.round(bbox.top), width, height);
}

function fillSeries(plot: uPlot, { series, runs, ink, dotted }: DenseSeries, width: number): void {
  const ratio = window.devicePixelRatio;
  const places: Places = { width, x: along(plot, "x", plot.bbox.left), y: along(plot, series.axis, plot.bbox.top) };
  const colour = [1, 3, 5].map((at) => parseInt(ink.slice(at, at + 2), 16)) as unknown as [number, number, number];
  const top = trace(series.x, series.top, runs, places);
  const pattern = series.estimated ? DASHED : dotted ? DOTTED : null;
  const dash = pattern && ([Math.round(pattern[0] * ratio), Math.round(pattern[1] * ratio)] as const);
  if (series.shape !== "line") {
    const alpha = series.estimated ? FILL_ALPHA.estimated : series.shape === "band" ? FILL_ALPHA.band : series.base === null ? FILL_ALPHA.plain : FILL_ALPHA.stacked;
    const foot = series.base === null ? new Float32Array(width).fill(places.y(0)) : trace(series.x, series.base, runs, places).high;
    raster.fill(top.low, foot, colour, alpha, null);
    if (series.shape === "band") line(foot, foot, colour, EDGE_PX * ratio, dash);
  }
  line(top.low, top.high, colour, (series.shape === "band" ? EDGE_PX : LINE_PX) * ratio, dash);
}

function line(low: Float32Array, high: Float32Array, colour: readonly [number, number, number], thickness: number, dash: readonly [number, number] | null): void {
  raster.fill(low.map((at) => at - thickness / 2), high.map((at) => at + thickness / 2), colour, 255, dash);
}

/** A linear scale is two numbers; others are asked for each value. */
function along(plot: uPlot, scale: string, origin: number): (value: number) => number {
  const { min, max, distr } = plot.scales[scale] ?? {};
  if (distr === 3 || typeof min !== "number" || typeof max !== "number" || min === max) return (value) => plot.valToPos(value, scale, true) - origin;
  const start = plot.valToPos(min, scale, true) - origin;
  const step = (plot.valToPos(max, scale, true) - origin - start) / (max - min);
  return (value) => start + (value - min) * step;
}
