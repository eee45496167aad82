// How charts fill a window: fewer, larger columns where that shows more, and the usual height where there are too many for the room.
import { expect, test } from "vitest";
import { fitted, spans } from "../src/parts/fit";

test.each([
  [7, 1_600, 980, 517, 250],
  [8, 1_120, 810, 357, 193],
  [1, 1_600, 980, 1_600, 400],
  [24, 1_120, 810, 357, 160],
])("%d charts in %d x %d px are %d px wide and %d px high", (count, width, room, column, height) => {
  expect(fitted(count, width, room, false)).toMatchObject({ width: column, height });
});

test.each([
  [7, 3, 3, [3, 1, 1, 1, 1, 1, 1]],
  [8, 3, 6, [3, 3, 2, 2, 2, 2, 2, 2]],
  [6, 3, 3, [1, 1, 1, 1, 1, 1]],
  [2, 4, 2, [1, 1]],
  [0, 3, 1, []],
])("%d charts in %d columns fill every row: %d tracks, %j", (count, columns, tracks, wide) => {
  const found = spans(count, columns);
  expect([found.tracks, wide.map((_, index) => found.of(index))]).toEqual([tracks, wide]);
  expect(wide.reduce((sum, span) => sum + span, 0) % tracks).toBe(0);
});
