// No data: no line crosses it, it is shaded, hatched and named (V2).
// In: the gaps of the description and the span after the newest point of a chart that fell behind the others. Out: canvas drawing, and whether a line may go on.
import type uPlot from "uplot";
import type { Gap } from "../wire/messages";
import { duration } from "../format";

export interface Inks {
  surface: string;
  text: string;
  muted: string;
  rule: string;
  gap: string;
}

/** Of the strip that stands for a gap in one of several tables. */
const STRIP_PX = 14;

/** The gap after the last point, when it is more than 2.5 usual intervals old: the line ends there and is not extended. */
export function trailingGap(newest: number | null, end: number, interval: number | null): Gap | null {
  if (newest === null || interval === null || end - newest <= 2.5 * interval) return null;
  return { table: "", start_ms: newest, end_ms: end, label: "" };
}

export function gapLabel(gap: Gap): string {
  return gap.label === "" ? `no data ${duration((gap.end_ms - gap.start_ms) / 1000)}` : gap.label;
}

/** Whether a line of this table from one x to the next would cross a gap. */
export function crossesGap(gaps: readonly Gap[], table: string, from: number, to: number): boolean {
  return gaps.some((gap) => (gap.table === "" || gap.table === table) && from <= gap.start_ms && to >= gap.end_ms);
}

/** Behind the data: shade and hatch. A gap of one table among several takes a strip at the foot only, since the others have data there. */
export function shadeGaps(plot: uPlot, gaps: readonly Gap[], tables: number, inks: Inks): void {
  const { ctx } = plot;
  const ratio = window.devicePixelRatio;
  for (const { left, width, top, height } of gapPlaces(plot, gaps, tables)) {
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, width, height);
    ctx.clip();
    ctx.fillStyle = inks.gap;
    ctx.fillRect(left, top, width, height);
    ctx.strokeStyle = inks.muted;
    ctx.globalAlpha = 0.28;
    ctx.lineWidth = ratio;
    ctx.beginPath();
    for (let x = left - height; x < left + width; x += 7 * ratio) {
      ctx.moveTo(x, top + height);
      ctx.lineTo(x + height, top);
    }
    ctx.stroke();
    ctx.restore();
  }
}

/** Over the data: the name, where it fits (upright where there is little width). */
export function nameGaps(plot: uPlot, gaps: readonly Gap[], tables: number, inks: Inks): void {
  const { ctx } = plot;
  const ratio = window.devicePixelRatio;
  ctx.save();
  ctx.font = `${11 * ratio}px system-ui, sans-serif`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  for (const { left, width, top, height, gap, partial } of gapPlaces(plot, gaps, tables)) {
    const label = partial ? `${gap.table}: ${gapLabel(gap)}` : gapLabel(gap);
    const textWidth = ctx.measureText(label).width;
    const upright = textWidth + 8 * ratio > width;
    if (upright && (width < 14 * ratio || textWidth > height)) continue;
    ctx.save();
    ctx.translate(left + width / 2, top + height / 2);
    if (upright) ctx.rotate(-Math.PI / 2);
    ctx.fillStyle = inks.surface;
    ctx.globalAlpha = 0.85;
    ctx.fillRect(-textWidth / 2 - 3 * ratio, -7 * ratio, textWidth + 6 * ratio, 14 * ratio);
    ctx.globalAlpha = 1;
    ctx.fillStyle = inks.text;
    ctx.fillText(label, 0, 0);
    ctx.restore();
  }
  ctx.restore();
}

/** In canvas pixels. */
export interface GapPlace {
  left: number;
  width: number;
  top: number;
  height: number;
  gap: Gap;
  partial: boolean;
}

export function* gapPlaces(plot: uPlot, gaps: readonly Gap[], tables: number): Generator<GapPlace> {
  const { bbox } = plot;
  const strip = STRIP_PX * window.devicePixelRatio;
  for (const gap of gaps) {
    const left = Math.max(bbox.left, plot.valToPos(gap.start_ms, "x", true));
    const right = Math.min(bbox.left + bbox.width, plot.valToPos(gap.end_ms, "x", true));
    if (right - left < 1) continue;
    const partial = gap.table !== "" && tables > 1;
    const height = partial ? Math.min(strip, bbox.height) : bbox.height;
    yield { left, width: right - left, top: bbox.top + bbox.height - height, height, gap, partial };
  }
}
