// The preview of a metric as a picture that charts/model.ts understands: one table and mark for each series, windows that are still open as estimated values.
import type { MetricPreview } from "../api";
import type { Column } from "../wire/frame";
import type { Description, Mark } from "../wire/messages";
import type { Table, Tables } from "../wire/table";

const SERIES_MAX = 40;

export function previewPicture(preview: MetricPreview, shape: string): { description: Description; tables: Tables } {
  const tables = new Map<string, Table>();
  const marks: Mark[] = [];
  const add = (name: string, label: string, times: number[], values: (number | null)[], estimated: boolean): void => {
    tables.set(name, { rows: times.length, columns: new Map<string, Column>([["time", { type: "time", values: Float64Array.from(times), valid: null }], ["value", numbers(values)]]) });
    const bindings = [{ role: "x", column: "time", axis: "x" }, { role: "y", column: "value", axis: "y" }];
    marks.push({ shape, table: name, label, estimated, stack: shape === "area" ? "stack" : "", bindings });
  };
  preview.series.slice(0, SERIES_MAX).forEach((series, index) => {
    const [field] = series.fields;
    const values = field === undefined ? [] : series.values[field] ?? [];
    const times = series.time_unix_ns.map((time) => time / 1e6);
    const label = Object.values(series.labels).map(String).join(", ") || "all";
    const closed = Math.max(0, times.length - series.open);
    add(`${index}`, label, times.slice(0, closed), values.slice(0, closed), false);
    // The dashes begin at the last closed point; an area or a bar has no such point, or it would be counted twice.
    const from = shape === "line" ? Math.max(0, closed - 1) : closed;
    if (series.open > 0) add(`${index} open`, label, times.slice(from), values.slice(from), true);
  });
  const axes = [{ name: "x", label: "event time", measure: "s", scale: "time" }, { name: "y", label: "value", measure: "1", scale: "linear" }];
  return { description: { title: "preview", summary: "", axes, marks, gaps: [] }, tables };
}

function numbers(values: readonly (number | null)[]): Column {
  return { type: "f64", values: Float64Array.from(values, (value) => value ?? 0), valid: Uint8Array.from(values, (value) => (value === null ? 0 : 1)) };
}
