// One chart on a canvas: uPlot does scales, axes and the cursor; the files beside this one draw lines, areas, bars, markers, gaps and labels.
// In: a host element and pictures (description + tables). Out: pixels; the values under the cursor through `onCursor`.
// The truth of the picture, V1 to V6: point.ts, gaps.ts + segments.ts, dashes for estimated series, axis names in chart.tsx, rules at every labelled
// tick, zero base for areas and bars. uPlot is built anew only where the series, axes, size class or theme change; else only its data moves.
import uPlot from "uplot";
import type { Axis, Gap } from "../wire/messages";
import { exact, fitting, isTime, short, withMeasure } from "../format";
import { areaPaths } from "./area";
import { barPaths, stepOf } from "./bar";
import { boxPaths } from "./box";
import { colour, slotsOf } from "./colours";
import { DIRECT_MAX, directWidth, drawDirectLabels, seriesName } from "./direct";
import { gapLabel, nameGaps, shadeGaps, trailingGap, type Inks } from "./gaps";
import { linePaths } from "./line";
import { drawCells } from "./cells";
import { usualInterval, type ChartSeries, type Model, type Values } from "./model";
import { highContrast, lookScale } from "./look";
import { drawMoments, drawNotes, drawPresent } from "./notes";
import { canvasPath, type Drawn, type MakePath } from "./path";
import { drawDense, isDense } from "./raster";
import { samplesAt } from "./samples";
import { segmentsOf } from "./segments";
import { drawMarkers } from "./point";

export const HEIGHT_PX = 160;
/** Steps of ticks, in ms: uPlot has none of 2 min, and a chart of ten minutes would have a single label. */
const TIME_STEPS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500], ...[1, 2, 5, 10, 15, 30].map((s) => s * 1_000), ...[1, 2, 5, 10, 15, 30].map((min) => min * 60_000),
  ...[1, 2, 3, 6, 12].map((h) => h * 3_600_000), ...[1, 2, 7, 14, 28, 91, 182, 365].map((d) => d * 86_400_000),
];
const DIRECT_FROM_WIDTH_PX = 380;
/** Ticks of an axis in bytes: 1, 2, 4, ... so that they are whole KiB, MiB, GiB. */
const BINARY_STEPS = Array.from({ length: 50 }, (_, power) => 2 ** power);
/** What a chart without points shows of the time. */
const EMPTY_WINDOW_MS = 60_000;
/** A chart whose newest point is older ends there: it shows the past. */
const NOW_WITHIN_MS = 30_000;
/** The sign of a moment is this wide; more of them in one place than these are not read. */
const MOMENT_NEAR_PX = 5;
const MOMENTS_SHOWN = 6;
/** Of a digit in the labels of an axis. */
const LETTER_PX = 6.6;
/** Above a chart on a wall, where the present is named in larger letters. */
const PRESENT_TV_PX = 22;
const DASH_ESTIMATED = [5, 4];
const DASH_REPEATED = [2, 2];
/** Room for names at the left of a chart. */
const NAMES_MAX_PX = 150;

export interface Reading {
  x: number;
  /** Distance from the left edge of the drawing area to the cursor, and the area's place in the host element, in CSS pixels. */
  left_px: number;
  /** The pointer is over this chart; else the cursor is linked from another. */
  own: boolean;
  /** x is a time; else `place` is what it is called. */
  time: boolean;
  place: string;
  values: Sample[];
  /** What is marked at the foot of the chart near the cursor. */
  moments: string[];
}

export interface Sample {
  name: string;
  ink: string;
  value: number | null;
  measure: string;
  x: number;
  /** How many share this pixel, and from where to where they reach. */
  samples: number;
  min: number;
  max: number;
  /** Where words say more than the number: a state, the quartiles of a box, the edges of a cell. */
  text: string;
}

export function pathsOf(plot: uPlot, series: ChartSeries, gaps: readonly Gap[], make: MakePath): Drawn | null {
  if (series.cell !== null || series.shape === "point") return null;
  if (series.shape === "bar") return barPaths(plot, series, make);
  if (series.shape === "box") return boxPaths(plot, series, make);
  return series.shape === "area" || series.shape === "band" ? areaPaths(plot, series, gaps, make) : linePaths(plot, series, gaps, make);
}

