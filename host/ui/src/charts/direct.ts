// Direct labels: the name of each line at its end, so that no legend is needed where there is room.
// Labels that would touch are pushed apart; a short leader joins a pushed one with its line.
import type uPlot from "uplot";
import type { Inks } from "./gaps";
import { lookScale } from "./look";
import type { ChartSeries } from "./model";

const LINE_PX = 14;
const SWATCH_PX = 9;
export const DIRECT_MAX = 8;
const LABEL_MAX_PX = 180;
const FONT_PX = 11.5;
const ESTIMATED = " (estimated)";
const font = (ratio: number): string => `${FONT_PX * ratio * lookScale()}px system-ui, sans-serif`;

export const seriesName = (series: ChartSeries): string => (series.estimated ? series.label + ESTIMATED : series.label);

/** Room at the right for these names, in CSS pixels. */
export function directWidth(names: readonly string[]): number {
  const ctx = document.createElement("canvas").getContext("2d");
  if (ctx === null) return LABEL_MAX_PX;
  ctx.font = font(1);
  const widest = Math.max(0, ...names.map((name) => ctx.measureText(name).width));
  return Math.min(LABEL_MAX_PX * lookScale(), Math.ceil(widest)) + SWATCH_PX + 12;
}

interface Placed {
  series: ChartSeries;
  ink: string;
  wanted: number;
  y: number;
}

export function drawDirectLabels(plot: uPlot, series: readonly ChartSeries[], inkOf: (index: number) => string, inks: Inks): void {
  const { ctx, bbox } = plot;
  const ratio = window.devicePixelRatio;
  const placed: Placed[] = [];
  series.forEach((one, index) => {
    const y = endOf(plot, one);
    if (y !== null) placed.push({ series: one, ink: inkOf(index), wanted: y, y });
  });
  spread(placed, bbox.top, bbox.top + bbox.height, LINE_PX * ratio * lookScale());
  ctx.save();
  ctx.font = font(ratio);
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  const left = bbox.left + bbox.width + 6 * ratio;
  for (const { series: one, ink, y } of placed) {
    ctx.fillStyle = ink;
    if (one.shape === "line" || one.estimated) {
      ctx.strokeStyle = ink;
      ctx.lineWidth = 2 * ratio;
      ctx.setLineDash(one.estimated ? [3 * ratio, 2 * ratio] : []);
      ctx.beginPath();
      ctx.moveTo(left, y);
      ctx.lineTo(left + SWATCH_PX * ratio, y);
      ctx.stroke();
    } else if (one.shape === "point") {
      ctx.beginPath();
      ctx.arc(left + (SWATCH_PX / 2) * ratio, y, 3 * ratio, 0, 2 * Math.PI);
      ctx.fill();
    } else {
      ctx.fillRect(left, y - 4 * ratio, SWATCH_PX * ratio, 8 * ratio);
    }
    ctx.fillStyle = inks.text;
    ctx.fillText(cutToWidth(ctx, one.label, one.estimated ? ESTIMATED : "", LABEL_MAX_PX * ratio * lookScale()), left + (SWATCH_PX + 4) * ratio, y);
  }
  ctx.restore();
}

/** Where the series ends; of a stacked one the middle of its last slice. */
function endOf(plot: uPlot, series: ChartSeries): number | null {
  for (let index = series.x.length - 1; index >= 0; index--) {
    const top = series.top[index];
    if (top === null || top === undefined) continue;
    const base = series.base?.[index];
    return plot.valToPos(base === null || base === undefined ? top : (top + base) / 2, series.axis, true);
  }
  return null;
}

function spread(placed: Placed[], top: number, bottom: number, line: number): void {
  placed.sort((a, b) => a.wanted - b.wanted);
  let floor = top + line / 2;
  for (const one of placed) {
    one.y = Math.max(one.wanted, floor);
    floor = one.y + line;
  }
  let ceiling = bottom - line / 2;
  for (const one of [...placed].reverse()) {
    one.y = Math.min(one.y, ceiling);
    ceiling = one.y - line;
  }
}

/** Measuring text costs more than drawing it, and labels stay: what was cut is kept. */
const cuts = new Map<string, string>();
const CUTS_MAX = 512;

function cutToWidth(ctx: CanvasRenderingContext2D, text: string, end: string, width: number): string {
  const key = `${ctx.font}|${width}|${end}|${text}`;
  const known = cuts.get(key);
  if (known !== undefined) return known;
  if (cuts.size >= CUTS_MAX) cuts.clear();
  const cut = measuredCut(ctx, text, end, width);
  cuts.set(key, cut);
  return cut;
}

/** The end of the text is kept: that it is estimated must be read. */
function measuredCut(ctx: CanvasRenderingContext2D, text: string, end: string, width: number): string {
  if (ctx.measureText(text + end).width <= width) return text + end;
  let cut = text;
  while (cut.length > 1 && ctx.measureText(`${cut}…${end}`).width > width) cut = cut.slice(0, -1);
  return `${cut}…${end}`;
}
