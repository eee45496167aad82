// One chart of the grid: title, axis names with units, the canvas, what is under the cursor, legend, and its own loading and failed states.
// In: the chart's entry and the store. The canvas is drawn outside of the view library, once for each frame of the browser at most.
import { useEffect, useRef, useState } from "preact/hooks";
import { axisUnit, dateAndClock, duration, exact, withMeasure, zone } from "../format";
import type { LiveSocket } from "../live/socket";
import type { ChartPicture, Store } from "../live/store";
import type { Axis, ChartEntry } from "../wire/messages";
import { Failed, Skeleton } from "../parts/states";
import { DataTable } from "./data-table";
import { buildModel, type Model } from "./model";
import { Plot, type Reading } from "./plot";

const axisName = (axis: Axis): string => {
  return `${axis.label}, ${axisUnit(axis.measure)}${axis.scale === "log" ? " (log scale)" : ""}`;
};
const timeUnit = (axis: Axis): string => (axis.scale === "time" ? `${axis.label}, ${zone()}` : axisName(axis));

/** The newest time of all charts that are near the present: they share their right edge. */
function commonEnd(): number {
  let end = 0;
  for (const chart of Object.values(window.__weir.charts)) end = Math.max(end, chart.newest_time_ms ?? 0);
  return end;
}

const spoken = (picture: ChartPicture | undefined, entry: ChartEntry): string => `${picture?.description.summary || entry.title} Arrow keys move the cursor.`;

interface Shown {
  model: Model;
  picture: ChartPicture;
  direct: boolean;
  inks: string[];
  /** Whether a series is dotted because its colour is taken. */
  dotted: boolean[];
  notes: string;
}

/** What the formatter did to the points, in words: nothing of it may be hidden. */
function notesOf(extras: Record<string, string | number> | undefined): string {
  const texts: string[] = [];
  const downsampled = extras?.["weir.downsampled"];
  const method = extras?.["weir.whiskers"] ?? extras?.["weir.bins"];
  const gap_after = extras?.["weir.gap_after"];
  const left_out = extras?.["weir.left_out"] ?? extras?.["weir.series_left_out"];
  if (method !== undefined) texts.push(String(method));
  if (downsampled !== undefined) texts.push(String(downsampled));
  if (gap_after !== undefined) texts.push(`a gap is over ${gap_after}`);
  if (left_out !== undefined) texts.push(`not shown: ${left_out}${typeof left_out === "number" ? " series" : ""}`);
  return texts.join("; ");
}

