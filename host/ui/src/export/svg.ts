// One chart as an SVG picture that stands alone: title, both axes with label and unit, range, legend, source; drawn by the same functions as the canvas.
// In: what the plot shows now, texts and colours. Out: the text of the SVG. Everything that comes from data is escaped; there is no script, style sheet or link in it.
import type uPlot from "uplot";
import { cellsOf, heatColour, LEVELS } from "../charts/cells";
import { gapLabel, gapPlaces, type Inks } from "../charts/gaps";
import type { ChartSeries, Model } from "../charts/model";
import { SvgPath } from "../charts/path";
import { pathsOf } from "../charts/plot";
import { markerPlaces } from "../charts/point";
import type { Gap } from "../wire/messages";

export interface Picture {
  plot: uPlot;
  model: Model;
  gaps: Gap[];
  tables: number;
  inks: Inks;
  dark: boolean;
}

export interface Words {
  title: string;
  yName: string;
  xName: string;
  range: string;
  source: string;
  notes: string;
  /** Name and colour of each series. */
  legend: { name: string; ink: string; estimated: boolean }[];
}

const HEAD_PX = 48;
const LINE_PX = 16;
const EDGE_PX = 12;
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif";

export function escaped(text: string): string {
  // Characters that XML 1.0 does not allow at all are left out.
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "").replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
}

const px = (value: number): string => String(Math.round(value * 100) / 100);

export function chartSvg(picture: Picture, words: Words): { text: string; width: number; height: number } {
  const { plot, inks } = picture;
  const ratio = window.devicePixelRatio;
  const width = Math.round(plot.width + 2 * EDGE_PX);
  const legend = legendLines(words, plot.width);
  const feet = [words.notes, `${words.range} · ${words.source}`].filter((line) => line !== "");
  const height = Math.round(HEAD_PX + plot.height + LINE_PX * (legend.count + feet.length) + 14);
  const label = (x: number, y: number, text: string, more = ""): string => `<text x="${px(x)}" y="${px(y)}" fill="${inks.text}" font-size="11.5" ${more}>${escaped(text)}</text>`;
  const foot = HEAD_PX + plot.height + 12;
  const parts = [
    `<rect width="${width}" height="${height}" fill="${inks.surface}"/>`,
    `<text x="${EDGE_PX}" y="20" fill="${inks.text}" font-size="14" font-weight="600">${escaped(words.title)}</text>`,
    label(EDGE_PX, 38, words.yName), label(width - EDGE_PX, 38, words.xName, 'text-anchor="end"'),
    `<g transform="translate(${EDGE_PX} ${HEAD_PX}) scale(${px(1 / ratio) === "1" ? 1 : 1 / ratio})">${drawing(picture, words, ratio)}</g>`,
    legend.text(EDGE_PX, foot, inks),
    ...feet.map((line, index) => label(EDGE_PX, foot + LINE_PX * (legend.count + index), line)),
  ];
  const text = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${FONT}" role="img" aria-label="${escaped(words.title)}">${parts.join("\n")}</svg>\n`;
  return { text, width, height };
}

function legendLines(words: Words, width: number): { count: number; text: (x: number, y: number, inks: Inks) => string } {
  const places: { x: number; line: number; name: string; ink: string; estimated: boolean }[] = [];
  let [x, line] = [0, 0];
  for (const { name, ink, estimated } of words.legend) {
    const room = 18 + name.length * 6.4 + 12;
    if (x > 0 && x + room > width) [x, line] = [0, line + 1];
    places.push({ x, line, name: estimated ? `${name} (estimated)` : name, ink, estimated });
    x += room;
  }
  const text = (left: number, top: number, inks: Inks): string => places.map((one) => {
    const y = top + one.line * LINE_PX;
    return `<path d="M${px(left + one.x)} ${px(y - 4)}h12" stroke="${one.ink}" stroke-width="3"${one.estimated ? ' stroke-dasharray="3 2"' : ""}/><text x="${px(left + one.x + 16)}" y="${px(y)}" fill="${inks.text}" font-size="11.5">${escaped(one.name)}</text>`;
  }).join("");
  return { count: places.length === 0 ? 0 : line + 1, text };
}