export class Plot {
  private plot: uPlot | null = null;
  private structure = "";
  private model: Model | null = null;
  private trailing: Gap | null = null;
  private range: [number, number] = [0, 1];
  private inks: Inks = { surface: "", text: "", muted: "", rule: "", gap: "" };
  private slots: number[] = [];
  private dark = false;
  private width = 0;
  private now: number | null = null;
  private height = HEIGHT_PX;
  direct = false;

  constructor(private readonly host: HTMLElement, private readonly onCursor: (reading: Reading | null) => void) {}

  /** `end`: the newest time of all charts that move together; 0: of this one alone. `now`: the host's clock, where the present is to be marked. */
  draw(model: Model, end: number, width: number, height = HEIGHT_PX, now: number | null = null): void {
    this.model = model;
    this.now = now;
    this.width = width;
    this.height = height;
    this.setRange(model, end);
    const dark = document.documentElement.dataset["theme"] === "dark";
    const names = model.series.map((one) => `${one.label}|${one.shape}|${one.axis}|${one.estimated}`);
    const structure = JSON.stringify([names, model.xAxis, model.yAxes, [...model.categories], dark, lookScale(), highContrast(), width >= DIRECT_FROM_WIDTH_PX]);
    if (structure !== this.structure || this.plot === null) {
      this.structure = structure;
      this.dark = dark;
      this.build(model);
    } else {
      if (this.plot.width !== width || this.plot.height !== height) this.plot.setSize({ width, height });
      this.plot.setData(aligned(model.series));
    }
  }

  /** What an export draws again: none before the first picture. */
  picture(): { plot: uPlot; model: Model; gaps: Gap[]; tables: number; inks: Inks; dark: boolean } | null {
    const { plot, model } = this;
    return plot === null || model === null ? null : { plot, model, gaps: this.gaps(), tables: this.tables(), inks: this.inks, dark: this.dark };
  }

  ink(index: number): string {
    return colour(this.slots[index] ?? 0, this.dark);
  }

  /** Its colour is that of a series before it: it is dotted. */
  repeated(index: number): boolean {
    return this.slots.indexOf(this.slots[index] ?? 0) < index;
  }

  destroy(): void {
    this.plot?.destroy();
    this.plot = null;
    this.structure = "";
  }

  /** By keyboard: the cursor moves by whole points. */
  step(points: number): void {
    const { plot } = this;
    if (plot === null) return;
    const x = plot.data[0] as ArrayLike<number>;
    const at = plot.cursor.idx ?? x.length - 1 - Math.sign(points);
    const next = Math.max(0, Math.min(x.length - 1, at + points));
    if (x.length > 0) plot.setCursor({ left: plot.valToPos(x[next] as number, "x"), top: plot.over.clientHeight / 2 });
  }

  clearCursor(): void {
    this.plot?.setCursor({ left: -10, top: -10 });
  }

  private setRange(model: Model, end: number): void {
    let first = Infinity;
    let last = -Infinity;
    let interval: number | null = null;
    let barStep = 0;
    for (const one of model.series) {
      if (one.x.length === 0) continue;
      const [low, high] = xExtent(one);
      first = Math.min(first, low);
      last = Math.max(last, high);
      interval ??= one.cell === null && one.edges === null ? usualInterval(one.x) : null;
      if (one.shape === "bar" && one.edges === null) barStep = Math.max(barStep, stepOf(one) ?? 0);
    }
    const empty = first > last;
    if (empty) last = model.xAxis.scale === "time" ? (end > 0 ? end : Date.now()) : 1;
    if (empty) first = model.xAxis.scale === "time" ? last - EMPTY_WINDOW_MS : 0;
    const span = last - first;
    const bounds = model.bounds.get("x");
    if (!empty && typeof bounds?.min === "number") first = Math.min(first, bounds.min);
    if (!empty && typeof bounds?.max === "number") last = Math.max(last, bounds.max);
    const follows = model.xAxis.scale === "time" && end > last && end - last <= Math.max(span, 60_000);
    // The present is within the picture where the newest point is near it: what is missing up to now is then seen.
    const live = model.xAxis.scale === "time" && this.now !== null && this.now > last && this.now - Math.max(end, last) <= NOW_WITHIN_MS;
    const right = Math.max(follows ? end : last, live && this.now !== null ? this.now : -Infinity);
    const named = model.gaps.some((gap) => gap.end_ms > last);
    this.trailing = follows && !empty && !named ? trailingGap(last, end, interval) : null;
    const names = model.categories.get("x");
    if (names !== undefined) this.range = [-0.6, Math.max(0.6, names.length - 0.4)];
    else this.range = span === 0 && right === last ? [first - 500, last + 500] : [first - barStep / 2, right + barStep / 2];
  }

