// One chart: title, axis names with units, the canvas, what is under the cursor, legend, export, and its own loading and failed states.
// In: the chart's entry and the store; `large` where it is alone on the page. The canvas is drawn outside of the view library, once for each frame of the browser at most.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { zone } from "../format";
import type { LiveSocket } from "../live/socket";
import type { ChartPicture, Store } from "../live/store";
import type { Axis, ChartEntry } from "../wire/messages";
import { Failed, Skeleton } from "../parts/states";
import { hashOf, parseRoute, setQuery } from "../route";
import { DataTable } from "./data-table";
import { ExportMenu } from "./export-menu";
import { watchInView } from "./in-view";
import { buildModel, type Model } from "./model";
import { HEIGHT_PX, Plot, type Reading } from "./plot";
import { densityNote, gapsNote, momentsNote, notesOf } from "./said";
import { axisName, ColourScale, Legend, Tooltip, type Shown } from "./reading";
import { turns } from "./turns";

const HEIGHT_LARGE_PX = 420;
/** Without frames of its own a chart still moves on with the others, and its gap grows. */
const TICK_MS = 1_000;

const timeUnit = (axis: Axis): string => (axis.scale === "time" ? `${axis.label}, ${zone()}` : axisName(axis));

/** The newest time of all charts that are near the present: they share their right edge. */
function commonEnd(): number {
  let end = 0;
  for (const chart of Object.values(window.__weir.charts)) end = Math.max(end, chart.newest_time_ms ?? 0);
  return end;
}

/** What the formatter says of the picture, and why data are missing where that is known. */
const spoken = (picture: ChartPicture | undefined, entry: ChartEntry): string =>
  [picture?.description.summary || entry.title, gapsNote(picture?.description.gaps ?? []).replace("▨ ", "Gap: "), "Arrow keys move the cursor."].filter(Boolean).join(" ");

interface Look {
  entry: ChartEntry;
  store: Store;
  socket: LiveSocket;
  theme: string;
  large?: boolean;
  /** Of the canvas, in CSS pixels; left out: the usual one. */
  height?: number;
  /** Tracks of the grid. */
  span?: number;
}

/** Ids of the charts that are shown as tables. */
const tablesInUrl = (): string[] => (parseRoute(location.hash).query["table"] ?? "").split(",").filter((id) => id !== "");

const KEY_STEPS: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };

export function Chart({ entry, store, socket, theme, large = false, height = large ? HEIGHT_LARGE_PX : HEIGHT_PX, span }: Look) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | null>(null);
  const [shown, setShown] = useState<Shown | null>(null);
  const [failure, setFailure] = useState<string | null>(store.chartErrors.get(entry.id) ?? null);
  const [reading, setReading] = useState<Reading | null>(null);
  const [asTable, setAsTable] = useState(() => tablesInUrl().includes(entry.id));

  // Before the paint: the first picture may be at hand already.
  useLayoutEffect(() => {
    const element = host.current;
    if (element === null) return;
    const canvas = new Plot(element, setReading);
    plot.current = canvas;
    let drawn_at_ms = 0;
    let signature = "";
    let inView = true;
    let last: { picture: ChartPicture; model: Model } | null = null;
    const draw = (): void => {
      drawn_at_ms = performance.now();
      setFailure(store.chartErrors.get(entry.id) ?? null);
      const picture = store.pictures.get(entry.id);
      if (picture === undefined || element.clientWidth === 0) return;
      // Between two pictures only the time moves on.
      if (last?.picture !== picture) last = { picture, model: buildModel(picture.description, picture.tables) };
      const { model } = last;
      canvas.draw(model, commonEnd(), element.clientWidth, height, store.hostNow_ms());
      socket.resized(entry.id, element.clientWidth, element.clientHeight);
      store.drawn(entry.id);
      // The summary changes with each picture: set here, so that the view need not be made anew for it.
      element.setAttribute("aria-label", spoken(picture, entry));
      element.dataset["newest"] = String(picture.newest_unix_ns ?? "");
      const inks = model.series.map((_, index) => canvas.ink(index));
      const dotted = model.series.map((_, index) => canvas.repeated(index));
      const measures = canvas.measures();
      const notes = [notesOf(picture.description.extras), momentsNote(model), gapsNote(model.gaps), densityNote(model, element.clientWidth)].filter(Boolean).join("; ");
      const next = JSON.stringify([
        inks, dotted, notes, measures, model.series.map((one) => [one.label, one.estimated, one.shape]), model.xAxis, model.yAxes, model.colourAxis, canvas.direct, picture.description.title,
        model.undrawn.length, model.rows, model.series.every((one) => one.x.length === 0), model.colourAxis === null ? 0 : model.series.map((one) => one.cell?.most),
      ]);
      if (next !== signature) {
        signature = next;
        setShown({ model, yNames: model.yAxes.map((axis, index) => axisName(axis, measures[index])), direct: canvas.direct, inks, dotted, notes });
      }
    };
    const soon = (): void => {
      // What is scrolled away is drawn once, so that it is there, and then no more.
      if (!inView && last !== null) return;
      // The first picture of the page does not wait for its turn.
      if (store.isFirst(entry.id)) draw();
      else turns.ask(draw);
    };
    const endView = watchInView(element, (seen) => {
      const comes = seen && !inView;
      inView = seen;
      if (comes) soon();
    });
    const end = store.listen(`chart:${entry.id}`, soon);
    const clockTimer = window.setInterval(() => {
      if (performance.now() - drawn_at_ms > TICK_MS - 100) soon();
    }, TICK_MS);
    const resize = new ResizeObserver(soon);
    resize.observe(element);
    soon();
    return () => {
      end();
      endView();
      window.clearInterval(clockTimer);
      resize.disconnect();
      turns.leave(draw);
      socket.left(entry.id);
      canvas.destroy();
    };
  }, [entry.id, store, socket, theme, height]);

  const picture = store.pictures.get(entry.id);
  /** Where there is nothing but rows, they are what is shown first. */
  const onlyRows = shown !== null && shown.model.rows && shown.model.series.length === 0;
  const rows = asTable || onlyRows;
  const empty = shown !== null && shown.model.series.every((one) => one.x.length === 0);
  const title = picture?.description.title || entry.title;
  const drawn = shown !== null && !onlyRows;
  const toggleTable = (): void => {
    const others = tablesInUrl().filter((id) => id !== entry.id);
    const next = asTable ? others : [...others, entry.id];
    setAsTable(!asTable);
    setQuery({ table: next.length === 0 ? null : next.join(",") });
  };
  return (
    <article class={large ? "chart large" : "chart"} aria-labelledby={`title-${entry.id}`} style={span === undefined ? {} : { gridColumn: `span ${span}` }}>
      <header>
        <h3 id={`title-${entry.id}`}><a href={hashOf("overview", [], large ? {} : { chart: entry.id })} title={large ? "all charts" : "this chart alone"}>{title}</a></h3>
        {drawn && <span class="y-name">{shown.yNames.join(" · right: ")}</span>}
        <span class="chart-tools">
          {drawn && <button type="button" class="quiet" aria-pressed={asTable} aria-label={`${asTable ? "chart" : "table"} of ${title}`} onClick={toggleTable}>{asTable ? "chart" : "table"}</button>}
          {shown && picture && <ExportMenu title={title} picture={picture} plot={plot} shown={shown} xName={timeUnit(shown.model.xAxis)} id={entry.id} canDraw={drawn && !rows} />}
        </span>
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
          const step = KEY_STEPS[event.key];
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
      {shown && (
        <footer>
          {drawn && !rows && (shown.direct || <Legend shown={shown} {...(large ? {} : { more: hashOf("overview", [], { chart: entry.id }) })} />)}
          {drawn && <ColourScale model={shown.model} dark={theme === "dark"} />}
          {shown.notes !== "" && <span>{shown.notes}</span>}
          {drawn && !rows && <span class="x-name">{timeUnit(shown.model.xAxis)}</span>}
        </footer>
      )}
      {(rows || large) && picture && <DataTable tables={picture.tables} newestFirst={!onlyRows} />}
      {shown && !rows && shown.model.undrawn.length > 0 && picture && <Undrawn shown={shown} picture={picture} />}
    </article>
  );
}

/** What the page cannot draw is named, and its rows are shown: nothing of a chart is left out in silence. */
function Undrawn({ shown, picture }: { shown: Shown; picture: ChartPicture }) {
  const [first] = shown.model.undrawn;
  const others = shown.model.undrawn.length - 1;
  return (
    <>
      <p class="note" role="status">{first && `"${first.mark.label}"${others > 0 ? ` and ${others} more are` : " is"} not drawn: ${first.why}. All rows are in the table.`}</p>
      <DataTable tables={picture.tables} newestFirst />
    </>
  );
}
