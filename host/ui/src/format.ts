// Numbers, durations and times as text: at most three significant digits at a glance, exact where a person hovers.

const PREFIXES: [number, string][] = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
const BINARY: [number, string][] = [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]];

function three(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return trimmed(value.toFixed(1));
  if (size >= 0.001) return trimmed(value.toPrecision(3));
  return value.toExponential(1);
}

function trimmed(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** 12,345 as 12.3 k. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return "–";
  for (const [size, prefix] of PREFIXES) {
    if (Math.abs(value) >= size) return `${three(value / size)} ${prefix}`;
  }
  return three(value);
}

/** Of what is counted for each second: a rate moves, so what is far behind the point is only noise. */
export const rate = (value: number): string => short(Math.abs(value) >= 100 ? value : Math.abs(value) >= 10 ? Math.round(value) : Number(value.toFixed(1)) || Number(value.toPrecision(1)));

/** The first letters of a digest, without the name of its method. */
export const shortDigest = (digest: string, letters = 12): string => digest.replace(/^\w+:/, "").slice(0, letters);

export function bytes(value: number): string {
  for (const [size, unit] of BINARY) {
    if (Math.abs(value) >= size) return `${three(value / size)} ${unit}`;
  }
  return `${three(value)} B`;
}

const UNITS: Record<string, string> = { By: "bytes", "By/s": "bytes/s", Cel: "°C", us: "µs", "1": "" };

/** UCUM as people write it behind a value; nothing for "1", a plain number. */
export const unitName = (measure: string): string => UNITS[measure] ?? measure.replace(/^1\//, "/");

/** UCUM as the name of an axis has it: never empty. */
export const axisUnit = (measure: string): string => (measure.startsWith("1/") ? `per ${measure.slice(2)}` : unitName(measure) || "number");

const TIMES = ["ns", "us", "ms", "s"];
export const isTime = (measure: string): boolean => TIMES.includes(measure);

/** A measure of time in the step of a thousand that fits values up to `most`: 4,000,000 ns are 4 ms. Others stay as they are. */
export function fitting(measure: string, most: number): { measure: string; factor: number } {
  let at = TIMES.indexOf(measure);
  let factor = 1;
  const size = Math.abs(most);
  if (at < 0 || size === 0 || !Number.isFinite(size)) return { measure, factor };
  for (; at < TIMES.length - 1 && size * factor >= 1_000; at++) factor /= 1_000;
  for (; at > 0 && size * factor < 1; at--) factor *= 1_000;
  return { measure: TIMES[at] ?? measure, factor };
}

/** With the measure of an axis (UCUM or plain): bytes in binary steps, times in that of a thousand, "1" as a plain number. */
export function withMeasure(value: number, measure: string): string {
  if (measure === "By" || measure === "B" || measure === "bytes") return bytes(value);
  if (measure === "By/s" || measure === "B/s" || measure === "bytes/s") return `${bytes(value)}/s`;
  const fit = fitting(measure, value);
  const unit = unitName(fit.measure);
  const text = short(value * fit.factor);
  return unit === "" ? text : /[a-zA-Z]$/.test(text) ? `${text}${unit}` : `${text} ${unit}`;
}

/** Nine significant digits: all that a measurement has, without the noise at the end of a binary fraction. */
export function exact(value: number, measure = "1"): string {
  const digits = Number.isInteger(value) ? value.toLocaleString("en-US") : String(Number(value.toPrecision(9)));
  const unit = unitName(measure);
  return unit === "" ? digits : `${digits} ${unit}`;
}

export function duration(seconds: number): string {
  const size = Math.max(0, seconds);
  if (size < 10) return `${size.toFixed(1)} s`;
  if (size < 120) return `${Math.round(size)} s`;
  if (size < 7_200) return `${Math.round(size / 60)} min`;
  if (size < 172_800) return `${Math.round(size / 3_600)} h`;
  return `${Math.round(size / 86_400)} d`;
}

const two = (value: number): string => String(value).padStart(2, "0");

export function clock(time_ms: number, millis = false): string {
  const date = new Date(time_ms);
  const text = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return millis ? `${text}.${String(date.getMilliseconds()).padStart(3, "0")}` : text;
}

export function dateAndClock(time_ms: number): string {
  const date = new Date(time_ms);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(time_ms, true)}`;
}

/** Of this browser, as "UTC+2". */
export function zone(): string {
  const minutes = -new Date().getTimezoneOffset();
  if (minutes === 0) return "UTC";
  const size = Math.abs(minutes);
  const rest = size % 60 === 0 ? "" : `:${two(size % 60)}`;
  return `UTC${minutes < 0 ? "−" : "+"}${Math.floor(size / 60)}${rest}`;
}
