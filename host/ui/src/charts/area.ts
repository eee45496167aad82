// Draws an area: filled down to zero, or to the series below where stacked. A band fills between its low and its high and has no zero base.
import type uPlot from "uplot";
import type { Gap } from "../wire/messages";
import type { ChartSeries } from "./model";
import type { Drawn, MakePath } from "./path";
import { segmentsOf } from "./segments";

export function areaPaths(plot: uPlot, series: ChartSeries, gaps: readonly Gap[], make: MakePath): Drawn {
  const stroke = make();
  const fill = make();
  const at = (index: number): number => plot.valToPos(series.x[index] as number, "x", true);
  for (const [first, last] of segmentsOf(series, gaps)) {
    for (let index = first; index <= last; index++) {
      const y = plot.valToPos(series.top[index] as number, series.axis, true);
      for (const path of [stroke, fill]) {
        if (index === first) path.moveTo(at(index), y);
        else path.lineTo(at(index), y);
      }
    }
    for (let index = last; index >= first; index--) {
      fill.lineTo(at(index), plot.valToPos(series.base?.[index] ?? 0, series.axis, true));
    }
    fill.closePath();
  }
  return { stroke, fill };
}
