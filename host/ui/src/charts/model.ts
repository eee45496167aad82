// From what a formatter says (marks, axes, gaps; docs/wire.md) and the tables behind it to series that can be drawn.
// In: a description and tables. Out: a Model: axes, series with their own x and y, rules, texts, gaps; it knows nothing of pixels or themes.
// A mark with a "color" binding becomes one series for each text of that column. A stack adds up at equal x; hover still shows the own value.
// Names on an axis become their places 0, 1, 2, ... in the order in which they first appear in the marks; marks of several tables meet at equal names.
// Marks whose shape is unknown, or whose columns are not there, are listed in `undrawn`: the page shows their table instead.
import type { Column } from "../wire/frame";
import type { Axis, Description, Gap, Mark, Moment } from "../wire/messages";
import type { Table, Tables } from "../wire/table";
import { stack } from "./stack";

export type Shape = "line" | "area" | "bar" | "point" | "band" | "box" | "heat" | "state";
export type Value = number | null;
export type Values = ArrayLike<Value>;

export interface ChartSeries {
  label: string;
  shape: Shape;
  table: string;
  axis: string;
  estimated: boolean;
  /** Rising, but of points, heat maps and strips. Milliseconds where the axis is of time. */
  x: ArrayLike<number>;
  /** What is measured. */
  y: Values;
  /** Where it is drawn: y, on top of the series below where stacked. */
  top: Values;
  /** Null: down to the zero base. */
  base: Values | null;
  /** Name of what it adds up with; "" and "group": nothing. */
  stack: string;
  /** Of boxes: the ends of the whiskers and the quartiles; y is the median. `n`: of how many values. */
  box: { low: Values; q1: Values; q3: Values; high: Values; n: Values | null } | null;
  /** Of bars whose edges are given. */
  edges: { low: ArrayLike<number>; high: ArrayLike<number> } | null;
  /** Of heat maps and strips: the edges of each cell, the state and its level, and the greatest value. */
  cell: { xLow: ArrayLike<number>; xHigh: ArrayLike<number>; yLow: ArrayLike<number>; yHigh: ArrayLike<number>; text: string[]; level: number[]; most: number } | null;
  /** Of bars that stand side by side. */
  group: { index: number; count: number };
}

export interface Model {
  xAxis: Axis;
  yAxes: Axis[];
  /** Of the colour of a heat map. */
  colourAxis: Axis | null;
  series: ChartSeries[];
  rules: { axis: string; value: number; text: string }[];
  texts: { axis: string; x: number; y: number; text: string }[];
  gaps: Gap[];
  moments: Moment[];
  /** Of an axis of names: their texts, by axis; "x" for the x axis. */
  categories: Map<string, string[]>;
  /** Where an axis begins and ends if data do not reach further. */
  bounds: Map<string, { min: number | null; max: number | null }>;
  undrawn: { mark: Mark; why: string }[];
  /** There is nothing to draw: the rows are what is shown. */
  rows: boolean;
}

const SHAPES = new Set<string>(["line", "area", "bar", "point", "band", "box", "heat", "state"]);
const X_UNNAMED: Axis = { name: "x", label: "time", measure: "", scale: "time" };
const Y_UNNAMED: Axis = { name: "y", label: "value", measure: "1", scale: "linear" };
/** More lines than this cannot be told apart: the rest is named in `undrawn`. */
export const SERIES_MAX = 40;
const LEVEL_UNKNOWN = 4;

/** What all marks of a description share while the model is built. */
interface Build {
  model: Model;
  axes: Map<string, Axis>;
  used: Set<string>;
}

export function buildModel(description: Description, tables: Tables): Model {
  const axes = new Map(description.axes.map((axis) => [axis.name, axis]));
  const model: Model = {
    xAxis: X_UNNAMED, yAxes: [], colourAxis: null, series: [], rules: [], texts: [], gaps: description.gaps ?? [], moments: description.moments ?? [], categories: new Map(), bounds: new Map(), undrawn: [], rows: false,
  };
  const build = { model, axes, used: new Set<string>() };
  for (const mark of description.marks) {
    const why = addMark(build, mark, tables.get(mark.table));
    if (why !== null) model.undrawn.push({ mark, why });
  }
  model.yAxes = description.axes.filter((axis) => build.used.has(axis.name));
  if (model.yAxes.length === 0) model.yAxes = [Y_UNNAMED];
  stack(model.series);
  bound(model, description);
  return model;
}

