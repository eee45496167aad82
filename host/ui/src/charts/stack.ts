// Adds up what stands on each other. Series of one stack, axis and shape add up at equal x in their order; boxes stand on the sum of the medians below;
// "group" stands bars side by side. What is measured (y) stays as it is; only where it is drawn moves.
import type { ChartSeries, Value, Values } from "./model";

export function stack(series: ChartSeries[]): void {
  const grouped = series.filter((one) => one.stack === "group" && one.shape === "bar");
  grouped.forEach((one, index) => (one.group = { index, count: grouped.length }));
  const sums = new Map<string, Map<number, number>>();
  for (const one of series) {
    if (one.stack === "" || one.stack === "group" || !["line", "area", "bar", "point", "box"].includes(one.shape)) continue;
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
  const { box } = one;
  if (box === null) return;
  const lifted = (values: Values): Values => Array.from(values, (value, index) => (value === null || value === undefined ? null : value + (base[index] ?? 0)));
  one.box = { low: lifted(box.low), q1: lifted(box.q1), q3: lifted(box.q3), high: lifted(box.high), n: box.n };
}
