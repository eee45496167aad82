// The one store of the page: what came over the WebSocket, and the state of the connection.
// In: text and binary frames from socket.ts. Out: plain state, and a call to every listener of a topic when it changed.
// Topics: "connection", "charts" (the list), "chart:ID" (its picture), "tail" (events of the tailed stream).
// Limits: TAIL_EVENTS_MAX events of one stream; charts are bounded by what the host sends. Bad frames throw WireError to the caller.
import { decodeFrame } from "../wire/frame";
import type { ChartEntry, Description, EventRow, HostText } from "../wire/messages";
import { applyFrame, type Tables } from "../wire/table";

export const TAIL_EVENTS_MAX = 1_000;
/** A page whose charts have no points yet does not wait longer for them. */
const PICTURED_WITHIN_MS = 1_000;
/** The host lets one page watch so many charts. */
export const CHARTS_MAX = 64;

export interface ChartPicture {
  description: Description;
  tables: Tables;
  epoch: number;
  version: number;
  newest_unix_ns: number | null;
  frames: number;
}

export interface Connection {
  state: "connecting" | "live" | "lost";
  /** When it was lost, and when the next try starts, on the clock of this browser. */
  lost_at_ms: number | null;
  retry_at_ms: number | null;
  version: string | null;
  /** Newest event behind any picture. */
  newest_unix_ms: number | null;
  /** Clock of the browser minus clock of the host: the least difference that was seen (it includes the way). */
  skew_ms: number | null;
  merged_total: number;
  merged_last: number;
  merged_last_at_ms: number | null;
  problem: string | null;
}

export interface Tail {
  triplet: string | null;
  events: EventRow[];
  skipped_total: number;
}

/** What is known of a chart's pictures; times of drawing are on the browser's clock. */
interface Seen {
  newest_unix_ns: number | null;
  newest_time_ms: number | null;
  points: number;
  frames: number;
  drawn_at_ms: number | null;
  first_drawn_at_ms: number | null;
}

/** What browser tests and benches read: proof that pictures move. `drawn` is theirs to set. */
interface Probe {
  charts: Record<string, Seen>;
  /** When the first picture with points in it had left for the screen. */
  first_painted_at_ms?: number;
  drawn?: (id: string, chart: Seen) => void;
}

declare global {
  interface Window {
    __weir: Probe;
  }
}

export class Store {
  charts: ChartEntry[] | null = null;
  readonly pictures = new Map<string, ChartPicture>();
  readonly chartErrors = new Map<string, string>();
  tail: Tail = { triplet: null, events: [], skipped_total: 0 };
  connection: Connection = {
    state: "connecting", lost_at_ms: null, retry_at_ms: null, version: null, newest_unix_ms: null, skew_ms: null,
    merged_total: 0, merged_last: 0, merged_last_at_ms: null, problem: null,
  };
  /** When a first picture is on the screen, or would have been: what is less urgent begins then. */
  readonly pictured: Promise<void>;
  /** Whether any picture with points in it was on its canvas yet. */
  private hasDrawn = false;
  private firstPainted: () => void = () => undefined;
  private readonly listeners = new Map<string, Set<() => void>>();
  private readonly probe: Probe = { charts: {} };

  constructor() {
    this.pictured = new Promise((done) => {
      this.firstPainted = done;
      setTimeout(done, PICTURED_WITHIN_MS);
    });
    if (typeof window !== "undefined") window.__weir = this.probe;
  }

  /** Returns the function that ends it. */
  listen(topic: string, listener: () => void): () => void {
    const set = this.listeners.get(topic) ?? new Set();
    this.listeners.set(topic, set.add(listener));
    return () => void set.delete(listener);
  }

  private tell(topic: string): void {
    for (const listener of this.listeners.get(topic) ?? []) listener();
  }

  connectionChanged(change: Partial<Connection>): void {
    this.connection = { ...this.connection, ...change };
    this.tell("connection");
  }

  /** Returns the host's text frame, so that the socket can act on "hello" and "changed". */
  text(message: string): HostText {
    const frame = JSON.parse(message) as HostText;
    if (frame.hello) {
      this.connectionChanged({ version: frame.hello.version });
      this.setCharts(frame.hello.charts);
    }
    if (frame.chart_error) {
      this.chartErrors.set(frame.chart_error.chart, frame.chart_error.message);
      this.tell(`chart:${frame.chart_error.chart}`);
    }
    if (frame.error) this.connectionChanged({ problem: frame.error.message });
    if (frame.tail !== undefined) this.appendTail(frame.tail, frame.events ?? [], frame.skipped ?? 0);
    return frame;
  }