function bound(model: Model, description: Description): void {
  const whole = finite(description.extras?.["weir.y_min"]);
  for (const axis of [model.xAxis, ...model.yAxes]) {
    const y = axis !== model.xAxis;
    const min = finite(axis.extras?.["weir.min"]) ?? (y ? whole : null);
    model.bounds.set(y ? axis.name : "x", { min, max: finite(axis.extras?.["weir.max"]) });
  }
}

/** Null: drawn; else why not. */
function addMark(build: Build, mark: Mark, table: Table | undefined): string | null {
  if (mark.shape === "table") {
    build.model.rows = true;
    return null;
  }
  if (!SHAPES.has(mark.shape) && mark.shape !== "rule" && mark.shape !== "text") return `this page does not draw "${mark.shape}"`;
  if (table === undefined) return `its table "${mark.table}" did not come`;
  const reader = new Reader(build, mark, table);
  if (mark.shape === "rule") return addRule(reader);
  if (mark.shape === "text") return addText(reader);
  return addSeries(reader, mark.shape as Shape);
}

function addSeries(reader: Reader, shape: Shape): string | null {
  const { build: { model }, mark, table } = reader;
  const cells = shape === "heat" || shape === "state";
  const xRole = reader.has("x") ? "x" : "x_low";
  const yRole = { band: "high", box: reader.has("median") ? "median" : "y", heat: reader.has("y_low") ? "y_low" : "y" }[shape as string] ?? "y";
  if (!reader.has(xRole)) return "it binds no x column that is there";
  if (!reader.has(yRole)) return "it binds no y column of numbers that is there";
  if (cells && shape === "heat" && !reader.has("value")) return "it binds no value column that is there";
  const axis = reader.axisOf(yRole);
  const band = axis.scale === "band" || reader.isText(yRole);
  if (!band && reader.isText(yRole)) return "it binds no y column of numbers that is there";
  if (band && !cells) return "names on the y axis are drawn for heat maps and states only";
  if (shape === "heat") model.colourAxis = reader.axisOf("value", false);
  for (const part of reader.parts()) {
    if (model.series.length >= SERIES_MAX) return `the page draws at most ${SERIES_MAX} series in a chart`;
    const { rows } = part;
    const x = reader.places(xRole, rows, "x");
    const y = shape === "heat" ? reader.values("value", rows) : shape === "state" ? x : reader.values(yRole, rows);
    const low = reader.has("low") && shape !== "box" ? reader.values("low", rows) : reader.has("y2") ? reader.values("y2", rows) : null;
    model.series.push({
      label: part.label, shape, table: mark.table, axis: axis.name, estimated: mark.estimated, x, y, top: y, stack: mark.stack, base: low, group: { index: 0, count: 1 },
      box: shape === "box" ? boxOf(reader, rows) : null,
      edges: shape === "bar" && reader.has("x_low") && reader.has("x_high") ? { low: reader.places("x_low", rows, "x"), high: reader.places("x_high", rows, "x") } : null,
      cell: cells ? cellOf(reader, rows, y, axis.name) : null,
    });
  }
  if (table.rows === 0 && model.series.length === 0) model.xAxis = reader.axisOf(xRole, false) ?? model.xAxis;
  return null;
}

function boxOf(reader: Reader, rows: number[] | null): ChartSeries["box"] {
  const one = (role: string): Values => (reader.has(role) ? reader.values(role, rows) : []);
  return { low: one("low"), q1: one("q1"), q3: one("q3"), high: one("high"), n: reader.has("n") ? one("n") : null };
}

/** Without edges a cell is one wide or high around its place: names. */
function cellOf(reader: Reader, rows: number[] | null, y: Values, axis: string): ChartSeries["cell"] {
  const edge = (low: string, middle: string, by: number, place: string): ArrayLike<number> => {
    if (reader.has(low)) return reader.places(low, rows, place);
    return Array.from(reader.places(middle, rows, place), (at) => at + by);
  };
  const xLow = edge("x_low", "x", -0.5, "x");
  const count = xLow.length;
  let most = 0;
  for (let row = 0; row < y.length; row++) most = Math.max(most, y[row] ?? 0);
  const levels = reader.has("level") ? Array.from(reader.values("level", rows), (level) => level ?? LEVEL_UNKNOWN) : new Array<number>(count).fill(1);
  return { xLow, xHigh: edge("x_high", "x", 0.5, "x"), yLow: edge("y_low", "y", -0.5, axis), yHigh: edge("y_high", "y", 0.5, axis), text: reader.texts("text", rows), level: levels, most };
}

