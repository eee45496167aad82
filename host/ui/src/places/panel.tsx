// The panel of a unit, a source or a pipeline: what it is and does now, its configuration as a form, its faults with their rows, and what can be done with it.
// In: what is chosen and the running view. Every change names the revision that it was made of; what the host refuses is shown with all of its reasons.
import { useCallback, useEffect, useState } from "preact/hooks";
import { actOnPipeline, actOnUnit, changeUnit, fetchComponent, fetchOutline, Refused, removeUnit, shortName, type Action } from "../api";
import type { Chosen } from "../graph/graph-view";
import { bytes, duration, exact, rate, short, shortDigest, withMeasure } from "../format";
import { SchemaForm, type Config } from "../parts/schema-form";
import { Failed, Skeleton } from "../parts/states";
import { StateMark } from "../parts/state-mark";
import { hashOf, setQuery } from "../route";
import type { ComponentDetail, OutlineUnit, PipelinesView, PipelineView, Problem, UnitView } from "../wire/messages";
import { DeadLetters } from "./dead-letters";
import { Inject } from "./inject";
import { UnitFaults } from "./unit-faults";
import { History } from "../parts/history";

interface Place {
  chosen: Chosen;
  view: PipelinesView;
  tab: string;
  query: Record<string, string>;
  /** Look again at once. */
  changed: () => void;
}

export interface Refusal {
  message: string;
  problems: Problem[];
}

export const refusalOf = (error: unknown): Refusal =>
  ({ message: error instanceof Error ? error.message : String(error), problems: error instanceof Refused ? error.problems : [] });

export function Panel({ chosen, view, tab, query, changed }: Place) {
  const pipeline = view.pipelines.find((one) => one.name === chosen.pipeline);
  const unit = pipeline?.units.find((one) => one.id === chosen.unit) ?? null;
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  if (pipeline === undefined) return null;
  const act = (run: () => Promise<unknown>): void => {
    setRefusal(null);
    run().then(changed, (error: unknown) => setRefusal(refusalOf(error)));
  };
  const isRule = unit !== null && unit.id.startsWith("rule/");
  const tabs = unit === null ? ["about", "dead letters", "history"] : isRule ? ["about", "configuration", "faults", "dead letters"] : ["about", "configuration", "faults", "dead letters", "history"];
  const open = tab === "insert" ? tab : tabs.includes(tab) ? tab : "about";
  const title = unit !== null ? unit.id : chosen.unit === "in" ? `streams into ${pipeline.name}` : pipeline.name;
  return (
    <aside class="panel" aria-labelledby="panel-title">
      <header class="bar">
        <h2 id="panel-title">{title}</h2>
        <a class="close" href={hashOf("pipelines")} aria-label="close the panel" title="close">×</a>
      </header>
      {chosen.unit !== "in" && (
        <p class="doing">
          <StateMark state={unit?.state ?? pipeline.state} />
          <Buttons name={title} state={unit?.state ?? pipeline.state} on={(action) => act(() => (unit === null ? actOnPipeline(pipeline.name, action) : actOnUnit(pipeline.name, unit.id, action)))} />
        </p>
      )}
      <p class="doing">
        {!isRule && <button type="button" class="main" aria-pressed={open === "insert"} onClick={() => setQuery({ tab: open === "insert" ? null : "insert", use: null })}>insert after</button>}
        {unit !== null && !isRule && <Remove pipeline={pipeline.name} unit={unit} view={view} changed={changed} refused={setRefusal} />}
      </p>
      {refusal !== null && <Reasons what="That was refused" refusal={refusal} />}
      {open === "insert" && <Inject pipeline={pipeline} after={unit === null ? "in" : shortName(pipeline.name, unit.id)} view={view} use={query["use"] ?? null} changed={changed} />}
      {open !== "insert" && (
        <>
          <nav class="tabs" aria-label="of the panel">
            {tabs.map((name) => <button key={name} type="button" aria-pressed={open === name} onClick={() => setQuery({ tab: name === "about" ? null : name, code: null, before: null, exactly: null })}>{name}</button>)}
          </nav>
          {open === "about" && (unit === null ? <AboutPipeline pipeline={pipeline} /> : <AboutUnit unit={unit} />)}
          {open === "configuration" && unit !== null && <Configuration pipeline={pipeline.name} unit={unit} view={view} changed={changed} readOnly={isRule} />}
          {open === "faults" && unit !== null && <UnitFaults unit={unit.id} />}
          {open === "dead letters" && <DeadLetters scope={unit === null ? { unit: null, pipeline: pipeline.name } : { unit: unit.id, pipeline: null }} query={query} changed={changed} />}
          {open === "history" && <History running={view.revision} exactly={query["exactly"] ?? null} changed={changed} />}
        </>
      )}
    </aside>
  );
}

