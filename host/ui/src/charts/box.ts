// Draws boxes: from the first to the third quartile with a line at the median, and whiskers to the low and the high value.
// In: a series with `box`; its y is the median. Out: paths in canvas pixels; a box is half of the distance of two wide.
import type uPlot from "uplot";
import type { ChartSeries } from "./model";
import type { Drawn, MakePath } from "./path";

const SHARE = 0.5;
const WIDTH_MAX_PX = 48;
const WIDTH_MIN_PX = 4;

export function boxPaths(plot: uPlot, series: ChartSeries, make: MakePath): Drawn {
  const stroke = make();
  const fill = make();
  const ratio = window.devicePixelRatio;
  const distance = Math.abs(plot.valToPos(1, "x", true) - plot.valToPos(0, "x", true));
  const width = Math.max(WIDTH_MIN_PX * ratio, Math.min(WIDTH_MAX_PX * ratio, SHARE * distance));
  const line = (x1: number, y1: number, x2: number, y2: number): void => {
    stroke.moveTo(x1, y1);
    stroke.lineTo(x2, y2);
  };
  for (let index = 0; index < series.x.length; index++) {
    const [low, q1, median, q3, high] = [series.box?.low[index], series.box?.q1[index], series.top[index], series.box?.q3[index], series.box?.high[index]].map((value) =>
      value === null || value === undefined ? null : plot.valToPos(value, series.axis, true),
    ) as (number | null)[];
    const x = plot.valToPos(series.x[index] as number, "x", true);
    if (q1 === null || q1 === undefined || q3 === null || q3 === undefined) continue;
    fill.rect(x - width / 2, q3, width, q1 - q3);
    stroke.rect(x - width / 2, q3, width, q1 - q3);
    if (median !== null && median !== undefined) {
      // Twice as thick as the box.
      line(x - width / 2, median - ratio / 2, x + width / 2, median - ratio / 2);
      line(x - width / 2, median + ratio / 2, x + width / 2, median + ratio / 2);
    }
    for (const [from, to] of [[q1, low], [q3, high]] as const) {
      if (to === null || to === undefined) continue;
      line(x, from, x, to);
      line(x - width / 4, to, x + width / 4, to);
    }
  }
  return { stroke, fill };
}
