// Draws bars from zero (or from the bar below where stacked), four fifths of the usual interval wide; those of a group stand side by side.
import type uPlot from "uplot";
import { usualInterval, type ChartSeries } from "./model";

const SHARE = 0.8;
const WIDTH_MAX_PX = 40;

export function barPaths(plot: uPlot, series: ChartSeries): uPlot.Series.Paths {
  const fill = new Path2D();
  const width = barWidth(plot, series);
  const each = width / series.group.count;
  for (let index = 0; index < series.x.length; index++) {
    const value = series.top[index];
    if (value === null || value === undefined) continue;
    const left = plot.valToPos(series.x[index] as number, "x", true) - width / 2 + each * series.group.index;
    const top = plot.valToPos(value, series.axis, true);
    const bottom = plot.valToPos(series.base?.[index] ?? 0, series.axis, true);
    fill.rect(left, Math.min(top, bottom), Math.max(1, each - (series.group.count > 1 ? 1 : 0)), Math.abs(bottom - top));
  }
  return { stroke: null, fill, clip: null, flags: 0 };
}

/** In canvas pixels. */
function barWidth(plot: uPlot, series: ChartSeries): number {
  const most = WIDTH_MAX_PX * window.devicePixelRatio;
  const step = stepOf(series);
  if (step === null) return most / 4;
  const start = plot.scales.x?.min ?? 0;
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