export function Chart({ entry, store, socket, theme }: { entry: ChartEntry; store: Store; socket: LiveSocket; theme: string }) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | null>(null);
  const [shown, setShown] = useState<Shown | null>(null);
  const [failure, setFailure] = useState<string | null>(store.chartErrors.get(entry.id) ?? null);
  const [reading, setReading] = useState<Reading | null>(null);
  const [asTable, setAsTable] = useState(false);

  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    const canvas = new Plot(element, setReading);
    plot.current = canvas;
    let waiting = 0;
    let drawn_at_ms = 0;
    let signature = "";
    const draw = (): void => {
      waiting = 0;
      drawn_at_ms = performance.now();
      setFailure(store.chartErrors.get(entry.id) ?? null);
      const picture = store.pictures.get(entry.id);
      if (picture === undefined || element.clientWidth === 0) return;
      const model = buildModel(picture.description, picture.tables);
      canvas.draw(model, commonEnd(), element.clientWidth);
      socket.resized(element.clientWidth, element.clientHeight);
      // The summary changes with each picture: set here, so that the view need not be made anew for it.
      element.setAttribute("aria-label", spoken(picture, entry));
      element.dataset["newest"] = String(picture.newest_unix_ns ?? "");
      const inks = model.series.map((_, index) => canvas.ink(index));
      const dotted = model.series.map((_, index) => canvas.repeated(index));
      const notes = notesOf(picture.description.extras);
      const next = JSON.stringify([inks, dotted, notes, model.series.map((one) => [one.label, one.estimated]), model.xAxis, model.yAxes, canvas.direct, picture.description.title, model.undrawn.length, model.rows, model.series.every((one) => one.x.length === 0)]);
      if (next !== signature) {
        signature = next;
        setShown({ model, picture, direct: canvas.direct, inks, dotted, notes });
      }
    };
    const soon = (): void => {
      if (waiting === 0) waiting = requestAnimationFrame(draw);
    };
    const ends = [store.listen(`chart:${entry.id}`, soon)];
    // Without frames of its own a chart still moves on with the others, and its gap grows.
    const clockTimer = window.setInterval(() => {
      if (performance.now() - drawn_at_ms > 900) soon();
    }, 1_000);
    const resize = new ResizeObserver(soon);
    resize.observe(element);
    soon();
    return () => {
      for (const end of ends) end();
      window.clearInterval(clockTimer);
      resize.disconnect();
      cancelAnimationFrame(waiting);
      canvas.destroy();
    };
  }, [entry.id, store, socket, theme]);

  const picture = store.pictures.get(entry.id);
  /** Where there is nothing but rows, they are what is shown first. */
  const onlyRows = shown !== null && shown.model.rows && shown.model.series.length === 0;
  const rows = asTable || onlyRows;
  const empty = shown !== null && shown.model.series.every((one) => one.x.length === 0);
  const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };
  return (
    <article class="chart" aria-labelledby={`title-${entry.id}`}>
      <header>
        <h3 id={`title-${entry.id}`}>{picture?.description.title || entry.title}</h3>
        {shown && !onlyRows && <span class="y-name">{shown.model.yAxes.map(axisName).join(" · right: ")}</span>}
        {shown && !onlyRows && (
          <button type="button" class="quiet" aria-pressed={asTable} aria-label={`${asTable ? "chart" : "table"} of ${entry.title}`} onClick={() => setAsTable(!asTable)}>
            {asTable ? "chart" : "table"}
          </button>
        )}
      </header>
      {failure !== null && <Failed what="This chart could not be drawn" why={failure} />}
      {shown === null && failure === null && <Skeleton label={`waiting for ${entry.title}`} tall />}
      <div
        ref={host}
        class={shown && !rows ? "canvas" : "canvas unseen"}
        tabIndex={shown ? 0 : -1}
        role="img"
        aria-label={spoken(picture, entry)}
        onKeyDown={(event) => {
          const step = steps[event.key];
          if (step !== undefined) {
            event.preventDefault();
            plot.current?.step(step);
          }
        }}
        onBlur={() => plot.current?.clearCursor()}
      >
        {empty && <p class="over-canvas">no points yet</p>}
        {reading && <Tooltip reading={reading} width={host.current?.clientWidth ?? 0} />}
      </div>
      {rows && picture && <DataTable tables={picture.tables} newestFirst={!onlyRows} />}
      {shown && onlyRows && shown.notes !== "" && <footer><span>{shown.notes}</span></footer>}
      {shown && !rows && (
        <footer>
          {shown.direct || <Legend shown={shown} />}
          {shown.notes !== "" && <span>{shown.notes}</span>}
          <span class="x-name">{timeUnit(shown.model.xAxis)}</span>
        </footer>
      )}
      {shown && !rows && shown.model.undrawn.length > 0 && picture && (
        <>
          <p class="note">{shown.model.undrawn.map(({ mark, why }) => `"${mark.label}" is not drawn: ${why}.`).join(" ")}</p>
          <DataTable tables={picture.tables} newestFirst />
        </>
      )}
    </article>
  );
}

/** A legend of more than three lines scrolls, so that it does not push the other charts away; then it can have the focus. */
const LEGEND_SCROLLS_FROM = 3;

function Legend({ shown }: { shown: Shown }) {
  return (
    <ul class="legend" tabIndex={shown.model.series.length > LEGEND_SCROLLS_FROM ? 0 : -1} aria-label="series">
      {shown.model.series.map((one, index) => (
        <li key={`${one.label}-${index}`}>
          <i class={`swatch ${one.estimated ? "dashed" : shown.dotted[index] ? "dotted" : one.shape}`} style={{ color: shown.inks[index] ?? "" }} aria-hidden="true" />
          {one.label}
          {one.estimated && <em> (estimated)</em>}
        </li>
      ))}
    </ul>
  );
}

function Tooltip({ reading, width }: { reading: Reading; width: number }) {
  const there = reading.values.filter((one) => one.value !== null);
  const time = reading.x > 1e11;
  if (!reading.own) {
    return there.length === 0 ? null : (
      <div class="linked" style={linkedPlace(reading, width)} aria-hidden="true">
        {there.slice(0, 4).map((one) => (
          <span key={one.name}>
            <i class="swatch point" style={{ color: one.ink }} />
            {withMeasure(one.value ?? 0, one.measure)}
          </span>
        ))}
      </div>
    );
  }
  const right = reading.left_px > width / 2;
  return (
    <div class="tooltip" style={right ? { right: `${width - reading.left_px + 10}px` } : { left: `${reading.left_px + 10}px` }} role="status">
      <time title={duration((Date.now() - reading.x) / 1000)}>{time ? dateAndClock(reading.x) : exact(reading.x)}</time>
      {reading.values.map((one) => (
        <div key={one.name} class="reading">
          <i class="swatch point" style={{ color: one.ink }} aria-hidden="true" />
          <span>{one.name}</span>
          <b>{one.value === null ? "no point" : exact(one.value, one.measure)}</b>
          {one.samples > 1 && <small>{`${one.samples} in this pixel, ${withMeasure(one.min, one.measure)} to ${withMeasure(one.max, one.measure)}`}</small>}
        </div>
      ))}
    </div>
  );
}

function linkedPlace(reading: Reading, width: number): Record<string, string> {
  return reading.left_px > width / 2 ? { right: `${width - reading.left_px + 6}px` } : { left: `${reading.left_px + 6}px` };
}

