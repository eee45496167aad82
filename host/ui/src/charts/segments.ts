// The runs of points that a line may join: cut where a value is not there and where a gap lies between (V2).
// In: a series and the gaps. Out: [first, last] indexes, both included; a run of one point is a point that only a marker can show.
import type { Gap } from "../wire/messages";
import { crossesGap } from "./gaps";
import type { ChartSeries } from "./model";

export type Segment = [first: number, last: number];

export function segmentsOf(series: ChartSeries, gaps: readonly Gap[]): Segment[] {
  const segments: Segment[] = [];
  const own = gaps.filter((gap) => gap.table === "" || gap.table === series.table);
  let first = -1;
  for (let index = 0; index < series.x.length; index++) {
    const there = series.top[index] !== null && series.top[index] !== undefined;
    if (!there) {
      if (first >= 0) segments.push([first, index - 1]);
      first = -1;
      continue;
    }
    if (first >= 0 && own.length > 0 && crossesGap(own, series.table, series.x[index - 1] as number, series.x[index] as number)) {
      segments.push([first, index - 1]);
      first = index;
    }
    if (first < 0) first = index;
  }
  if (first >= 0) segments.push([first, series.x.length - 1]);
  return segments;
}
