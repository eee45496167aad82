// Heat maps and state strips: rectangles with edges of their own. In: a series with cells. Out: their places in canvas pixels, which the canvas and the export both fill.
import type uPlot from "uplot";
import type { ChartSeries } from "./model";

export interface Cell {
  left: number;
  top: number;
  width: number;
  height: number;
  /** Of a heat map: 0 to 1 of the greatest value. */
  share: number;
  /** Of a strip: the state and how bad it is (0 ok, 1 information, 2 warning, 3 critical, 4 unknown). */
  text: string;
  level: number;
}

/** A strip takes this much of the height of its name's place. */
const STRIP_SHARE = 0.62;

export function* cellsOf(plot: uPlot, series: ChartSeries): Generator<Cell> {
  const { cell } = series;
  if (cell === null) return;
  const { bbox } = plot;
  const strip = series.shape === "state";
  for (let row = 0; row < series.x.length; row++) {
    const value = series.y[row] ?? null;
    if (!strip && value === null) continue;
    const [low, high] = [cell.yLow[row], cell.yHigh[row]];
    if (low === undefined || high === undefined) continue;
    const left = Math.max(bbox.left, plot.valToPos(cell.xLow[row] as number, "x", true));
    const right = Math.min(bbox.left + bbox.width, plot.valToPos(cell.xHigh[row] as number, "x", true));
    if (right - left <= 0) continue;
    const [bottom, top] = [plot.valToPos(low, series.axis, true), plot.valToPos(high, series.axis, true)];
    const height = Math.abs(bottom - top) * (strip ? STRIP_SHARE : 1);
    const middle = (bottom + top) / 2;
    yield { left, width: right - left, top: middle - height / 2, height, share: value === null || cell.most <= 0 ? 0 : value / cell.most, text: cell.text[row] ?? "", level: cell.level[row] ?? 0 };
  }
}

export const LEVELS: { shape: string; ink: string; soft: string; word: string }[] = [
  { shape: "●", ink: "--good", soft: "--good-soft", word: "ok" }, { shape: "○", ink: "--accent", soft: "--accent-soft", word: "information" },
  { shape: "◆", ink: "--warn", soft: "--warn-soft", word: "warning" }, { shape: "▲", ink: "--bad", soft: "--bad-soft", word: "critical" },
  { shape: "?", ink: "--off", soft: "--off-soft", word: "unknown" },
];

/** From the colour of nothing to the colour of the most, by steps that the eye sees as equal; a cell with any value differs from an empty one. */
export function heatColour(share: number, dark: boolean): string {
  const [from, to] = dark ? [[27, 60, 66], [190, 247, 240]] : [[214, 234, 234], [4, 56, 62]];
  const at = Math.sqrt(Math.max(0, Math.min(1, share)));
  const mixed = (from ?? []).map((part, index) => Math.round(part + ((to?.[index] ?? part) - part) * at));
  return `rgb(${mixed.join(" ")})`;
}

export function drawCells(plot: uPlot, series: ChartSeries, dark: boolean): void {
  const { ctx } = plot;
  const ratio = window.devicePixelRatio;
  const style = getComputedStyle(document.documentElement);
  ctx.save();
  ctx.font = `${11 * ratio}px system-ui, sans-serif`;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  for (const cell of cellsOf(plot, series)) {
    if (series.shape === "heat") {
      ctx.fillStyle = heatColour(cell.share, dark);
      // Half a pixel more, so that neighbours leave no seam.
      ctx.fillRect(cell.left, cell.top, cell.width + 0.5, cell.height + 0.5);
      continue;
    }
    const level = LEVELS[cell.level] ?? LEVELS[4];
    if (level === undefined) continue;
    ctx.fillStyle = style.getPropertyValue(level.soft).trim();
    ctx.fillRect(cell.left, cell.top, Math.max(ratio, cell.width - ratio), cell.height);
    ctx.fillStyle = style.getPropertyValue(level.ink).trim();
    ctx.fillRect(cell.left, cell.top + cell.height - 3 * ratio, Math.max(ratio, cell.width - ratio), 3 * ratio);
    const text = `${level.shape} ${cell.text}`;
    const room = cell.width - 8 * ratio;
    if (ctx.measureText(text).width <= room) ctx.fillText(text, cell.left + 4 * ratio, cell.top + cell.height / 2 - ratio);
    else if (room >= 8 * ratio) ctx.fillText(level.shape, cell.left + 4 * ratio, cell.top + cell.height / 2 - ratio);
  }
  ctx.restore();
}
