// The part of the mock host that can be changed: pipelines with their outlines, components with schemas, revisions and undo.
// One state for the life of the mock; edits behave as docs/wire.md says, but nothing runs.
import { pipelines } from "./world.mjs";

const FILTER = {
  type: "object", required: ["keep"], additionalProperties: false,
  properties: { keep: { type: "string", title: "Keep rows where", description: "A condition over the columns of the stream. Columns are written by name, texts in quotes.", minLength: 1, format: "weir-expression", examples: ["status >= 500", "method = 'GET' and latency_ms > 100"] } },
};
const ROLLUP = {
  type: "object", required: ["aggregates"],
  properties: {
    keys: { type: "array", items: { type: "string" }, title: "Keys", description: "Columns whose values make the key." }, window: { type: "string", title: "Window", description: "Length of a window.", examples: ["10s", "1m"] },
    aggregates: { type: "object", title: "Results", description: "Name of each column that comes out, and what it is." }, lateness: { type: "string", title: "Lateness", default: "0s" },
    across: { type: "boolean", title: "Across streams", default: false, description: "One key space for all streams instead of one for each." }, order: { enum: ["time", "arrival"], title: "Order", default: "time" }, keep: { type: "integer", minimum: 1, title: "Keep", default: 100 },
  },
};
const component = (name, kind, summary, schema, used_by = []) => ({ schema, view: { name, version: "0.1.0", kind, digest: `${name}4f9c2ab17d60e5c43a`.slice(0, 16), bytes: 78_000 + name.length * 1_100, summary, imports: ["weir:plugin/state@0.1.0", "weir:plugin/types@0.1.0"], used_by } });
const COMPONENTS = [
  component("filter", "filter", "Keeps the rows for which a condition is true.", FILTER, ["requests/slow"]), component("rollup", "rollup", "Windows over time, by key.", ROLLUP, ["requests/per_host", "host/cpu"]),
  component("transform", "transform", "Computes columns with expressions.", { type: "object", properties: { set: { type: "object", title: "Set", description: "Columns and what they become." } } }), component("dedup", "filter", "Leaves out what was there before.", { type: "object", properties: { by: { type: "array", items: { type: "string" }, title: "By" }, within: { type: "string", title: "Within", default: "1m" } } }),
  component("threshold", "rule", "A level from bounds.", { type: "object", properties: {} }, ["rule/too-slow"]), component("timeseries", "formatter", "Lines, areas, bars and points over time.", { type: "object", properties: {} }, ["chart/cpu"]),
];

export class Editing {
  constructor() {
    this.added = new Map();
    this.removed = new Set();
    this.revisions = [{ revision: 1, position: 0, at: new Date(Date.now() - 720_000).toISOString(), origin: "file", summary: "loads weir.toml", bytes: 4_100 }];
    this.held = new Map();
    this.kept = [];
  }

  get revision() {
    return this.revisions[0].revision;
  }

  commit(summary) {
    this.kept.unshift({ added: new Map([...this.added].map(([name, list]) => [name, [...list]])), removed: new Set(this.removed), revision: this.revision });
    this.revisions.unshift({ revision: this.revision + 1, position: 4_000 + this.revision, at: new Date().toISOString(), origin: "page", summary, bytes: 4_180 });
    return { revision: this.revision, position: 4_000 + this.revision, summary, warnings: [] };
  }

  pipelines() {
    return pipelines(this.held).map((pipeline) => {
      let units = pipeline.units.filter((unit) => !this.removed.has(unit.id));
      for (const { name, use, after } of this.added.get(pipeline.name) ?? []) {
        const id = `${pipeline.name}/${name}`;
        if (this.removed.has(id)) continue;
        const before = units.find((unit) => unit.id === `${pipeline.name}/${after}`);
        const to = before ? before.to : units.length > 0 ? [units[0].id] : [];
        const unit = { ...units[0], id, component: use, kind: use, to, state: this.held.get(id) ?? "running", faults_total: 0, rejected_total: 0, late_total: 0 };
        units = before ? units.flatMap((one) => (one === before ? [{ ...one, to: [id] }, unit] : [one])) : [unit, ...units];
      }
      return { ...pipeline, units };
    });
  }

  outline(name) {
    const pipeline = this.pipelines().find((one) => one.name === name);
    if (!pipeline) return null;
    const fed = new Set(pipeline.units.flatMap((unit) => unit.to));
    const config = (unit) => (unit.component === "filter" ? { keep: "latency_ms > 200" } : unit.component === "rollup" ? { keys: ["host"], window: "1s", aggregates: { n: "count" } } : {});
    const units = pipeline.units.filter((unit) => !unit.id.startsWith("rule/")).map((unit) => ({ name: unit.id.split("/")[1], id: unit.id, use: unit.component, from: fed.has(unit.id) ? ["before"] : ["in"], config: config(unit), kind: unit.kind, state: unit.state, ports: [{ name: "out", summary: "", to: unit.to }] }));
    const rules = pipeline.units.filter((unit) => unit.id.startsWith("rule/")).map((unit) => ({ name: unit.id.slice(5), id: unit.id, use: "threshold", on: "per_host", config: { column: "latency_ms", warning: 200 }, kind: "rule", state: unit.state }));
    const series = pipeline.units.flatMap((unit) => unit.to.filter((to) => to.startsWith("series ")).map((to) => ({ metric: to.slice(7), from: [unit.id.split("/")[1]], labels: [], fields: ["value"], keep_points: 3600 })));
    return { revision: this.revision, name, from: pipeline.from, state: pipeline.state, units, rules, series, streams: [] };
  }

  components() {
    return COMPONENTS.map(({ view }) => view);
  }

  component(name) {
    const found = COMPONENTS.find(({ view }) => view.name === name);
    return found && { component: found.view, config_schema: found.schema };
  }

  inject(pipeline, body) {
    if (body.use === "filter" && /[;?]/.test(body.config.keep ?? "")) {
      return { status: 422, body: { error: { code: "bad_configuration", message: "the configuration has 1 problem" }, problems: [{ place: `pipeline "${pipeline}", unit "${body.name}", config.keep`, message: "unexpected sign at column 3" }] } };
    }
    const edited = this.commit(`injects ${body.use} \`${body.name}\` after \`${body.after}\``);
    this.added.set(pipeline, [...(this.added.get(pipeline) ?? []), body]);
    return { status: 201, body: edited };
  }

  change(pipeline, unit) {
    return { status: 200, body: this.commit(`changes \`${unit}\` of ${pipeline}`) };
  }

  remove(pipeline, unit) {
    const edited = this.commit(`removes \`${unit}\``);
    this.removed.add(`${pipeline}/${unit}`);
    return { status: 200, body: edited };
  }

  undo(to) {
    const back = this.kept.find((one) => one.revision === to) ?? this.kept[0];
    if (!back) return { status: 409, body: { error: { code: "conflict", message: "there is no revision before this one" } } };
    const edited = this.commit(`back to revision ${back.revision}`);
    this.added = back.added;
    this.removed = back.removed;
    return { status: 200, body: edited };
  }
}
