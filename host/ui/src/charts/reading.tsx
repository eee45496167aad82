// What is said beside a canvas: the legend, the scale of colours, and the values under the cursor.
import { axisUnit, dateAndClock, duration, exact, withMeasure } from "../format";
import type { Axis } from "../wire/messages";
import { heatColour } from "./cells";
import type { Model } from "./model";
import type { Reading } from "./plot";

export interface Shown {
  model: Model;
  /** Of the y axes, with their units. */
  yNames: string[];
  direct: boolean;
  inks: string[];
  /** Whether a series is dotted because its colour is taken. */
  dotted: boolean[];
  notes: string;
}

/** What stands for a shape in the legend; others are a filled square. */
const SWATCHES: Partial<Record<string, string>> = { line: "line", point: "point" };

/** `measure`: in which it is written, where that is not its own (ms instead of ns). */
export const axisName = (axis: Axis, measure = axis.measure): string => {
  if (axis.scale === "band") return axis.label;
  return `${axis.label}, ${axisUnit(measure)}${axis.scale === "log" ? " (log scale)" : ""}`;
};

const COLOUR_STEPS = 6;

/** What the colours of a heat map mean: from nothing to the most. */
export function ColourScale({ model, dark }: { model: Model; dark: boolean }) {
  const axis = model.colourAxis;
  if (axis === null) return null;
  const most = Math.max(0, ...model.series.map((one) => one.cell?.most ?? 0));
  const steps = Array.from({ length: COLOUR_STEPS }, (_, step) => step / (COLOUR_STEPS - 1));
  return (
    <span class="colour-scale">
      {`${axisName(axis)}: 0 `}
      {steps.map((share) => <i key={share} style={{ background: heatColour(share, dark) }} aria-hidden="true" />)}
      {` ${withMeasure(most, axis.measure)}`}
    </span>
  );
}

/** More names would push the other charts away: a small chart names so many and says how many there are beside. */
const LEGEND_MAX = 8;
/** A long legend of a large chart scrolls; then it can have the focus. */
const LEGEND_SCROLLS_FROM = 24;

/** `more`: where all are named; without it all are named here. */
export function Legend({ shown, more }: { shown: Shown; more?: string }) {
  const { series } = shown.model;
  const cut = more !== undefined && series.length > LEGEND_MAX ? LEGEND_MAX - 1 : series.length;
  return (
    <ul class="legend" tabIndex={more === undefined && series.length > LEGEND_SCROLLS_FROM ? 0 : -1} aria-label="series">
      {series.slice(0, cut).map((one, index) => one.cell === null && (
        <li key={`${one.label}-${index}`}>
          <i class={`swatch ${one.estimated ? "dashed" : shown.dotted[index] ? "dotted" : SWATCHES[one.shape] ?? "filled"}`} style={{ color: shown.inks[index] ?? "" }} aria-hidden="true" />
          {one.label}
          {one.estimated && <em> (estimated)</em>}
        </li>
      ))}
      {cut < series.length && <li><a href={more ?? ""}>{`and ${series.length - cut} more`}</a></li>}
    </ul>
  );
}

export function Tooltip({ reading, width }: { reading: Reading; width: number }) {
  const there = reading.values.filter((one) => one.value !== null);
  const time = reading.time;
  if (!reading.own) {
    return there.length === 0 ? null : (
      <div class="linked" style={linkedPlace(reading, width)} aria-hidden="true">
        {there.slice(0, 4).map((one) => (
          <span key={one.name}>
            <i class="swatch point" style={{ color: one.ink }} />
            {one.text !== "" && !one.text.startsWith("box") ? one.text : withMeasure(one.value ?? 0, one.measure)}
          </span>
        ))}
      </div>
    );
  }
  const right = reading.left_px > width / 2;
  return (
    <div class="tooltip" style={right ? { right: `${width - reading.left_px + 10}px` } : { left: `${reading.left_px + 10}px` }} role="status">
      <time title={duration((Date.now() - reading.x) / 1000)}>{time ? dateAndClock(reading.x) : reading.place}</time>
      {reading.values.map((one, index) => (
        <div key={`${one.name} ${index}`} class="reading">
          <i class="swatch point" style={{ color: one.ink }} aria-hidden="true" />
          <span>{one.name}</span>
          <b>{one.value === null ? "no point" : one.text.startsWith("box") || one.text === "" ? exact(one.value, one.measure) : one.text}</b>
          {one.text.startsWith("box") && <small>{one.text}</small>}
          {one.samples > 1 && <small>{`${one.samples} in this pixel, ${withMeasure(one.min, one.measure)} to ${withMeasure(one.max, one.measure)}`}</small>}
        </div>
      ))}
      {reading.moments.map((text, index) => <small key={`${text} ${index}`} class="moment">{text}</small>)}
    </div>
  );
}

function linkedPlace(reading: Reading, width: number): Record<string, string> {
  return reading.left_px > width / 2 ? { right: `${width - reading.left_px + 6}px` } : { left: `${reading.left_px + 6}px` };
}