export function Reasons({ what, refusal }: { what: string; refusal: Refusal }) {
  return (
    <div class="failed" role="alert">
      <strong>{`▲ ${what}`}</strong><span>{refusal.message}</span>
      {refusal.problems.length > 0 && <ul>{refusal.problems.map((problem) => <li key={problem.place + problem.message}><b>{problem.place}</b> {problem.message}</li>)}</ul>}
    </div>
  );
}

const DONE: Record<Action, string> = { start: "running", pause: "paused", stop: "stopped" };

function Buttons({ name, state, on }: { name: string; state: string; on: (action: Action) => void }) {
  return (
    <span class="buttons">
      {(["start", "pause", "stop"] as const).map((action) => (
        <button key={action} type="button" disabled={DONE[action] === state} aria-label={`${action} ${name}`} onClick={() => on(action)}>{action}</button>
      ))}
    </span>
  );
}

/** Asked twice: the second press does it. A unit whose port others need says who. */
function Remove({ pipeline, unit, view, changed, refused }: { pipeline: string; unit: UnitView; view: PipelinesView; changed: () => void; refused: (refusal: Refusal | null) => void }) {
  const [stage, setStage] = useState<"no" | "sure" | "drop">("no");
  const remove = (): void => {
    if (stage === "no") return setStage("sure");
    refused(null);
    removeUnit(pipeline, unit.id, stage === "drop", view.revision).then(
      () => { location.hash = hashOf("pipelines", [pipeline]); changed(); },
      (error: unknown) => { refused(refusalOf(error)); setStage(error instanceof Refused && error.code === "in_use" ? "drop" : "no"); },
    );
  };
  const words = { no: "remove", sure: "remove for sure", drop: "remove with all that needs it" };
  return <button type="button" class={stage === "no" ? "quiet" : "danger"} onBlur={() => setStage("no")} onClick={remove}>{words[stage]}</button>;
}

function Fact({ name, text, title, loud }: { name: string; text: string; title?: string; loud?: boolean }) {
  return <div><dt>{name}</dt><dd class={loud ? "loud" : ""} title={title}>{text}</dd></div>;
}

function AboutUnit({ unit }: { unit: UnitView }) {
  const [detail, setDetail] = useState<ComponentDetail | null>(null);
  useEffect(() => {
    let ended = false;
    fetchComponent(unit.component).then((found) => !ended && setDetail(found), () => undefined);
    return () => void (ended = true);
  }, [unit.component]);
  return (
    <>
      {detail && <p class="lead">{detail.component.summary}</p>}
      <dl class="pairs">
        <div><dt>component</dt><dd><a href={hashOf("components", [unit.component])}>{unit.component}</a>{detail && ` ${detail.component.version}`} <code title={unit.digest}>{shortDigest(unit.digest, 8)}</code></dd></div>
        <Fact name="rows in" text={`${rate(unit.rows_per_s)} /s, ${short(unit.rows_in_total)} in all`} title={exact(unit.rows_in_total)} />
        <Fact name="rows out" text={short(unit.rows_out_total)} title={exact(unit.rows_out_total)} />
        <Fact name="time" text={`${withMeasure(unit.ns_per_event, "ns")}/event, ${duration(unit.busy_ns_total / 1e9)} in all`} title={`${exact(unit.ns_per_event)} ns/event`} />
        <Fact name="memory" text={bytes(unit.memory_bytes)} title={exact(unit.memory_bytes, "bytes")} />
        <Fact name="state" text={`${short(unit.state_entries)} entries`} title={exact(unit.state_entries)} />
        <Fact name="late rows" text={short(unit.late_total)} title={exact(unit.late_total)} />
        <Fact name="rejected rows" text={short(unit.rejected_total)} title={exact(unit.rejected_total)} loud={unit.rejected_total > 0} />
        <Fact name="faults" text={short(unit.faults_total)} title={exact(unit.faults_total)} loud={unit.faults_total > 0} />
        <Fact name="goes to" text={unit.to.join(", ") || "nobody"} />
      </dl>
    </>
  );
}

