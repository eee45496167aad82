// Keeps the WebSocket /api/live open and feeds the store.
// The first connection is the one that public/live.js opened, with its subscription in the address.
// Out: {"subscribe"} with the version of each picture at hand, so that the host goes on from there; {"tail"} of the selected stream.
// Lost: the picture stays, tries follow after 0.5 s, doubling to 10 s, with up to 20 % of chance so that many pages do not come back at once.
// Frames that were applied are acknowledged, many with one message, so that the host keeps IN_FLIGHT of a chart on their way at most: a page that is starved goes on at
// the newest and does not work off what waits in its sockets. A frame that cannot be applied is dropped and its chart asked for
// anew, at most once a second.
import { fetchCharts } from "../api";
import { takeFirst } from "./first";
import { CHARTS_MAX, type Store } from "./store";

const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 10_000;
const RESYNC_EVERY_MS = 1_000;
const SIZE_RESTS_MS = 300;
/** One that is drawn and one that comes meanwhile. */
const IN_FLIGHT = 2;
/** So long acknowledgements are collected. */
const ACK_EVERY_MS = 8;
/** No hello within this time: the connection is given up and tried anew. */
const HELLO_WITHIN_MS = 8_000;

export class LiveSocket {
  private socket: WebSocket | null = null;
  private attempts = 0;
  private retryTimer = 0;
  private helloTimer = 0;
  private resyncTimer = 0;
  private sizeTimer = 0;
  private size = { width: 600, height: 160 };
  private wantedSize = this.size;
  /** Of the charts on the page, by their ids. */
  private readonly sizes = new Map<string, { width: number; height: number }>();
  private tailed: string | null = null;
  /** Of the charts that got a frame since the last message. */
  private readonly unacknowledged = new Set<string>();
  private ackTimer = 0;
  /** How many lists of charts were asked for or came. */
  private listed = 0;
  /** The address of the connection asked for all charts already. */
  private subscribed = false;

  constructor(private readonly store: Store, private readonly url: string) {}

  start(): void {
    this.open();
    // A browser that comes back from sleep or offline should not wait for the rest of the back-off.
    window.addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.retryNow();
    });
  }

  retryNow(): void {
    if (this.store.connection.state !== "lost") return;
    window.clearTimeout(this.retryTimer);
    this.open();
  }

  /** Size of a chart in CSS pixels: formatters send no more points than can be seen. The largest of all is told, once it rests. */
  resized(id: string, width: number, height: number): void {
    this.sizes.set(id, { width: Math.max(1, Math.round(width)), height: Math.max(1, Math.round(height)) });
    const all = [...this.sizes.values()];
    const size = { width: Math.max(...all.map((one) => one.width)), height: Math.max(...all.map((one) => one.height)) };
    const like = (old: { width: number; height: number }): boolean => Math.abs(size.width - old.width) <= old.width * 0.1 && Math.abs(size.height - old.height) <= 40;
    if (like(this.wantedSize)) return;
    this.wantedSize = size;
    window.clearTimeout(this.sizeTimer);
    this.sizeTimer = window.setTimeout(() => {
      this.size = this.wantedSize;
      this.subscribe(true);
    }, SIZE_RESTS_MS);
  }

  /** The chart is not on the page any more. */
  left(id: string): void {
    this.sizes.delete(id);
  }

  tail(triplet: string | null): void {
    this.tailed = triplet;
    this.store.startTail(triplet);
    this.send({ tail: triplet });
  }

  private open(): void {
    const first = takeFirst();
    const socket = first?.socket ?? new WebSocket(this.url);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.subscribed = first !== null;
    this.helloTimer = window.setTimeout(() => socket.close(), HELLO_WITHIN_MS);
    for (const message of first?.messages ?? []) this.received(message);
    socket.addEventListener("message", (message: MessageEvent<string | ArrayBuffer>) => this.received(message.data));
    socket.addEventListener("close", () => {
      if (this.socket === socket) this.lost();
    });
  }

  private lost(): void {
    window.clearTimeout(this.helloTimer);
    this.socket = null;
    const pause_ms = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(this.attempts, 10)) * (1 + Math.random() * 0.2);
    this.attempts += 1;
    const now_ms = Date.now();
    this.store.connectionChanged({
      state: "lost",
      lost_at_ms: this.store.connection.lost_at_ms ?? now_ms,
      retry_at_ms: now_ms + pause_ms,
    });
    this.retryTimer = window.setTimeout(() => this.open(), pause_ms);
  }

  private received(message: string | ArrayBuffer): void {
    try {
      if (typeof message !== "string") {
        this.acknowledge(this.store.binary(message, Date.now()));
        return;
      }
      const frame = this.store.text(message);
      if (frame.hello) this.greeted();
      if (frame.changed === "charts") void this.refetchCharts();
    } catch (error) {
      this.store.connectionChanged({ problem: error instanceof Error ? error.message : String(error) });
      this.resync();
    }
  }

  private acknowledge(id: string): void {
    this.unacknowledged.add(id);
    if (this.ackTimer !== 0) return;
    this.ackTimer = window.setTimeout(() => {
      this.ackTimer = 0;
      const ack = [...this.unacknowledged].flatMap((chart) => {
        const picture = this.store.pictures.get(chart);
        return picture === undefined ? [] : [{ chart, epoch: picture.epoch, version: picture.version }];
      });
      this.unacknowledged.clear();
      if (ack.length > 0) this.send({ ack });
    }, ACK_EVERY_MS);
  }

  private greeted(): void {
    this.listed += 1;
    window.clearTimeout(this.helloTimer);
    this.unacknowledged.clear();
    this.attempts = 0;
    this.store.connectionChanged({ state: "live", lost_at_ms: null, retry_at_ms: null, skew_ms: null, problem: null });
    if (!this.subscribed) this.subscribe(true);
    if (this.tailed !== null) this.send({ tail: this.tailed });
  }

  private async refetchCharts(): Promise<void> {
    const list = (this.listed += 1);
    try {
      const charts = await fetchCharts();
      // A newer list was asked for, or came with a greeting.
      if (list !== this.listed) return;
      this.store.setCharts(charts);
      this.subscribe(true);
    } catch (error) {
      this.store.connectionChanged({ problem: `list of charts: ${error instanceof Error ? error.message : String(error)}` });
    }
  }

  private resync(): void {
    if (this.resyncTimer !== 0) return;
    this.resyncTimer = window.setTimeout(() => {
      this.resyncTimer = 0;
      this.subscribe(false);
    }, RESYNC_EVERY_MS);
  }

  /** resume: go on from the pictures at hand; else snapshots. */
  private subscribe(resume: boolean): void {
    const subscribe = (this.store.charts ?? []).slice(0, CHARTS_MAX).map(({ id }) => {
      const picture = resume ? this.store.pictures.get(id) : undefined;
      return { chart: id, version: picture?.version ?? null, epoch: picture?.epoch ?? null };
    });
    this.send({ subscribe, ...this.size, in_flight: IN_FLIGHT });
  }

  private send(message: object): void {
    if (this.socket?.readyState === WebSocket.OPEN && this.store.connection.state === "live") {
      this.socket.send(JSON.stringify(message));
    }
  }
}
