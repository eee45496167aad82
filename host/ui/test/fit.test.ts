// How charts fill a window: fewer, larger columns where that shows more, and the usual height where there are too many for the room.
import { expect, test } from "vitest";
import { fitted } from "../src/parts/fit";

test.each([
  [7, 1_600, 980, 517, 250],
  [8, 1_120, 810, 357, 193],
  [1, 1_600, 980, 1_600, 400],
  [24, 1_120, 810, 357, 160],
])("%d charts in %d x %d px are %d px wide and %d px high", (count, width, room, column, height) => {
  expect(fitted(count, width, room, false)).toEqual({ width: column, height });
});
