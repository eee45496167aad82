// What was done to the points, in words beneath the chart: nothing of it may be hidden.
import { duration, short } from "../format";
import type { Gap } from "../wire/messages";
import type { Model } from "./model";

/** Of the formatter (docs/wire.md, extras of a chart). */
export function notesOf(extras: Record<string, string | number> | undefined): string {
  const texts: string[] = [];
  const method = extras?.["weir.whiskers"] ?? extras?.["weir.bins"];
  const downsampled = extras?.["weir.downsampled"];
  const gap_after = extras?.["weir.gap_after"];
  const left_out = extras?.["weir.left_out"] ?? extras?.["weir.series_left_out"];
  if (method !== undefined) texts.push(String(method));
  if (downsampled !== undefined) texts.push(String(downsampled));
  if (gap_after !== undefined) texts.push(`a gap is over ${gap_after}`);
  if (left_out !== undefined) texts.push(`not shown: ${left_out}${typeof left_out === "number" ? " series" : ""}`);
  return texts.join("; ");
}

/** Of points that came late and counters that began anew (V10): how many of each are marked, with the sign that marks them. */
export function momentsNote({ moments }: Model): string {
  const count = (kind: string): number => moments.filter((one) => one.kind === kind).length;
  const [late, resets] = [count("late"), count("reset")];
  return [late > 0 ? `◇ ${late} came late` : "", resets > 0 ? `▼ ${resets} ${resets === 1 ? "counter reset" : "counter resets"}` : ""].filter(Boolean).join(", ");
}

const GAPS_SAID = 3;

/** Why there is no data, where more is known than that: a gap may be too narrow for its words. `▨` is the hatching. */
export function gapsNote(gaps: readonly Gap[]): string {
  const labels = [...new Set(gaps.map(({ label }) => label).filter((label) => label !== "" && !label.startsWith("no data")))];
  const more = labels.length > GAPS_SAID ? `; ${labels.length - GAPS_SAID} more` : "";
  return labels.length === 0 ? "" : `▨ ${labels.slice(0, GAPS_SAID).join("; ")}${more}`;
}

/** From this many samples for a pixel on, the line is a band of the least and the greatest in it, and that is said. */
const DENSE_FROM = 2;
const COUNT = new Intl.NumberFormat("en-US");

/** Of the drawing: every sample goes into the line, so that the least and the greatest of each pixel are seen. */
export function densityNote(model: Model, width_px: number): string {
  let most = 0;
  let span = 0;
  for (const one of model.series) {
    if (one.cell !== null || one.shape === "box" || one.shape === "point" || one.x.length <= most) continue;
    most = one.x.length;
    span = (one.x[most - 1] as number) - (one.x[0] as number);
  }
  if (width_px <= 0 || most / width_px < DENSE_FROM) return "";
  const each = model.xAxis.scale === "time" ? duration(span / 1_000 / width_px) : short(span / width_px);
  return `1 px = ${each}, ${COUNT.format(most)} samples, least and greatest kept`;
}
