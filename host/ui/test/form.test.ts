// Forms from schemas, names of units and metrics, the palette, and what a metric is made of.
import { expect, test } from "vitest";
import { find } from "../src/parts/palette";
import { beginning, fieldOf, missing } from "../src/parts/schema-form";
import { freeName } from "../src/places/inject";
import { chosenIn, properName, queryOf, wishOf } from "../src/places/metric-choice";

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

test("what is picked for a metric comes back from the query, and what is only proposed is not in it", () => {
  const stream = { triplet: "a/b/c", columns: [{ name: "ms", type: "f64" }, { name: "status", type: "s64" }] } as never;
  const proposed = chosenIn(stream, {});
  expect(Object.values(queryOf(stream, proposed)).every((value) => value === null)).toBe(true);
  for (const change of [{ key: ["host", "path"] }, { value: "status" }, { value: "", is: "count" }, { is: "p99", window: "5m", shape: "bar" }, { where: "ms > 1", name: "mine" }]) {
    const picked = { ...proposed, name: change.name ?? chosenIn(stream, { value: change.value ?? "ms", is: change.is ?? "mean" }).name, ...change };
    const query = Object.fromEntries(Object.entries(queryOf(stream, picked)).filter((one): one is [string, string] => one[1] !== null));
    expect(chosenIn(stream, query)).toEqual(picked);
  }
});
