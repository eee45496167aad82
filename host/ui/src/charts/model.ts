// From what a formatter says (marks, axes, gaps) and the tables behind it to series that can be drawn.
// In: a description and tables. Out: a Model: axes, series with their own x and y, gaps; it knows nothing of pixels or themes.
// A mark with a "color" binding becomes one series for each text of that column. A stack adds up at equal x; hover still shows the own value.
// Marks whose shape is unknown, or whose columns are not there, are listed in `undrawn`: the page shows their table instead.
import type { Column } from "../wire/frame";
import type { Axis, Description, Gap, Mark } from "../wire/messages";
import type { Table, Tables } from "../wire/table";

export type Shape = "line" | "area" | "bar" | "point" | "band" | "box";
type Value = number | null;

export interface ChartSeries {
  label: string;
  shape: Shape;
  table: string;
  axis: string;
  estimated: boolean;
  /** Rising. Milliseconds where the axis is of time. */
  x: ArrayLike<number>;
  /** What is measured. */
  y: ArrayLike<Value>;
  /** Where it is drawn: y, on top of the series below where stacked. */
  top: ArrayLike<Value>;
  /** Null: down to the zero base. */
  base: ArrayLike<Value> | null;
  /** Name of what it adds up with; "" and "group": nothing. */
  stack: string;
  /** Of boxes: the ends of the whiskers and the quartiles; y is the median. */
  box: { low: ArrayLike<Value>; q1: ArrayLike<Value>; q3: ArrayLike<Value>; high: ArrayLike<Value> } | null;
  /** Of bars that stand side by side. */
  group: { index: number; count: number };
}

export interface Model {
  xAxis: Axis;
  yAxes: Axis[];
  series: ChartSeries[];
  gaps: Gap[];
  /** Of an x axis of names: their texts. */
  categories: string[] | null;
  /** Where the y axis begins, when the formatter says so. */
  yMin: number | null;
  undrawn: { mark: Mark; why: string }[];
  /** There is nothing to draw: the rows are what is shown. */
  rows: boolean;
}

const SHAPES: Record<string, Shape> = { line: "line", area: "area", bar: "bar", point: "point", band: "band", box: "box" };
const X_UNNAMED: Axis = { name: "x", label: "time", measure: "", scale: "time" };
const Y_UNNAMED: Axis = { name: "y", label: "value", measure: "1", scale: "linear" };
/** More lines than this cannot be told apart: the rest is named in `undrawn`. */
const SERIES_MAX = 40;

export function buildModel(description: Description, tables: Tables): Model {
  const axes = new Map(description.axes.map((axis) => [axis.name, axis]));
  const model: Model = { xAxis: X_UNNAMED, yAxes: [], series: [], gaps: description.gaps ?? [], categories: null, yMin: null, undrawn: [], rows: false };
  const used = new Set<string>();
  for (const mark of description.marks) {
    const why = addMark(model, mark, tables.get(mark.table), axes, used);
    if (why !== null) model.undrawn.push({ mark, why });
  }
  model.yAxes = description.axes.filter((axis) => used.has(axis.name));
  if (model.yAxes.length === 0) model.yAxes = [Y_UNNAMED];
  stack(model.series);
  if (description.extras?.["weir.y_min"] !== undefined) model.yMin = finite(description.extras["weir.y_min"]);
  return model;
}

