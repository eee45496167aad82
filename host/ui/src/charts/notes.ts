// Rules at values and texts at places: what a formatter writes into the picture. Thinner and quieter than data.
import type uPlot from "uplot";
import type { Inks } from "./gaps";
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
