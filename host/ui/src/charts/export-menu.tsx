// Exports of one chart: the picture as SVG or PNG with title, axes, range and source; its data as CSV or Arrow; a link to it.
// A chart of several tables gives one file of data for each.
import type { RefObject } from "preact";
import { useRef, useState } from "preact/hooks";
import { arrowFile } from "../export/arrow";
import { csv } from "../export/rows";
import { fileName, pngOf, save } from "../export/save";
import { chartSvg } from "../export/svg";
import { dateAndClock, exact, zone } from "../format";
import type { ChartPicture } from "../live/store";
import { hashOf } from "../route";
import type { Plot } from "./plot";
import { type Shown } from "./reading";

interface Exported {
  title: string;
  picture: ChartPicture;
  plot: RefObject<Plot | null>;
  shown: Shown;
  xName: string;
  id: string;
  /** The canvas is there: else there is only data. */
  canDraw: boolean;
}

export function ExportMenu({ title, picture, plot, shown, xName, id, canDraw }: Exported) {
  const details = useRef<HTMLDetailsElement>(null);
  const [said, setSaid] = useState("");
  const name = fileName(title);
  const svg = (): { text: string; width: number; height: number } => {
    const now = plot.current?.picture();
    if (!now) throw new Error("there is no picture yet");
    const { min, max } = now.plot.scales["x"] ?? {};
    const time = now.model.xAxis.scale === "time";
    const at = (value: number | undefined): string => (value === undefined ? "" : time ? dateAndClock(value) : exact(value));
    const range = now.model.categories.has("x") ? now.model.xAxis.label : `${at(min)} to ${at(max)}${time ? ` ${zone()}` : ""}`;
    const legend = now.model.series.filter((one) => one.cell === null).map((one, index) => ({ name: one.label, ink: plot.current?.ink(index) ?? now.inks.text, estimated: one.estimated }));
    return chartSvg(now, { title, yName: shown.yNames.join(" · right: "), xName, range, source: `Weir, ${location.host}, chart ${id}`, notes: shown.notes, legend });
  };
  const run = (what: () => void | Promise<void>) => (): void => {
    Promise.resolve().then(what).then(() => {
      setSaid("");
      if (details.current !== null) details.current.open = false;
    }, (error: unknown) => setSaid(error instanceof Error ? error.message : String(error)));
  };
  const tables = [...picture.tables];
  const named = (table: string, end: string): string => `${name}${tables.length > 1 ? `-${fileName(table)}` : ""}.${end}`;
  const link = `${location.origin}${location.pathname}${hashOf("overview", [], { chart: id })}`;
  return (
    <details class="menu" ref={details} onKeyDown={(event) => {
      if (event.key === "Escape" && details.current?.open) {
        details.current.open = false;
        details.current.querySelector("summary")?.focus();
      }
    }}>
      <summary aria-label={`export ${title}`}>export</summary>
      <div class="choices">
        {canDraw && <button type="button" onClick={run(async () => save(`${name}.png`, [await pngOf(svg())], "image/png"))}>PNG</button>}
        {canDraw && <button type="button" onClick={run(() => save(`${name}.svg`, [svg().text], "image/svg+xml"))}>SVG</button>}
        <button type="button" onClick={run(() => tables.forEach(([table, rows]) => save(named(table, "csv"), [csv(rows)], "text/csv")))}>CSV</button>
        <button type="button" onClick={run(() => tables.forEach(([table, rows]) => save(named(table, "arrow"), [arrowFile(rows) as BlobPart], "application/vnd.apache.arrow.file")))}>Arrow</button>
        <button type="button" onClick={run(() => navigator.clipboard.writeText(link))}>copy link</button>
        {said !== "" && <span class="note" role="alert">{said}</span>}
      </div>
    </details>
  );
}