/** Null: drawn; else why not. */
function addMark(model: Model, mark: Mark, table: Table | undefined, axes: Map<string, Axis>, used: Set<string>): string | null {
  if (mark.shape === "table") {
    model.rows = true;
    return null;
  }
  const shape = SHAPES[mark.shape];
  if (shape === undefined) return `this page does not draw "${mark.shape}"`;
  if (table === undefined) return `its table "${mark.table}" did not come`;
  const bound = (role: string) => mark.bindings.find((binding) => binding.role === role);
  const xBinding = bound("x");
  const yBinding = bound("y") ?? bound("high");
  const xColumn = xBinding && table.columns.get(xBinding.column);
  const yColumn = yBinding && table.columns.get(yBinding.column);
  if (!xBinding || !xColumn) return "it binds no x column that is there";
  if (!yBinding || !yColumn || yColumn.type === "text") return "it binds no y column of numbers that is there";
  model.xAxis = axes.get(xBinding.axis ?? "") ?? model.xAxis;
  const axis = axes.get(yBinding.axis ?? "") ?? Y_UNNAMED;
  used.add(axis.name);
  if (xColumn.type === "text") model.categories = xColumn.values;
  const lowBinding = bound("low") ?? bound("y2");
  const lowColumn = lowBinding && table.columns.get(lowBinding.column);
  const numbers = (role: string, rows: number[] | null): ArrayLike<Value> => {
    const column = table.columns.get(bound(role)?.column ?? "");
    return column === undefined || column.type === "text" ? [] : valuesOf(column, rows);
  };
  const colourBinding = bound("color");
  const colourColumn = colourBinding && table.columns.get(colourBinding.column);
  for (const part of partsOf(mark, colourColumn, table.rows)) {
    if (model.series.length >= SERIES_MAX) return `the page draws at most ${SERIES_MAX} series in a chart`;
    const y = valuesOf(yColumn, part.rows);
    model.series.push({
      label: part.label, shape, table: mark.table, axis: axis.name, estimated: mark.estimated,
      x: xColumn.type === "text" ? part.rows ?? indexes(table.rows) : numbersOf(xColumn, part.rows),
      y, top: y, stack: mark.stack, base: lowColumn && lowColumn.type !== "text" ? valuesOf(lowColumn, part.rows) : null, group: { index: 0, count: 1 },
      box: shape === "box" ? { low: numbers("low", part.rows), q1: numbers("q1", part.rows), q3: numbers("q3", part.rows), high: numbers("high", part.rows) } : null,
    });
  }
  return null;
}

function finite(value: string | number | undefined): number | null {
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

function partsOf(mark: Mark, column: Column | undefined, rows: number): { label: string; rows: number[] | null }[] {
  if (column === undefined || column.type !== "text") return [{ label: mark.label, rows: null }];
  const parts = new Map<string, number[]>();
  for (let row = 0; row < rows; row++) {
    const label = column.values[row] ?? "";
    const list = parts.get(label);
    if (list) list.push(row);
    else parts.set(label, [row]);
  }
  return [...parts].map(([label, list]) => ({ label: label === "" ? mark.label : label, rows: list }));
}

const indexes = (rows: number): number[] => Array.from({ length: rows }, (_, row) => row);

function numbersOf(column: Exclude<Column, { type: "text" }>, rows: number[] | null): ArrayLike<number> {
  return rows === null ? column.values : rows.map((row) => column.values[row] ?? NaN);
}

/** A value that is not there, or is no finite number, is null: drawn as nothing, never as zero. */
function valuesOf(column: Exclude<Column, { type: "text" }>, rows: number[] | null): ArrayLike<Value> {
  const { values, valid } = column;
  const count = rows === null ? values.length : rows.length;
  const out = new Array<Value>(count);
  for (let index = 0; index < count; index++) {
    const row = rows === null ? index : (rows[index] as number);
    const value = values[row] as number;
    out[index] = (valid === null || valid[row] === 1) && Number.isFinite(value) ? value : null;
  }
  return out;
}

/** Series of one stack add up at equal x. "group" stands bars side by side. */
function stack(series: ChartSeries[]): void {
  const grouped = series.filter((one) => one.stack === "group" && one.shape === "bar");
  grouped.forEach((one, index) => (one.group = { index, count: grouped.length }));
  const sums = new Map<string, Map<number, number>>();
  for (const one of series) {
    if (one.stack === "" || one.stack === "group" || one.shape === "band" || one.shape === "box") continue;
    const key = `${one.stack}\n${one.axis}\n${one.shape}`;
    const sum = sums.get(key) ?? new Map<number, number>();
    sums.set(key, sum);
    addOnTop(one, sum);
  }
}

function addOnTop(one: ChartSeries, sum: Map<number, number>): void {
  const count = one.x.length;
  const top = new Array<Value>(count);
  const base = new Array<Value>(count);
  for (let index = 0; index < count; index++) {
    const x = one.x[index] as number;
    const below = sum.get(x) ?? 0;
    const value = one.y[index] ?? null;
    base[index] = below;
    top[index] = value === null ? null : below + value;
    if (value !== null) sum.set(x, below + value);
  }
  one.top = top;
  one.base = base;
}

/** The distance between neighbours that is usual; null where there is none (few points, or as they come). */
export function usualInterval(x: ArrayLike<number>): number | null {
  const last = x.length - 1;
  if (last < 4) return null;
  const steps: number[] = [];
  for (let index = Math.max(1, last - 199); index <= last; index++) {
    const step = (x[index] as number) - (x[index - 1] as number);
    if (step > 0) steps.push(step);
  }
  steps.sort((a, b) => a - b);
  const median = steps[steps.length >> 1];
  const high = steps[Math.floor(steps.length * 0.9)];
  return median !== undefined && high !== undefined && high <= 2.5 * median ? median : null;
}