  setCharts(charts: ChartEntry[]): void {
    this.charts = charts;
    const ids = new Set(charts.map((chart) => chart.id));
    if (charts.length === 0) this.firstPainted();
    for (const id of this.pictures.keys()) {
      if (!ids.has(id)) this.forget(id);
    }
    this.tell("charts");
  }

  private forget(id: string): void {
    this.pictures.delete(id);
    this.chartErrors.delete(id);
    delete this.probe.charts[id];
  }

  /** Returns the chart that it was of. */
  binary(buffer: ArrayBuffer, now_ms: number): string {
    const frame = decodeFrame(buffer);
    const { header } = frame;
    const old = this.pictures.get(header.chart);
    const tables = applyFrame(old?.tables ?? null, frame);
    const description = header.description ?? old?.description;
    if (description === undefined) throw new Error(`chart ${header.chart}: no description came with the first picture`);
    const frames = (old?.frames ?? 0) + 1;
    const { epoch, version, newest_unix_ns } = header;
    this.pictures.set(header.chart, { description, tables, epoch, version, newest_unix_ns, frames });
    this.chartErrors.delete(header.chart);
    this.note(header.chart, tables, newest_unix_ns, frames);
    this.noteAge(header.sent_unix_ns, newest_unix_ns, header.merged, now_ms);
    this.tell(`chart:${header.chart}`);
    return header.chart;
  }

  private note(id: string, tables: Tables, newest_unix_ns: number | null, frames: number): void {
    let points = 0;
    let newest_time_ms: number | null = null;
    for (const table of tables.values()) {
      points += table.rows;
      for (const column of table.columns.values()) {
        const last = column.type === "time" ? column.values[column.values.length - 1] : undefined;
        if (last !== undefined && (newest_time_ms === null || last > newest_time_ms)) newest_time_ms = last;
      }
    }
    const { drawn_at_ms = null, first_drawn_at_ms = null } = this.probe.charts[id] ?? {};
    this.probe.charts[id] = { newest_unix_ns, newest_time_ms, points, frames, drawn_at_ms, first_drawn_at_ms };
  }

  /** Its picture would be the first on the page with anything in it: what it shows should wait for nothing. */
  isFirst(id: string): boolean {
    return !this.hasDrawn && (this.probe.charts[id]?.points ?? 0) > 0;
  }

  /** The newest picture of a chart is on its canvas now. */
  drawn(id: string): void {
    const chart = this.probe.charts[id];
    if (chart === undefined) return;
    chart.drawn_at_ms = Date.now();
    chart.first_drawn_at_ms ??= chart.drawn_at_ms;
    if (this.isFirst(id)) this.notePainted();
    this.hasDrawn ||= chart.points > 0;
    this.probe.drawn?.(id, chart);
  }

  /** After the next frame of the browser what was drawn is with the compositor. */
  private notePainted(): void {
    if (typeof requestAnimationFrame === "undefined") return;
    requestAnimationFrame(() => setTimeout(() => {
      this.probe.first_painted_at_ms = Date.now();
      this.firstPainted();
    }));
  }

  private noteAge(sent_unix_ns: number, newest_unix_ns: number | null, merged: number, now_ms: number): void {
    const skew = now_ms - sent_unix_ns / 1e6;
    const change: Partial<Connection> = { problem: null };
    if (this.connection.skew_ms === null || skew < this.connection.skew_ms) change.skew_ms = skew;
    const newest_ms = newest_unix_ns === null ? null : newest_unix_ns / 1e6;
    if (newest_ms !== null && newest_ms > (this.connection.newest_unix_ms ?? -Infinity)) change.newest_unix_ms = newest_ms;
    if (merged > 0) {
      change.merged_total = this.connection.merged_total + merged;
      change.merged_last = merged;
      change.merged_last_at_ms = now_ms;
    }
    this.connectionChanged(change);
  }

  /** Time on the host's clock. */
  hostNow_ms(): number {
    return Date.now() - (this.connection.skew_ms ?? 0);
  }

  startTail(triplet: string | null): void {
    this.tail = { triplet, events: [], skipped_total: 0 };
    this.tell("tail");
  }

  /** Newest first. Events that are shown already (after a reconnect or from /recent) are not shown twice. */
  appendTail(triplet: string, events: EventRow[], skipped: number): void {
    if (triplet !== this.tail.triplet) return;
    const known = new Set(this.tail.events.map((event) => `${event.position}/${event.row}`));
    const fresh = events.filter((event) => !known.has(`${event.position}/${event.row}`));
    const merged = [...fresh, ...this.tail.events].sort((a, b) => b.position - a.position || b.row - a.row);
    this.tail = { triplet, events: merged.slice(0, TAIL_EVENTS_MAX), skipped_total: this.tail.skipped_total + skipped };
    this.tell("tail");
  }
}