function addRule(reader: Reader): string | null {
  const role = reader.has("y") ? "y" : "x";
  if (!reader.has(role) || reader.isText(role)) return "it binds no column of values that is there";
  const axis = role === "y" ? reader.axisOf("y").name : "x";
  const texts = reader.texts("text", null);
  Array.from(reader.values(role, null)).forEach((value, row) => {
    if (value !== null) reader.build.model.rules.push({ axis, value, text: texts[row] ?? reader.mark.label });
  });
  return null;
}

function addText(reader: Reader): string | null {
  if (!reader.has("x") || !reader.has("y") || !reader.has("text")) return "it binds no x, y and text that are there";
  const axis = reader.axisOf("y").name;
  const [x, y, texts] = [reader.places("x", null, "x"), reader.values("y", null), reader.texts("text", null)];
  texts.forEach((text, row) => {
    const at = y[row] ?? null;
    if (at !== null) reader.build.model.texts.push({ axis, x: x[row] as number, y: at, text });
  });
  return null;
}

/** Reads the columns that one mark binds. */
class Reader {
  constructor(readonly build: Build, readonly mark: Mark, readonly table: Table) {}

  private bound(role: string): { column: Column; axis: string | null } | null {
    const binding = this.mark.bindings.find((one) => one.role === role);
    const column = binding && this.table.columns.get(binding.column);
    return binding && column ? { column, axis: binding.axis } : null;
  }

  has(role: string): boolean {
    return this.bound(role) !== null;
  }

  isText(role: string): boolean {
    return this.bound(role)?.column.type === "text";
  }

  axisOf(role: string, used = true): Axis {
    const axis = this.build.axes.get(this.bound(role)?.axis ?? "") ?? Y_UNNAMED;
    if (used) this.build.used.add(axis.name);
    return axis;
  }

  parts(): { label: string; rows: number[] | null }[] {
    const column = this.bound("color")?.column;
    if (column === undefined || column.type !== "text") return [{ label: this.mark.label, rows: null }];
    const parts = new Map<string, number[]>();
    for (let row = 0; row < this.table.rows; row++) {
      const label = column.values[row] ?? "";
      const list = parts.get(label);
      if (list) list.push(row);
      else parts.set(label, [row]);
    }
    return [...parts].map(([label, rows]) => ({ label: label === "" ? this.mark.label : label, rows }));
  }

  /** A value that is not there, or is no finite number, is null: drawn as nothing, never as zero. */
  values(role: string, rows: number[] | null): Values {
    const column = this.bound(role)?.column;
    if (column === undefined || column.type === "text") return [];
    const { values, valid } = column;
    if (rows === null && valid === null && values instanceof Float64Array && allFinite(values)) return values;
    const count = rows === null ? values.length : rows.length;
    const out = new Array<Value>(count);
    for (let index = 0; index < count; index++) {
      const row = rows === null ? index : (rows[index] as number);
      const value = values[row] as number;
      out[index] = (valid === null || valid[row] === 1) && Number.isFinite(value) ? value : null;
    }
    return out;
  }

  texts(role: string, rows: number[] | null): string[] {
    const column = this.bound(role)?.column;
    if (column === undefined) return [];
    const all = column.type === "text" ? column.values : Array.from(column.values as ArrayLike<number>, String);
    return rows === null ? all : rows.map((row) => all[row] ?? "");
  }

  /** Numbers as they are; names as their places on the axis. */
  places(role: string, rows: number[] | null, axis: string): ArrayLike<number> {
    const found = this.bound(role);
    if (found === null) return [];
    if (axis === "x") this.build.model.xAxis = this.build.axes.get(found.axis ?? "") ?? this.build.model.xAxis;
    const { column } = found;
    if (column.type !== "text") return rows === null ? column.values : rows.map((row) => column.values[row] ?? NaN);
    const names = this.build.model.categories.get(axis) ?? [];
    this.build.model.categories.set(axis, names);
    const known = new Map(names.map((name, place) => [name, place]));
    return this.texts(role, rows).map((name) => {
      const place = known.get(name) ?? names.push(name) - 1;
      known.set(name, place);
      return place;
    });
  }
}

/** A sum is finite only where all of it is (but for an overflow, which costs a copy and no more). */
function allFinite(values: Float64Array): boolean {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index] as number;
  return Number.isFinite(sum);
}

function finite(value: string | number | undefined): number | null {
  if (value === undefined || value === "") return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
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
