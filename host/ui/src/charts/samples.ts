// What lies under the cursor: of each series the sample at x, and all that share its pixel (V1: nothing behind a pixel is hidden).
// In: a plot, its model and an x that some series has. Out: one entry for each series, of heat maps and strips one for each cell there (CELLS_SHOWN at most).
import type uPlot from "uplot";
import { short, withMeasure } from "../format";
import { heatColour, LEVELS } from "./cells";
import { seriesName } from "./direct";
import type { ChartSeries, Model } from "./model";
import type { Sample } from "./plot";

const CELLS_SHOWN = 8;

export function samplesAt(plot: uPlot, model: Model, x: number, pixel: number, inkOf: (index: number) => string, dark: boolean): Sample[] {
  const measures = new Map(model.yAxes.map((axis) => [axis.name, axis.measure]));
  return model.series.flatMap((one, index): Sample[] => {
    const measure = measures.get(one.axis) ?? "1";
    if (one.cell !== null) return cellsAt(plot, model, one, x, dark);
    const found = sampleAt(one, x, pixel);
    return [{ name: seriesName(one), ink: inkOf(index), measure, ...found, text: one.box !== null && found.row >= 0 ? boxText(one, found.row, measure) : "" }];
  });
}

function boxText({ box }: ChartSeries, row: number, measure: string): string {
  if (box === null) return "";
  const at = (values: ArrayLike<number | null>): string => (typeof values[row] === "number" ? withMeasure(values[row], measure) : "–");
  const of = box.n === null ? "" : `, n = ${short(box.n[row] ?? 0)}`;
  return `box ${at(box.q1)} to ${at(box.q3)}, whiskers ${at(box.low)} to ${at(box.high)}${of}`;
}

function cellsAt(plot: uPlot, model: Model, one: ChartSeries, x: number, dark: boolean): Sample[] {
  const { cell } = one;
  if (cell === null) return [];
  const y = plot.cursor.top === undefined || plot.cursor.top < 0 ? null : plot.posToVal(plot.cursor.top, one.axis);
  const names = model.categories.get(one.axis);
  const measure = model.colourAxis?.measure ?? "1";
  const yMeasure = model.yAxes.find((axis) => axis.name === one.axis)?.measure ?? "1";
  const found: { row: number; away: number }[] = [];
  for (let row = 0; row < one.x.length; row++) {
    if ((cell.xLow[row] as number) > x || (cell.xHigh[row] as number) < x) continue;
    const middle = ((cell.yLow[row] as number) + (cell.yHigh[row] as number)) / 2;
    found.push({ row, away: y === null ? 0 : Math.abs(middle - y) });
  }
  found.sort((a, b) => a.away - b.away);
  const level = (row: number): (typeof LEVELS)[number] | undefined => LEVELS[cell.level[row] ?? 4];
  return found.slice(0, CELLS_SHOWN).map(({ row }): Sample => {
    const [low, high] = [cell.yLow[row] as number, cell.yHigh[row] as number];
    const value = one.y[row] ?? null;
    const name = names?.[Math.round((low + high) / 2)] ?? `${withMeasure(low, yMeasure)} to ${withMeasure(high, yMeasure)}`;
    const state = one.shape === "state";
    return {
      name, value, measure, x, samples: 1, min: value ?? 0, max: value ?? 0,
      ink: state ? `var(${level(row)?.ink ?? "--off"})` : heatColour(value === null || cell.most <= 0 ? 0 : value / cell.most, dark),
      text: state ? `${level(row)?.shape ?? "?"} ${cell.text[row] ?? ""} (${level(row)?.word ?? "unknown"})` : "",
    };
  });
}

function sampleAt(series: ChartSeries, x: number, pixel: number): { value: number | null; x: number; samples: number; min: number; max: number; row: number } {
  let [value, row, samples, min, max] = [null as number | null, -1, 0, Infinity, -Infinity];
  const sorted = series.shape !== "point" && series.shape !== "box";
  const first = sorted ? lowerBound(series.x, x - pixel / 2) : 0;
  for (let index = first; index < series.x.length; index++) {
    const at = series.x[index] as number;
    if (at > x + pixel / 2 && sorted) break;
    if (at < x - pixel / 2 || at > x + pixel / 2) continue;
    const sample = series.y[index] ?? null;
    if (at === x) [value, row] = [sample, index];
    if (sample === null) continue;
    samples += 1;
    min = Math.min(min, sample);
    max = Math.max(max, sample);
  }
  return { value, x, samples, min, max, row };
}

function lowerBound(sorted: ArrayLike<number>, x: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) < x) low = middle + 1;
    else high = middle;
  }
  return low;
}