function AboutPipeline({ pipeline }: { pipeline: PipelineView }) {
  return (
    <dl class="pairs">
      <Fact name="takes" text={pipeline.from.join(", ")} />
      <Fact name="flow" text={pipeline.flow} />
      <Fact name="units" text={String(pipeline.units.length)} />
      <Fact name="lag" text={`${duration(pipeline.lag_s)}, ${short(pipeline.lag_records)} records, ${bytes(pipeline.lag_bytes)}`} loud={pipeline.lag_s > 3} />
      <Fact name="skipped" text={`${short(pipeline.skipped_total)} records`} loud={pipeline.skipped_total > 0} />
      {pipeline.holes?.map((hole) => <Fact key={hole.from} name="journal hole" text={hole.to - hole.from === 1 ? `1 position lost, ${hole.from}` : `${short(hole.to - hole.from)} positions lost, ${hole.from} to ${hole.to - 1}`} loud />)}
    </dl>
  );
}

function Configuration({ pipeline, unit, view, changed, readOnly }: { pipeline: string; unit: UnitView; view: PipelinesView; changed: () => void; readOnly: boolean }) {
  const [known, setKnown] = useState<{ detail: ComponentDetail; written: OutlineUnit } | null>(null);
  const [config, setConfig] = useState<Config>({});
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  const [said, setSaid] = useState("");
  const load = useCallback(async (): Promise<void> => {
    const [detail, outline] = await Promise.all([fetchComponent(unit.component), fetchOutline(pipeline)]);
    const written = [...outline.units, ...outline.rules].find((one) => one.id === unit.id);
    if (written === undefined) throw new Error("the unit is gone");
    setKnown({ detail, written });
    setConfig(written.config);
  }, [unit.component, unit.id, pipeline]);
  useEffect(() => {
    load().catch((error: unknown) => setRefusal(refusalOf(error)));
  }, [load]);
  if (known === null) return refusal === null ? <Skeleton label="waiting for the configuration" tall /> : <Failed what="The configuration could not be fetched" why={refusal.message} retry={() => { setRefusal(null); void load(); }} />;
  const same = JSON.stringify(config) === JSON.stringify(known.written.config);
  const save = (event: Event): void => {
    event.preventDefault();
    setRefusal(null);
    changeUnit(pipeline, unit.id, config, view.revision).then(
      (edited) => { setSaid(`revision ${edited.revision} runs`); setKnown({ ...known, written: { ...known.written, config } }); changed(); },
      (error: unknown) => setRefusal(refusalOf(error)),
    );
  };
  return (
    <form onSubmit={save}>
      <SchemaForm schema={known.detail.config_schema} value={config} onChange={(next) => { setConfig(next); setSaid(""); }} problems={refusal?.problems ?? []} />
      {refusal !== null && <Reasons what="Not changed" refusal={refusal} />}
      {readOnly ? <p class="quiet-text">A rule is changed in weir.toml.</p> : (
        <p class="doing">
          <button type="submit" class="main" disabled={same}>change</button>
          <button type="button" class="quiet" disabled={same} onClick={() => setConfig(known.written.config)}>as it was</button>
          <span role="status">{said}</span>
        </p>
      )}
    </form>
  );
}
