// How charts fill a window: columns as wide as a chart needs, rows as high as there is room, so that an overview needs no scrolling; and whose turn it is on a wall.
import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useState } from "preact/hooks";

/** How many columns; in CSS pixels the width of one at least, and the height of the canvas of one chart. */
export interface Fit {
  columns: number;
  width: number;
  height: number;
}

/** Tracks of a grid, and how many of them the chart at a place spans. Where the charts do not fill the last row, the first row has fewer and wider ones: what is configured
 * first matters most, and no place stays empty. */
export function spans(count: number, columns: number): { tracks: number; of: (index: number) => number } {
  const rest = count % columns;
  if (rest === 0 || count < columns) return { tracks: Math.max(1, Math.min(count, columns)), of: () => 1 };
  const tracks = (columns * rest) / common(columns, rest);
  return { tracks, of: (index) => tracks / (index < rest ? rest : columns) };
}

const common = (a: number, b: number): number => (b === 0 ? a : common(b, a % b));

const COLUMN_PX = 340;
const COLUMN_TV_PX = 420;
const GAP_PX = { x: 24, y: 12 };
/** Head and foot of a chart around its canvas. */
const AROUND_PX = 62;
const AROUND_TV_PX = 100;
/** Beneath the charts. */
const FOOT_PX = 20;
const HEIGHT_PX = { least: 128, usual: 160, most: 400 };
/** Height by width: higher, a chart over time shows steps as walls; lower, it is flat. */
const ASPECT = { least: 0.33, most: 0.72 };
const NARROW_PX = 600;
const TURN_MS = 15_000;

/** `room`: from the top of the charts to the foot of the window. As many columns as make the charts largest; too many rows for the room: the usual height, and the page scrolls. */
export function fitted(count: number, width: number, room: number, tv: boolean): Fit {
  const least = tv ? COLUMN_TV_PX : COLUMN_PX;
  const most = Math.max(1, Math.min(count, Math.floor((width + GAP_PX.x) / (least + GAP_PX.x))));
  const columnOf = (columns: number): number => Math.floor((width - (columns - 1) * GAP_PX.x) / columns);
  let best: Fit = { columns: most, width: columnOf(most), height: HEIGHT_PX.usual };
  let largest = 0;
  for (let columns = most; columns >= 1; columns--) {
    const column = columnOf(columns);
    const rows = Math.max(1, Math.ceil(count / columns));
    const each = Math.floor((room - FOOT_PX - (rows - 1) * GAP_PX.y) / rows) - (tv ? AROUND_TV_PX : AROUND_PX);
    const height = Math.min(each, HEIGHT_PX.most * (tv ? 2 : 1), Math.max(HEIGHT_PX.usual, Math.round(column * ASPECT.most)));
    if (each < HEIGHT_PX.least || (columns < most && height < column * ASPECT.least) || column * height <= largest) continue;
    largest = column * height;
    best = { columns, width: column, height };
  }
  return best;
}

/** Null before the room is known: what is drawn for another width would be drawn twice. */
export function useFit(place: RefObject<HTMLElement | null>, count: number, tv: boolean): Fit | null {
  const [fit, setFit] = useState<Fit | null>(null);
  useLayoutEffect(() => {
    const element = place.current;
    if (element === null) return;
    const look = (): void => {
      if (element.clientWidth === 0) return;
      const top = element.getBoundingClientRect().top + window.scrollY;
      const narrow = window.innerWidth <= NARROW_PX;
      const next = narrow ? { columns: 1, width: element.clientWidth, height: HEIGHT_PX.usual } : fitted(count, element.clientWidth, window.innerHeight - top, tv);
      setFit((old) => (old !== null && old.columns === next.columns && old.width === next.width && old.height === next.height ? old : next));
    };
    look();
    const resize = new ResizeObserver(look);
    resize.observe(element);
    window.addEventListener("resize", look);
    return () => {
      resize.disconnect();
      window.removeEventListener("resize", look);
    };
  }, [place, count, tv]);
  return fit;
}

/** Goes from 0 to `pages` - 1 and begins anew. */
export function useTurn(pages: number): number {
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (pages <= 1) return;
    const timer = window.setInterval(() => setTurn((old) => old + 1), TURN_MS);
    return () => window.clearInterval(timer);
  }, [pages]);
  return pages <= 1 ? 0 : turn % pages;
}

/** Marks the page as one on a wall: texts and charts are then larger (style/tv.css, charts/look.ts). */
export function useTv(tv: boolean): void {
  // At once, not after the first picture: charts read it while they are built.
  if (tv) document.documentElement.dataset["tv"] = "";
  else delete document.documentElement.dataset["tv"];
}