/** In canvas pixels, as the functions that draw give them. */
function drawing({ plot, model, gaps, tables, inks, dark }: Picture, words: Words, ratio: number): string {
  const { bbox } = plot;
  const box = `x="${px(bbox.left)}" y="${px(bbox.top)}" width="${px(bbox.width)}" height="${px(bbox.height)}"`;
  const hatch = `<pattern id="gap" width="${7 * ratio}" height="${7 * ratio}" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0V${7 * ratio}" stroke="${inks.muted}" stroke-opacity="0.35" stroke-width="${ratio}"/></pattern>`;
  const out = [`<defs>${hatch}<clipPath id="area"><rect ${box}/></clipPath></defs>`];
  const places = [...gapPlaces(plot, gaps, tables)];
  for (const gap of places) {
    const rect = `x="${px(gap.left)}" y="${px(gap.top)}" width="${px(gap.width)}" height="${px(gap.height)}"`;
    out.push(`<rect ${rect} fill="${inks.gap}"/><rect ${rect} fill="url(#gap)"/>`);
  }
  out.push(axes(plot, model, inks, ratio), `<g clip-path="url(#area)">`);
  model.series.forEach((series, index) => out.push(one(plot, series, gaps, words.legend[index]?.ink ?? inks.text, inks, dark, ratio)));
  out.push("</g>");
  for (const { left, width, top, height, gap } of places) out.push(text(left + width / 2, top + height / 2, gapLabel(gap), inks.text, 11 * ratio, 'text-anchor="middle"'));
  for (const rule of model.rules) {
    const at = plot.valToPos(rule.value, rule.axis, true);
    out.push(rule.axis === "x" ? `<path d="M${px(at)} ${px(bbox.top)}v${px(bbox.height)}" stroke="${inks.text}" stroke-dasharray="6 3"/>` : `<path d="M${px(bbox.left)} ${px(at)}h${px(bbox.width)}" stroke="${inks.text}" stroke-dasharray="6 3"/>`);
    out.push(text(rule.axis === "x" ? at + 3 : bbox.left + 4, rule.axis === "x" ? bbox.top + 12 * ratio : at - 3, rule.text, inks.text, 11 * ratio));
  }
  for (const note of model.texts) out.push(text(plot.valToPos(note.x, "x", true), plot.valToPos(note.y, note.axis, true) - 4 * ratio, note.text, inks.text, 11 * ratio, 'text-anchor="middle"'));
  return out.join("\n");
}

const text = (x: number, y: number, words: string, ink: string, size: number, more = ""): string => `<text x="${px(x)}" y="${px(y)}" fill="${ink}" font-size="${px(size)}" ${more}>${escaped(words)}</text>`;

/** Where uPlot keeps the ticks that it has found. */
interface Ticks {
  scale?: string;
  side?: number;
  _splits?: number[] | null;
  _values?: (string | number | null)[] | null;
}