  private gaps(): Gap[] {
    return this.trailing === null ? this.model?.gaps ?? [] : [...(this.model?.gaps ?? []), this.trailing];
  }

  /** How many tables the series come from: a gap of one of several shades only a strip. */
  private tables(): number {
    return new Set(this.model?.series.map((one) => one.table)).size;
  }

  private build(model: Model): void {
    this.plot?.destroy();
    this.inks = readInks();
    this.slots = slotsOf(model.series.map((one) => one.label));
    this.direct = this.wantsDirect(model);
    const options: uPlot.Options = {
      width: this.width,
      height: this.height,
      ms: 1,
      padding: [lookScale() > 1 ? PRESENT_TV_PX : 8, this.direct ? directWidth(model.series.map(seriesName)) : 10, 0, 0],
      legend: { show: false },
      cursor: {
        sync: { key: "weir", setSeries: false },
        drag: { x: false, y: false, setScale: false },
        x: true,
        y: false,
        points: { size: 8 },
      },
      scales: this.scales(model),
      axes: [this.xAxis(model), ...model.yAxes.map((axis, index) => this.yAxis(axis, index))],
      series: [{}, ...model.series.map((one, index) => this.series(one, index))],
      hooks: {
        drawClear: [(plot) => shadeGaps(plot, this.gaps(), this.tables(), this.inks)],
        draw: [(plot) => this.drawOver(plot)],
        setCursor: [(plot) => this.readCursor(plot)],
      },
    };
    this.plot = new uPlot(options, aligned(model.series), this.host);
  }

  private wantsDirect(model: Model): boolean {
    if (model.series.some((one) => one.cell !== null || one.edges !== null || one.shape === "box")) return false;
    return this.width >= DIRECT_FROM_WIDTH_PX && model.series.length > 1 && model.series.length <= DIRECT_MAX && model.yAxes.length === 1;
  }

  private scales(model: Model): uPlot.Scales {
    const scales: uPlot.Scales = { x: { time: model.xAxis.scale === "time", range: () => this.range } };
    for (const axis of model.yAxes) {
      const log = axis.scale === "log";
      scales[axis.name] = {
        distr: log ? 3 : 1,
        // Names read from the top down.
        dir: model.categories.has(axis.name) ? -1 : 1,
        range: log
          ? (_, low, high) => uPlot.rangeLog(positive(low, 0.1), positive(high, 1), 10, true)
          : () => this.yRange(axis),
      };
    }
    return scales;
  }

  private yRange(axis: Axis): [number, number] {
    const names = this.model?.categories.get(axis.name);
    if (names !== undefined) return [-0.6, names.length - 0.4];
    const bounds = this.model?.bounds.get(axis.name);
    const [low, high] = yRange(this.model?.series.filter((one) => one.axis === axis.name) ?? [], bounds?.min ?? null);
    return [low, Math.max(high, bounds?.max ?? high)];
  }

  private xAxis(model: Model): uPlot.Axis {
    const common = { ...this.axisLook(), size: 26 * lookScale() };
    const names = model.categories.get("x");
    if (names !== undefined) {
      return { ...common, splits: names.map((_, index) => index), values: (_, at) => at.map((index) => names[index] ?? "") };
    }
    if (model.xAxis.scale === "time") return { ...common, space: 72 * lookScale(), incrs: TIME_STEPS, values: (plot, at, __, ___, step) => at.map((ms) => whole(plot, ms, timeLabel(ms, step))) };
    return { ...common, values: (_, at) => at.map((value) => short(value)) };
  }

