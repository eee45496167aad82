// Inserts a unit into a running pipeline: a component is chosen, its form is filled in, and it stands behind the chosen unit between two records.
// In: where. Out: the host's answer; then the new unit is chosen. A name that is free is proposed.
import { useEffect, useState } from "preact/hooks";
import { fetchComponent, fetchReadyComponents, injectUnit } from "../api";
import { beginning, missing, SchemaForm, type Config } from "../parts/schema-form";
import { Failed, Skeleton } from "../parts/states";
import { hashOf, setQuery } from "../route";
import type { ComponentDetail, ComponentView, PipelinesView, PipelineView } from "../wire/messages";
import { Reasons, refusalOf, type Refusal } from "./panel";

/** Asked again while some are being compiled. */
const COMPILING_MS = 1_000;
const UNIT_KINDS = ["filter", "transform", "aggregate", "rollup", "split", "rebroadcast", "buffer"];

export function freeName(component: string, taken: ReadonlySet<string>): string {
  const base = component.replace(/^.*\//, "").replace(/\.wasm$/, "").replace(/[^A-Za-z0-9_-]/g, "-").slice(0, 40) || "unit";
  for (let number = 1; ; number++) {
    const name = number === 1 ? base : `${base}-${number}`;
    if (!taken.has(name)) return name;
  }
}

/** `use`: name of the component that is chosen, from the URL. */
export function Inject({ pipeline, after, view, use, changed }: { pipeline: PipelineView; after: string; view: PipelinesView; use: string | null; changed: () => void }) {
  const [list, setList] = useState<ComponentView[] | null>(null);
  const [compiling, setCompiling] = useState(0);
  const [detail, setDetail] = useState<ComponentDetail | null>(null);
  const [config, setConfig] = useState<Config>({});
  const [name, setName] = useState("");
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    let timer = 0;
    let ended = false;
    const look = (): void => {
      fetchReadyComponents().then(({ components, compiling }) => {
        if (ended) return;
        setList(components.filter(({ kind }) => UNIT_KINDS.includes(kind)));
        setCompiling(compiling ?? 0);
        if (compiling > 0) timer = window.setTimeout(look, COMPILING_MS);
      }, (error: unknown) => !ended && setRefusal(refusalOf(error)));
    };
    look();
    return () => {
      ended = true;
      window.clearTimeout(timer);
    };
  }, []);
  useEffect(() => {
    if (use === null) return setDetail(null);
    let ended = false;
    setRefusal(null);
    const taken = new Set(pipeline.units.map((unit) => unit.id.slice(unit.id.indexOf("/") + 1)));
    fetchComponent(use).then(
      (found) => { if (!ended) { setDetail(found); setConfig(beginning(found.config_schema)); setName(freeName(use, taken)); } },
      (error: unknown) => !ended && setRefusal(refusalOf(error)),
    );
    return () => void (ended = true);
    // The units change with each look; what is proposed does not.
  }, [use, pipeline.name]);
  if (list === null) return refusal === null ? <Skeleton label="waiting for the components" tall /> : <Failed what="The components could not be fetched" why={refusal.message} />;
  const insert = (event: Event): void => {
    event.preventDefault();
    if (detail === null || busy) return;
    setRefusal(null);
    setBusy(true);
    injectUnit(pipeline.name, { name, use: detail.component.name, config, after }, view.revision).then(
      () => { changed(); location.hash = hashOf("pipelines", [pipeline.name, `${pipeline.name}/${name}`]); },
      (error: unknown) => { setRefusal(refusalOf(error)); setBusy(false); },
    );
  };
  const still = detail === null ? [] : missing(detail.config_schema, config);
  return (
    <form class="inject" onSubmit={insert}>
      <h3>{after === "in" ? `Insert before all units of ${pipeline.name}` : `Insert after ${after}`}</h3>
      {compiling > 0 && <p class="note" role="status">{`${compiling} more components are being compiled`}</p>}
      <div class="choices" role="group" aria-label="component">
        {list.map((component) => (
          <button key={component.name} type="button" aria-pressed={detail?.component.name === component.name} title={component.summary} onClick={() => setQuery({ use: component.name })}>{component.name}</button>
        ))}
      </div>
      {detail !== null && (
        <>
          <p class="lead">{detail.component.summary}</p>
          <div class="field"><label for="inject-name">Name</label><input id="inject-name" type="text" required maxLength={64} value={name} onInput={(event) => setName(event.currentTarget.value)} /></div>
          <SchemaForm key={detail.component.name} schema={detail.config_schema} value={config} onChange={setConfig} problems={refusal?.problems ?? []} />
          {refusal !== null && <Reasons what="Not inserted" refusal={refusal} />}
          <p class="doing">
            <button type="submit" class="main" disabled={busy || still.length > 0}>insert</button>
            {still.length > 0 && <small>{`still wanted: ${still.join(", ")}`}</small>}
          </p>
        </>
      )}
      {detail === null && refusal !== null && <Reasons what="That was refused" refusal={refusal} />}
    </form>
  );
}