function axes(plot: uPlot, model: Model, inks: Inks, ratio: number): string {
  const { bbox } = plot;
  const out: string[] = [];
  (plot.axes as unknown as Ticks[]).forEach((axis, index) => {
    const scale = axis.scale ?? "x";
    (axis._splits ?? []).forEach((split, at) => {
      const label = axis._values?.[at];
      if (label === null || label === undefined || label === "") return;
      const place = plot.valToPos(split, scale, true);
      if (index === 0) {
        out.push(`<path d="M${px(place)} ${px(bbox.top)}v${px(bbox.height + 4 * ratio)}" stroke="${inks.rule}" stroke-dasharray="${ratio} ${4 * ratio}" stroke-width="${ratio}"/>`);
        out.push(text(place, bbox.top + bbox.height + 16 * ratio, String(label), inks.muted, 11 * ratio, 'text-anchor="middle"'));
        return;
      }
      const right = axis.side === 1;
      if (index === 1) out.push(`<path d="M${px(bbox.left)} ${px(place)}h${px(bbox.width)}" stroke="${inks.rule}" stroke-dasharray="${ratio} ${4 * ratio}" stroke-width="${ratio}"/>`);
      out.push(text(right ? bbox.left + bbox.width + 6 * ratio : bbox.left - 6 * ratio, place + 4 * ratio, String(label), inks.muted, 11 * ratio, `text-anchor="${right ? "start" : "end"}"`));
    });
  });
  out.push(`<path d="M${px(bbox.left)} ${px(bbox.top)}v${px(bbox.height)}h${px(bbox.width)}" fill="none" stroke="${inks.rule}" stroke-width="${ratio}"/>`);
  for (const axis of model.yAxes) {
    const low = plot.scales[axis.name]?.min ?? 0;
    if (low > 0 && axis.scale !== "log" && !model.categories.has(axis.name)) {
      const [x, y] = [bbox.left, bbox.top + bbox.height - 1];
      out.push(`<path d="M${px(x)} ${px(y)}l${-3 * ratio} ${-2 * ratio}l${6 * ratio} ${-3 * ratio}l${-6 * ratio} ${-3 * ratio}l${3 * ratio} ${-2 * ratio}" fill="none" stroke="${inks.text}" stroke-width="${ratio}"/>`);
    }
  }
  return out.join("\n");
}

function one(plot: uPlot, series: ChartSeries, gaps: readonly Gap[], ink: string, inks: Inks, dark: boolean, ratio: number): string {
  if (series.cell !== null) return cells(plot, series, dark, ratio);
  const drawn = pathsOf(plot, series, gaps, () => new SvgPath());
  const out: string[] = [];
  if (drawn?.fill instanceof SvgPath && drawn.fill.d !== "") out.push(`<path d="${drawn.fill.d}" fill="${ink}" fill-opacity="${series.shape === "bar" ? 0.85 : series.base === null && series.shape === "area" ? 0.2 : series.shape === "area" ? 0.5 : 0.25}"/>`);
  if (drawn?.stroke instanceof SvgPath && drawn.stroke.d !== "") out.push(`<path d="${drawn.stroke.d}" fill="none" stroke="${ink}" stroke-width="${1.75 * ratio}"${series.estimated ? ` stroke-dasharray="${5 * ratio} ${4 * ratio}"` : ""}/>`);
  if (series.shape === "line" || series.shape === "area" || series.shape === "point") {
    const marks = markerPlaces(plot, series, gaps).map(({ x, y, radius }) => `<circle cx="${px(x)}" cy="${px(y)}" r="${px(radius)}"/>`);
    if (marks.length > 0) out.push(`<g fill="${series.estimated ? inks.surface : ink}" stroke="${ink}">${marks.join("")}</g>`);
  }
  return out.join("\n");
}

function cells(plot: uPlot, series: ChartSeries, dark: boolean, ratio: number): string {
  const style = getComputedStyle(document.documentElement);
  const read = (name: string): string => style.getPropertyValue(name).trim();
  return [...cellsOf(plot, series)].map((cell) => {
    const rect = `x="${px(cell.left)}" y="${px(cell.top)}" width="${px(cell.width)}" height="${px(cell.height)}"`;
    if (series.shape === "heat") return `<rect ${rect} fill="${heatColour(cell.share, dark)}"/>`;
    const level = LEVELS[cell.level] ?? LEVELS[4];
    const words = `${level?.shape ?? "?"} ${cell.text}`;
    const fits = words.length * 6.4 * ratio < cell.width;
    return `<rect ${rect} fill="${read(level?.soft ?? "--off-soft")}"/>${text(cell.left + 4 * ratio, cell.top + cell.height / 2 + 4 * ratio, fits ? words : level?.shape ?? "?", read(level?.ink ?? "--off"), 11 * ratio)}`;
  }).join("\n");
}
