// Markers: the points that a graph was built from are visible where there is room, at most one in 3 px (V1).
// Closer ones are left to the line; but a point that no line reaches (a gap on both sides) is always marked, or it would not be seen at all.
import type uPlot from "uplot";
import type { Gap } from "../wire/messages";
import type { ChartSeries } from "./model";
import { segmentsOf } from "./segments";

const SPACE_MIN_PX = 3;

/** Diameter in CSS pixels: smaller where they stand close. */
export function markerSize(plot: uPlot, count: number): number {
  const space = plotWidth_px(plot) / Math.max(1, count);
  return Math.max(2.5, Math.min(5, space * 0.6));
}

const plotWidth_px = (plot: uPlot): number => plot.bbox.width / window.devicePixelRatio;

/** In canvas pixels. */
export interface Marker {
  x: number;
  y: number;
  radius: number;
}

export function markerPlaces(plot: uPlot, series: ChartSeries, gaps: readonly Gap[]): Marker[] {
  const ratio = window.devicePixelRatio;
  const count = series.x.length;
  const alone = series.shape === "point";
  // What is estimated is no data point: its line is dashed, and only a value that no line reaches is marked.
  const room = alone || (!series.estimated && plotWidth_px(plot) / Math.max(1, count) >= SPACE_MIN_PX);
  const size = alone ? Math.max(5, markerSize(plot, count)) : markerSize(plot, count);
  const places: Marker[] = [];
  const mark = (index: number): void => {
    const [x, y] = [plot.valToPos(series.x[index] as number, "x", true), plot.valToPos(series.top[index] as number, series.axis, true)];
    places.push({ x, y, radius: (size / 2) * ratio });
  };
  for (const [first, last] of segmentsOf(series, gaps)) {
    if (first === last) mark(first);
    else if (room) for (let index = first; index <= last; index++) mark(index);
  }
  return places;
}

export function drawMarkers(plot: uPlot, series: ChartSeries, gaps: readonly Gap[], ink: string, surface: string): void {
  const { ctx, bbox } = plot;
  const ratio = window.devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left - 4 * ratio, bbox.top - 4 * ratio, bbox.width + 8 * ratio, bbox.height + 8 * ratio);
  ctx.clip();
  ctx.fillStyle = series.estimated ? surface : ink;
  ctx.strokeStyle = ink;
  ctx.lineWidth = ratio;
  ctx.beginPath();
  for (const { x, y, radius } of markerPlaces(plot, series, gaps)) {
    ctx.moveTo(x + radius, y);
    ctx.arc(x, y, radius, 0, 2 * Math.PI);
  }
  ctx.fill();
  if (series.estimated) ctx.stroke();
  ctx.restore();
}
