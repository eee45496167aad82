// Whose turn it is to draw: charts ask for one, and each animation frame draws those that waited longest until its share of time is used up. So a page with many
// charts stays quick to the hand, and no chart starves another. In: drawings, each of which draws one chart as it is then. A chart that asks again while it waits
// is drawn once. What draws takes at most about half of the main thread: after a frame that drew for d ms the next one waits as long.

/** Of drawing in one animation frame. At least one chart is drawn however long it takes. */
const FRAME_MS = 10;

export interface Clock {
  now: () => number;
  frame: (work: () => void) => void;
  later: (work: () => void, ms: number) => void;
}

const BROWSER: Clock = {
  now: () => performance.now(),
  frame: (work) => void requestAnimationFrame(work),
  later: (work, ms) => void setTimeout(work, ms),
};

export class Turns {
  /** In the order in which they asked. */
  private readonly waiting = new Set<() => void>();
  private planned = false;

  constructor(private readonly clock: Clock = BROWSER) {}

  ask(draw: () => void): void {
    this.waiting.add(draw);
    this.plan(0);
  }

  /** It does not want it any more. */
  leave(draw: () => void): void {
    this.waiting.delete(draw);
  }

  private plan(rest_ms: number): void {
    if (this.planned || this.waiting.size === 0) return;
    this.planned = true;
    if (rest_ms > FRAME_MS) this.clock.later(() => this.clock.frame(() => this.run()), rest_ms);
    else this.clock.frame(() => this.run());
  }

  private run(): void {
    const begun = this.clock.now();
    let used = 0;
    for (const draw of this.waiting) {
      if (used >= FRAME_MS) break;
      this.waiting.delete(draw);
      draw();
      used = this.clock.now() - begun;
    }
    this.planned = false;
    this.plan(used);
  }
}

/** Of all charts of the page. */
export const turns = new Turns();
