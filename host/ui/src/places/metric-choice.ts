// What is picked for a metric, and what of it stands in the URL: what differs from the proposal, so that a link opens the same form.
// In: a stream and the query. Out: a Choice, the change of the query that says it, and the wish that the host takes. What a URL says is not checked here: the host's
// preview says what is wrong with it.
import type { MetricWish } from "../api";
import type { StreamView } from "../wire/messages";

/** Types that can be counted with. */
export const NUMBERS = new Set(["f64", "s64", "u64"]);
/** Without a preferred formatter this one draws. */
const SERIES_CHART = "timeseries";

export interface Choice {
  name: string;
  value: string;
  is: string;
  key: string[];
  window: string;
  shape: string;
  where: string;
}

/** Members of the query. `only` and not `where`: that is the filter of the table. */
const IN_QUERY = { name: "name", value: "value", is: "is", window: "window", shape: "shape", where: "only" } as const;
/** To be left out of the query when the maker is closed. */
export const NOTHING_PICKED: Record<string, null> = Object.fromEntries([...Object.values(IN_QUERY), "key"].map((name) => [name, null]));

/** Lower case, as units and series are called after it. */
export function properName(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9_]+/g, "_").replace(/^[^a-z]+|_+$/g, "").slice(0, 40);
}

export const proposed = (triplet: string, value: string, is: string): string => properName(`${triplet.split("/")[2] ?? ""}_${value === "" || is === "count" ? "count" : `${value}_${is}`}`);

function proposal(stream: StreamView, query: Record<string, string>): Choice {
  const value = query["value"] ?? stream.columns.find(({ type }) => type === "f64")?.name ?? stream.columns.find(({ type }) => NUMBERS.has(type))?.name ?? "";
  const is = query["is"] ?? (value === "" ? "count" : "mean");
  return { name: proposed(stream.triplet, value, is), value, is, key: [], window: "1s", shape: "line", where: "" };
}

export function chosenIn(stream: StreamView, query: Record<string, string>): Choice {
  const choice = proposal(stream, query);
  for (const [member, name] of Object.entries(IN_QUERY) as [keyof typeof IN_QUERY, string][]) choice[member] = query[name] ?? choice[member];
  return { ...choice, key: (query["key"] ?? "").split(",").filter((name) => name !== "") };
}

export function queryOf(stream: StreamView, choice: Choice): Record<string, string | null> {
  const whole = proposal(stream, {});
  const change: Record<string, string | null> = { key: choice.key.length === 0 ? null : choice.key.join(",") };
  for (const [member, name] of Object.entries(IN_QUERY) as [keyof typeof IN_QUERY, string][]) change[name] = choice[member] === whole[member] ? null : choice[member];
  // What is proposed follows from what is picked.
  if (choice.is === proposal(stream, { value: choice.value }).is) change["is"] = null;
  if (choice.name === proposed(stream.triplet, choice.value, choice.is)) change["name"] = null;
  return change;
}

export function wishOf(stream: string, choice: Choice): MetricWish {
  const counts = choice.is === "count" || choice.value === "";
  return {
    name: choice.name, from: [stream], key: choice.key, rollup: [{ window: choice.window, is: [counts ? "count" : choice.is] }],
    chart: { title: choice.name.replace(/_/g, " "), use: SERIES_CHART, config: { shape: choice.shape } },
    ...(counts ? {} : { value: choice.value }), ...(choice.where.trim() === "" ? {} : { where: choice.where.trim() }),
  };
}