  private yAxis(axis: Axis, index: number): uPlot.Axis {
    const names = this.model?.categories.get(axis.name);
    if (names !== undefined) {
      const size = Math.min(NAMES_MAX_PX, Math.max(34, ...names.map((name) => name.length * 6.5 + 12)));
      const cut = Math.floor((size - 12) / 6);
      return { ...this.axisLook(), scale: axis.name, side: 3, size, splits: names.map((_, at) => at), values: (_, at) => at.map((place) => shortened(names[place] ?? "", cut)) };
    }
    return {
      ...this.axisLook(),
      scale: axis.name,
      side: index === 0 ? 3 : 1,
      space: 28 * lookScale(),
      ...(axis.measure.startsWith("By") ? { incrs: BINARY_STEPS } : {}),
      size: (_, values) => Math.max(34, Math.max(0, ...(values ?? []).map((text) => text.length)) * 7 * lookScale() + 12),
      grid: { ...this.axisLook().grid, show: index === 0 },
      values: (_, at) => at.map((value) => (value === null ? "" : this.tickText(axis, value))),
    };
  }

  private tickText(axis: Axis, value: number): string {
    const own = axis.measure.startsWith("By") || (axis.scale === "log" && isTime(axis.measure));
    return own ? withMeasure(value, axis.measure) : short(value * this.unitOf(axis).factor);
  }

  /** Times are written in the unit that fits the whole axis, on a log scale each in its own. */
  private unitOf(axis: Axis): { measure: string; factor: number } {
    if (axis.scale === "log") return { measure: axis.measure, factor: 1 };
    const { min, max } = this.plot?.scales[axis.name] ?? {};
    const [low, high] = typeof min === "number" && typeof max === "number" ? [min, max] : this.yRange(axis);
    return fitting(axis.measure, Math.max(Math.abs(low), Math.abs(high)));
  }

  /** In which each y axis is written. */
  measures(): string[] {
    return (this.model?.yAxes ?? []).map((axis) => this.unitOf(axis).measure);
  }

  /** Dotted: each dot has the contrast that a rule must have, and the whole is still quieter than the data. */
  private axisLook(): uPlot.Axis {
    const { rule, muted } = this.inks;
    return {
      stroke: muted,
      font: `${11 * lookScale()}px system-ui, sans-serif`,
      gap: 4,
      grid: { stroke: rule, width: 1, dash: [1, 4] },
      ticks: { stroke: rule, width: 1, size: 4 },
      border: { show: true, stroke: rule, width: 1 },
    };
  }

  private series(one: ChartSeries, index: number): uPlot.Series {
    const ink = this.ink(index);
    const filled = one.shape === "area" || one.shape === "band" || one.shape === "bar" || one.shape === "box";
    const opacity = one.shape === "bar" ? "d9" : one.shape === "band" || one.shape === "box" ? "40" : one.base === null ? "33" : "80";
    return {
      label: one.label,
      scale: one.axis,
      stroke: ink,
      width: one.shape === "bar" || one.shape === "point" ? 0 : one.shape === "band" ? 0.75 : 1.75,
      ...(one.estimated ? { dash: DASH_ESTIMATED } : this.repeated(index) ? { dash: DASH_REPEATED } : {}),
      ...(filled ? { fill: one.estimated ? `${ink}26` : ink + opacity } : {}),
      points: { show: false },
      paths: (plot) => {
        if (isDense(this.model?.series[index] ?? one, plot.bbox.width)) return null;
        const drawn = pathsOf(plot, this.model?.series[index] ?? one, this.gaps(), canvasPath);
        return drawn && ({ ...drawn, clip: null, flags: 0 } as unknown as uPlot.Series.Paths);
      },
    };
  }

