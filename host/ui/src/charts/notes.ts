// Rules at values and texts at places: what a formatter writes into the picture. Thinner and quieter than data.
import type uPlot from "uplot";
import type { Inks } from "./gaps";
import { lookScale } from "./look";
import type { Model } from "./model";

export function drawNotes(plot: uPlot, model: Model, inks: Inks): void {
  const { ctx, bbox } = plot;
  const ratio = window.devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.font = `${11 * ratio}px system-ui, sans-serif`;
  ctx.textAlign = "left";
  for (const rule of model.rules) {
    const at = plot.valToPos(rule.value, rule.axis, true);
    ctx.strokeStyle = inks.text;
    ctx.lineWidth = ratio;
    ctx.setLineDash([6 * ratio, 3 * ratio]);
    ctx.beginPath();
    if (rule.axis === "x") { ctx.moveTo(at, bbox.top); ctx.lineTo(at, bbox.top + bbox.height); }
    else { ctx.moveTo(bbox.left, at); ctx.lineTo(bbox.left + bbox.width, at); }
    ctx.stroke();
    ctx.fillStyle = inks.text;
    ctx.textBaseline = rule.axis === "x" ? "top" : "bottom";
    ctx.fillText(rule.text, rule.axis === "x" ? at + 3 * ratio : bbox.left + 4 * ratio, rule.axis === "x" ? bbox.top + 2 * ratio : at - 2 * ratio);
  }
  ctx.setLineDash([]);
  ctx.textAlign = "center";
  ctx.textBaseline = "bottom";
  ctx.fillStyle = inks.text;
  ctx.strokeStyle = inks.surface;
  ctx.lineWidth = 4 * ratio;
  ctx.lineJoin = "round";
  for (const { x, y, text, axis } of model.texts) {
    const [left, top] = [plot.valToPos(x, "x", true), plot.valToPos(y, axis, true) - 3 * ratio];
    ctx.strokeText(text, left, top);
    ctx.fillText(text, left, top);
  }
  ctx.restore();
}

/** The present, where it lies within the picture (V8). */
export function drawPresent(plot: uPlot, now: number | null, inks: Inks): void {
  const { ctx, bbox } = plot;
  const [min, max] = [plot.scales["x"]?.min ?? 0, plot.scales["x"]?.max ?? 0];
  if (now === null || now < min || now > max) return;
  const ratio = window.devicePixelRatio;
  const at = Math.round(plot.valToPos(now, "x", true));
  ctx.save();
  ctx.strokeStyle = inks.muted;
  ctx.lineWidth = ratio;
  ctx.setLineDash([2 * ratio, 2 * ratio]);
  ctx.beginPath();
  ctx.moveTo(at, bbox.top - 8 * ratio);
  ctx.lineTo(at, bbox.top + bbox.height);
  ctx.stroke();
  ctx.fillStyle = inks.muted;
  ctx.font = `${10 * ratio * lookScale()}px system-ui, sans-serif`;
  ctx.textAlign = "right";
  ctx.textBaseline = "bottom";
  ctx.fillText("now", at - 3 * ratio, bbox.top + ratio);
  ctx.restore();
}

/** Half the width of the sign of a moment, in CSS pixels. */
const SIGN_PX = 4;

/** Points that came late and counters that began anew (V10): a sign at the foot of the chart, told apart by its form; the words are beneath the chart and under the cursor. */
export function drawMoments(plot: uPlot, model: Model, inks: Inks): void {
  const { ctx, bbox } = plot;
  const ratio = window.devicePixelRatio;
  const size = SIGN_PX * ratio;
  const foot = bbox.top + bbox.height;
  ctx.save();
  for (const { kind, time_ms } of model.moments) {
    const at = plot.valToPos(time_ms, "x", true);
    if (at < bbox.left || at > bbox.left + bbox.width) continue;
    ctx.beginPath();
    if (kind === "reset") {
      ctx.moveTo(at - size, foot - 2 * size);
      ctx.lineTo(at + size, foot - 2 * size);
      ctx.lineTo(at, foot);
    } else {
      ctx.moveTo(at, foot - 2 * size);
      ctx.lineTo(at + size, foot - size);
      ctx.lineTo(at, foot);
      ctx.lineTo(at - size, foot - size);
    }
    ctx.closePath();
    ctx.fillStyle = kind === "reset" ? inks.text : inks.surface;
    ctx.strokeStyle = inks.text;
    ctx.lineWidth = 1.25 * ratio;
    ctx.fill();
    ctx.stroke();
  }
  ctx.restore();
}
