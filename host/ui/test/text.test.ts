// Numbers and routes as text.
import { expect, test } from "vitest";
import { axisUnit, bytes, duration, exact, fitting, short, withMeasure } from "../src/format";
import { hashOf, parseRoute } from "../src/route";

test.each([[0, "0"], [0.1234, "0.123"], [12.34, "12.3"], [999, "999"], [12_345, "12.3 k"], [2.5e9, "2.5 G"], [NaN, "–"]])("short %s is %s", (value, text) => {
  expect(short(value)).toBe(text);
});

test("measures", () => {
  expect([bytes(1536), withMeasure(2 ** 20, "By"), withMeasure(3, "1"), withMeasure(3, "ms"), exact(1234567, "ms"), duration(0.24), duration(90)])
    .toEqual(["1.5 KiB", "1 MiB", "3", "3 ms", "1,234,567 ms", "0.2 s", "90 s"]);
});

test("units", () => {
  expect([withMeasure(229, "1/s"), axisUnit("1/s"), axisUnit("1"), axisUnit("By"), exact(64.16042695650758, "%")]).toEqual(["229 /s", "per s", "number", "bytes", "64.160427 %"]);
});

test("times are written in the unit that fits", () => {
  expect([withMeasure(4e6, "ns"), withMeasure(512, "ms"), withMeasure(1_500, "ms"), withMeasure(0.0002, "s"), withMeasure(0, "ms"), withMeasure(7_200, "s")]).toEqual(["4 ms", "512 ms", "1.5 s", "200 µs", "0 ms", "7.2 ks"]);
  expect([fitting("ns", 4.2e6), fitting("us", -3), fitting("%", 1e6), fitting("ms", NaN)].map(({ measure }) => measure)).toEqual(["ms", "us", "%", "ms"]);
});

test("a route survives the URL, also with odd names", () => {
  const route = { place: "streams" as const, path: ["a b", "ü", "c?#"], query: { where: "a = 'x&y'", theme: "dark" } };
  expect(parseRoute(hashOf(route.place, route.path, route.query))).toEqual(route);
  expect(parseRoute("#/streams/%E0%A4%A")).toEqual({ place: "streams", path: [], query: {} });
  expect(parseRoute("#/nowhere/x?chart=cpu")).toEqual({ place: "overview", path: [], query: { chart: "cpu" } });
  expect(parseRoute("")).toEqual({ place: "overview", path: [], query: {} });
});