  private drawOver(plot: uPlot): void {
    const series = this.model?.series ?? [];
    for (const one of series) if (one.cell !== null) drawCells(plot, one, this.dark);
    const dense = series.flatMap((one, index) => isDense(one, plot.bbox.width) ? [{ series: one, runs: segmentsOf(one, this.gaps()), ink: this.ink(index), dotted: this.repeated(index) }] : []);
    drawDense(plot, dense);
    series.forEach((one, index) => {
      if (one.cell === null && one.shape !== "bar" && one.shape !== "band" && one.shape !== "box") drawMarkers(plot, one, this.gaps(), this.ink(index), this.inks.surface);
    });
    if (this.model !== null) {
      drawNotes(plot, this.model, this.inks);
      if (this.model.xAxis.scale === "time") drawPresent(plot, this.now, this.inks);
      drawMoments(plot, this.model, this.inks);
    }
    nameGaps(plot, this.gaps(), this.tables(), this.inks);
    if (this.direct) drawDirectLabels(plot, series, (index) => this.ink(index), this.inks);
    for (const [index, axis] of (this.model?.yAxes ?? []).entries()) {
      if ((plot.scales[axis.name]?.min ?? 0) > 0 && axis.scale !== "log" && !this.model?.categories.has(axis.name)) drawBreak(plot, index, this.inks);
    }
  }

  private readCursor(plot: uPlot): void {
    const { left, idx } = plot.cursor;
    if (left === undefined || left < 0 || idx === null || idx === undefined || this.model === null) {
      this.onCursor(null);
      return;
    }
    const x = (plot.data[0] as ArrayLike<number>)[idx] as number;
    const pixel = Math.abs(plot.posToVal(1, "x") - plot.posToVal(0, "x"));
    const values = samplesAt(plot, this.model, x, pixel, (index) => this.ink(index), this.dark);
    const moments = this.model.moments.filter((one) => Math.abs(one.time_ms - x) <= pixel * MOMENT_NEAR_PX).map((one) => `${one.kind === "reset" ? "▼ counter reset" : "◇ came late"}${one.label === "" ? "" : `: ${one.label}`}`);
    const at = plot.posToVal(left, "x");
    const gaps = this.gaps().filter((gap) => gap.start_ms <= at && gap.end_ms >= at).map((gap) => `▨ ${gapLabel(gap)}`);
    const own = (plot.cursor.event ?? null) !== null || document.activeElement === this.host;
    const names = this.model.categories.get("x");
    const place = names?.[Math.round(x)] ?? exact(x, this.model.xAxis.measure);
    this.onCursor({ x, time: this.model.xAxis.scale === "time", place, left_px: left + plot.bbox.left / window.devicePixelRatio, own, values, moments: [...gaps, ...moments].slice(0, MOMENTS_SHOWN) });
  }
}

/** What must be within the y axis. */
function extentOf(one: ChartSeries): Values[] {
  if (one.cell !== null) return [one.cell.yLow, one.cell.yHigh];
  if (one.box !== null) return [one.box.low, one.box.q1, one.box.q3, one.box.high];
  return one.shape === "band" && one.base !== null ? [one.top, one.base] : [one.top];
}

