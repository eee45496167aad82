// Draws a line: straight from point to point, never over a gap. The y axis may start above zero (plot.ts then shows a break mark).
import type uPlot from "uplot";
import type { Gap } from "../wire/messages";
import type { ChartSeries } from "./model";
import type { Drawn, MakePath } from "./path";
import { segmentsOf } from "./segments";

export function linePaths(plot: uPlot, series: ChartSeries, gaps: readonly Gap[], make: MakePath): Drawn {
  const stroke = make();
  for (const [first, last] of segmentsOf(series, gaps)) {
    for (let index = first; index <= last; index++) {
      const x = plot.valToPos(series.x[index] as number, "x", true);
      const y = plot.valToPos(series.top[index] as number, series.axis, true);
      if (index === first) stroke.moveTo(x, y);
      else stroke.lineTo(x, y);
    }
  }
  return { stroke, fill: null };
}
