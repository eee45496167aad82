import { expect, test } from "vitest";
import { Turns } from "../src/charts/turns";

/** A clock that stands until a drawing takes its time. */
function byHand() {
  const world = { now_ms: 0, frames: [] as (() => void)[], rests: [] as { work: () => void; ms: number }[] };
  const turns = new Turns({ now: () => world.now_ms, frame: (work) => void world.frames.push(work), later: (work, ms) => void world.rests.push({ work, ms }) });
  const frame = (): void => world.frames.shift()?.();
  return { world, turns, frame };
}

test("a chart that asks many times before its turn is drawn once", () => {
  const { turns, frame, world } = byHand();
  let drawn = 0;
  const draw = (): void => void (drawn += 1);
  for (let asked = 0; asked < 5; asked++) turns.ask(draw);
  expect(world.frames.length).toBe(1);
  frame();
  expect([drawn, world.frames.length]).toEqual([1, 0]);
});

test("charts that take long are drawn over several frames in the order in which they asked, with a rest between that is as long", () => {
  const { turns, frame, world } = byHand();
  const order: number[] = [];
  for (const id of [1, 2, 3]) turns.ask(() => { order.push(id); world.now_ms += 15; });
  frame();
  expect([order, world.frames.length, world.rests[0]?.ms]).toEqual([[1], 0, 15]);
  world.rests.shift()?.work();
  frame();
  expect(order).toEqual([1, 2]);
});

test("a chart that left is not drawn", () => {
  const { turns, frame } = byHand();
  let drawn = 0;
  const draw = (): void => void (drawn += 1);
  turns.ask(draw);
  turns.leave(draw);
  frame();
  expect(drawn).toBe(0);
});
