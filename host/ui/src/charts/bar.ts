// Draws bars from zero (or from `base`: the bar below where stacked). Their edges are those of the formatter where it gives them (a histogram: they touch), else they are
// four fifths of the usual distance wide; those of a group stand side by side.
import type uPlot from "uplot";
import { usualInterval, type ChartSeries } from "./model";
import type { Drawn, MakePath } from "./path";

const SHARE = 0.8;
const WIDTH_MAX_PX = 40;

export function barPaths(plot: uPlot, series: ChartSeries, make: MakePath): Drawn {
  const fill = make();
  const width = barWidth(plot, series);
  for (let index = 0; index < series.x.length; index++) {
    const value = series.top[index];
    if (value === null || value === undefined) continue;
    const [left, each] = edges(plot, series, index, width);
    const top = plot.valToPos(value, series.axis, true);
    const bottom = plot.valToPos(series.base?.[index] ?? 0, series.axis, true);
    fill.rect(left, Math.min(top, bottom), Math.max(1, each), Math.abs(bottom - top));
  }
  return { stroke: null, fill };
}

/** Left edge and width in canvas pixels; a hair between neighbours keeps them countable. */
function edges(plot: uPlot, series: ChartSeries, index: number, width: number): [number, number] {
  const { group } = series;
  const hair = window.devicePixelRatio;
  if (series.edges !== null) {
    const left = plot.valToPos(series.edges.low[index] ?? 0, "x", true);
    const all = plot.valToPos(series.edges.high[index] ?? 0, "x", true) - left;
    const each = all / group.count;
    return [left + each * group.index + hair / 2, each - hair];
  }
  const each = width / group.count;
  return [plot.valToPos(series.x[index] as number, "x", true) - width / 2 + each * group.index, each - (group.count > 1 ? hair : 0)];
}

/** In canvas pixels. */
function barWidth(plot: uPlot, series: ChartSeries): number {
  const most = WIDTH_MAX_PX * window.devicePixelRatio;
  const step = stepOf(series);
  if (step === null) return most / 4;
  const start = plot.scales["x"]?.min ?? 0;
  return Math.max(1, Math.min(most, SHARE * Math.abs(plot.valToPos(start + step, "x", true) - plot.valToPos(start, "x", true))));
}

/** The usual interval, else the least one, else none. */
export function stepOf(series: ChartSeries): number | null {
  const usual = usualInterval(series.x);
  if (usual !== null) return usual;
  let least = Infinity;
  for (let index = 1; index < series.x.length; index++) {
    const step = (series.x[index] as number) - (series.x[index - 1] as number);
    if (step > 0 && step < least) least = step;
  }
  return Number.isFinite(least) ? least : null;
}