/** Areas and bars start at zero (V6). Lines do where that does not press them flat; else they zoom, and the axis shows a break. */
export function yRange(series: readonly ChartSeries[], yMin: number | null = null): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  let zero = false;
  for (const one of series) {
    if (one.shape === "area" || one.shape === "bar") zero = true;
    for (const values of extentOf(one)) {
      for (let index = 0; index < values.length; index++) {
        const value = values[index];
        if (value === null || value === undefined) continue;
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
  }
  if (low > high) return [0, 1];
  if (yMin !== null) low = Math.min(low, yMin);
  if (zero || (low >= 0 && low < high * 0.6)) low = Math.min(0, low);
  if (zero) high = Math.max(0, high);
  if (low === high) return low === 0 ? [0, 1] : [low - Math.abs(low) * 0.1, high + Math.abs(high) * 0.1];
  const pad = (high - low) * 0.07;
  return [low === 0 || low === yMin ? low : low - pad, high === 0 ? 0 : high + pad];
}

const positive = (value: number | null, otherwise: number): number => (value !== null && value > 0 ? value : otherwise);

/** One x for all series: a table that all share goes as it is, else they are joined; `undefined` where a series has no point at that x. */
function aligned(series: readonly ChartSeries[]): uPlot.AlignedData {
  const first = series[0];
  if (first === undefined) return [[]];
  if (series.some((one) => one.shape === "point" || one.cell !== null || one.box !== null)) return joined(series);
  const shared = series.every((one) => equal(one.x, first.x));
  if (shared) return [first.x, ...series.map((one) => one.top)] as unknown as uPlot.AlignedData;
  const tables = series.map((one) => [one.x, one.top] as unknown as uPlot.AlignedData);
  return uPlot.join(tables, series.map(() => [1, 1]));
}

/** Of points, boxes and cells, several of which may stand at one x in any order: each x once, rising. They are drawn from the series themselves. */
function joined(series: readonly ChartSeries[]): uPlot.AlignedData {
  const x = Float64Array.from(new Set(series.flatMap((one) => Array.from(one.x)))).sort();
  const place = new Map(Array.from(x, (at, index) => [at, index]));
  const columns = series.map((one) => {
    const values = new Array<number | null>(x.length).fill(null);
    for (let row = 0; row < one.x.length; row++) values[place.get(one.x[row] as number) ?? 0] = one.top[row] ?? null;
    return values;
  });
  return [x, ...columns] as unknown as uPlot.AlignedData;
}

function equal(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}

/** A zigzag at the foot of a y axis that does not start at zero. */
function drawBreak(plot: uPlot, axis: number, inks: Inks): void {
  const { ctx, bbox } = plot;
  const ratio = window.devicePixelRatio;
  const x = axis === 0 ? bbox.left : bbox.left + bbox.width;
  const y = bbox.top + bbox.height - 6 * ratio;
  ctx.save();
  ctx.strokeStyle = inks.surface;
  ctx.lineWidth = 3 * ratio;
  ctx.beginPath();
  ctx.moveTo(x, y + 5 * ratio);
  ctx.lineTo(x, y - 5 * ratio);
  ctx.stroke();
  ctx.strokeStyle = inks.text;
  ctx.lineWidth = ratio;
  ctx.beginPath();
  ctx.moveTo(x, y + 5 * ratio);
  for (const [dx, dy] of [[-3, 3], [3, 0], [-3, -3], [0, -5]] as const) ctx.lineTo(x + dx * ratio, y + dy * ratio);
  ctx.stroke();
  ctx.restore();
}

function readInks(): Inks {
  const style = getComputedStyle(document.documentElement);
  const read = (name: string): string => style.getPropertyValue(name).trim();
  return { surface: read("--surface"), text: read("--text"), muted: read("--muted"), rule: read("--rule"), gap: read("--gap") };
}

export function timeLabel(ms: number, step_ms: number): string {
  const date = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = `${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  if (step_ms >= 86_400_000) return day;
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (step_ms >= 60_000) return minutes;
  const seconds = `${minutes}:${two(date.getSeconds())}`;
  // As many digits as tell neighbours apart.
  const digits = step_ms >= 1_000 ? 0 : step_ms >= 100 ? 1 : step_ms >= 10 ? 2 : 3;
  return digits === 0 ? seconds : `${seconds}.${String(date.getMilliseconds()).padStart(3, "0").slice(0, digits)}`;
}

/** A label that would be cut at the right edge is left out; its rule stays. */
function whole(plot: uPlot, at: number, label: string): string {
  const room_px = plot.width - (plot.bbox.left / window.devicePixelRatio + plot.valToPos(at, "x"));
  return room_px >= label.length * LETTER_PX * lookScale() * 0.5 ? label : "";
}

const shortened = (name: string, letters: number): string => (name.length <= letters ? name : `${name.slice(0, Math.max(1, letters - 1))}…`);

function xExtent(one: ChartSeries): [number, number] {
  const [lows, highs] = [one.cell?.xLow ?? one.edges?.low ?? one.x, one.cell?.xHigh ?? one.edges?.high ?? one.x];
  let [low, high] = [Infinity, -Infinity];
  for (let row = 0; row < lows.length; row++) {
    low = Math.min(low, lows[row] as number);
    high = Math.max(high, highs[row] as number);
  }
  return [low, high];
}
