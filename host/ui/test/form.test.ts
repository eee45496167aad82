// Forms from schemas, names of units and metrics, the palette, and what a metric is made of.
import { expect, test } from "vitest";
import { find } from "../src/parts/palette";
import { beginning, fieldOf, missing } from "../src/parts/schema-form";
import { freeName } from "../src/places/inject";
import { properName, wishOf } from "../src/places/metric-maker";

test.each([
  [{ type: "string" }, "text"], [{ type: "string", format: "weir-expression" }, "expression"], [{ type: "integer" }, "number"], [{ type: "boolean" }, "boolean"], [{ enum: [1, 2] }, "choice"],
  [{ type: "array", items: { type: "string" } }, "texts"], [{ type: "array", items: { type: "object" } }, "json"], [{ type: "object" }, "json"], [{ anyOf: [{ type: "string" }] }, "json"], [{ type: ["string", "null"] }, "json"],
])("%j is a field of %s", (schema, field) => {
  expect(fieldOf(schema)).toBe(field);
});

test("a new unit begins with the required members that have a default, and says what is still wanted", () => {
  const schema = { required: ["a", "b"], properties: { a: { default: 3 }, b: {}, c: { default: 1 } } };
  expect(beginning(schema)).toEqual({ a: 3 });
  expect(missing(schema, { a: 3 })).toEqual(["b"]);
});

test("a free name is found, also for a file", () => {
  expect(freeName("filter", new Set(["filter", "filter-2"]))).toBe("filter-3");
  expect(freeName("/home/me/my filter.wasm", new Set())).toBe("my-filter");
});

test("the palette wants every word, and puts names that begin with the first one on top", () => {
  const commands = ["cpu/cores", "my cpu", "cpu"].map((name) => ({ kind: "unit", name, run: () => undefined }));
  expect(find(commands, "cpu").map(({ name }) => name)).toEqual(["cpu/cores", "cpu", "my cpu"]);
  expect(find(commands, "unit cores").map(({ name }) => name)).toEqual(["cpu/cores"]);
  expect(find(commands, "none")).toEqual([]);
});

test("a metric is what was picked; counting needs no value", () => {
  const choice = { name: "n", value: "ms", is: "p99", key: ["host"], window: "1s", shape: "line", where: " status = 200 " };
  expect(wishOf("a/b/c", choice)).toMatchObject({ from: ["a/b/c"], key: ["host"], value: "ms", where: "status = 200", rollup: [{ window: "1s", is: ["p99"] }] });
  expect(wishOf("a/b/c", { ...choice, is: "count" })).not.toHaveProperty("value");
  expect(properName("9 Latency (ms)!")).toBe("latency_ms");
});
