// Components: what is installed, what each one is, may and costs; of the chosen one its options from the JSON Schema and where it runs.
import { useCallback, useEffect } from "preact/hooks";
import { fetchComponent, fetchPipelines, fetchReadyComponents } from "../api";
import { bytes, exact, short, shortDigest } from "../format";
import { Empty, Failed, Old, Skeleton } from "../parts/states";
import { StateMark } from "../parts/state-mark";
import { usePolled } from "../poll";
import { hashOf } from "../route";
import type { ComponentView, Schema, UnitView } from "../wire/messages";

const POLL_MS = 5_000;
/** While some are being compiled. */
const POLL_COMPILING_MS = 1_000;
const POLL_UNITS_MS = 2_000;

export function Components({ name }: { name: string | null }) {
  const { value: ready, failure, again } = usePolled(fetchReadyComponents, POLL_MS);
  const value = ready?.components ?? null;
  useEffect(() => {
    if (ready === null || !(ready.compiling > 0)) return;
    const timer = window.setTimeout(again, POLL_COMPILING_MS);
    return () => window.clearTimeout(timer);
  }, [ready, again]);
  const pipelines = usePolled(fetchPipelines, POLL_UNITS_MS);
  if (value === null) return failure === null ? <Skeleton label="waiting for the components; a new host compiles them first" tall said /> : <Failed what="The components could not be fetched" why={failure} retry={again} />;
  if (value.length === 0 && !(ready !== null && ready.compiling > 0)) return <Empty title="No components"><p>Put a <code>.wasm</code> file into <code>components/</code> of the data folder, or name its path with <code>use</code>.</p></Empty>;
  const units = (pipelines.value ?? []).flatMap((pipeline) => pipeline.units);
  const kinds = [...new Set(value.map((component) => component.kind))].sort();
  const chosen = name ?? value[0]?.name ?? null;
  return (
    <div class="components">
      <section class="list" aria-label="components">
        {failure !== null && <Old why={failure} retry={again} />}
        {ready !== null && ready.compiling > 0 && <p class="note" role="status">{`${ready.compiling} more are being compiled, once on a new host`}</p>}
        {kinds.map((kind) => (
          <section key={kind} aria-labelledby={`kind-${kind}`}>
            <h2 id={`kind-${kind}`}>{kind}</h2>
            <ul>
              {value.filter((component) => component.kind === kind).map((component) => (
                <li key={component.name}>
                  <a href={hashOf("components", [component.name])} aria-current={component.name === chosen ? "true" : undefined}>
                    <strong>{component.name}</strong>
                    <small class="number">{component.used_by.length === 0 ? "" : `${component.used_by.length} in use`}</small>
                    <span class="summary">{component.summary}</span>
                  </a>
                </li>
              ))}
            </ul>
          </section>
        ))}
      </section>
      {chosen !== null && <Detail key={chosen} name={chosen} units={units.filter((unit) => unit.component === chosen)} />}
    </div>
  );
}

/** What an import of the contract lets a component do; anything else is closed by the host. */
const MAY: [RegExp, string][] = [
  [/\/state@/, "remember values by key, within its quota"], [/\/timers@/, "be woken at a time of its stream"], [/\/log@/, "write lines to the log, a limited number"],
];

function Detail({ name, units }: { name: string; units: UnitView[] }) {
  const ask = useCallback(() => fetchComponent(name), [name]);
  const { value, failure, again } = usePolled(ask, POLL_MS);
  if (value === null) return failure === null ? <Skeleton label={`waiting for ${name}`} tall /> : <Failed what={`${name} could not be fetched`} why={failure} retry={again} />;
  const { component, config_schema } = value;
  return (
    <section class="detail" aria-labelledby="component-title">
      <h2 id="component-title">{component.name} <small>{component.version}</small></h2>
      <p class="lead">{component.summary}</p>
      <Facts component={component} />
      <h2>Where it runs</h2>
      {units.length === 0 && <p class="quiet-text">{component.used_by.length === 0 ? "Nowhere." : component.used_by.join(", ")}</p>}
      {units.length > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label={`units of ${name}`}>
          <table>
            <thead><tr><th scope="col">unit</th><th scope="col">state</th><th scope="col" class="number">rows/s</th><th scope="col" class="number">ns/event</th><th scope="col" class="number">memory</th><th scope="col" class="number">faults</th></tr></thead>
            <tbody>{units.map((unit) => <Unit key={unit.id} unit={unit} />)}</tbody>
          </table>
        </div>
      )}
      <h2>Options</h2>
      <Options schema={config_schema} />
    </section>
  );
}

function Facts({ component }: { component: ComponentView }) {
  const may = MAY.filter(([pattern]) => component.imports.some((name) => pattern.test(name))).map(([, text]) => text);
  return (
    <dl class="pairs">
      <div><dt>kind</dt><dd>{component.kind}</dd></div>
      <div><dt>size</dt><dd title={exact(component.bytes, "bytes")}>{bytes(component.bytes)}</dd></div>
      <div><dt>digest</dt><dd><code title={component.digest}>{shortDigest(component.digest, 16)}</code></dd></div>
      <div><dt>may</dt><dd>{[...may, "compute; no network, files, clock or other components' data"].join("; ")}</dd></div>
    </dl>
  );
}

function Unit({ unit }: { unit: UnitView }) {
  const pipeline = unit.id.split("/")[0] ?? "";
  return (
    <tr>
      <th scope="row"><a href={hashOf("pipelines", [pipeline, unit.id])}>{unit.id}</a></th>
      <td><StateMark state={unit.state} /></td>
      <td class="number" title={exact(unit.rows_per_s)}>{short(unit.rows_per_s)}</td>
      <td class="number" title={exact(unit.ns_per_event)}>{short(unit.ns_per_event)}</td>
      <td class="number" title={exact(unit.memory_bytes, "bytes")}>{bytes(unit.memory_bytes)}</td>
      <td class={unit.faults_total > 0 ? "number loud" : "number zero"}>{short(unit.faults_total)}</td>
    </tr>
  );
}

export function typeOf(schema: Schema): string {
  if (schema.enum) return schema.enum.map(String).join(" | ");
  if (schema.format === "weir-expression") return "expression";
  if (schema.type !== undefined) return Array.isArray(schema.type) ? schema.type.join(" or ") : schema.type;
  const choices = schema.anyOf ?? schema.oneOf;
  return choices ? choices.map(typeOf).join(" or ") : "any";
}

function Options({ schema }: { schema: Schema }) {
  const properties = Object.entries(schema.properties ?? {});
  if (properties.length === 0) return <p class="quiet-text">None.</p>;
  return (
    <dl class="options">
      {properties.map(([name, one]) => (
        <div key={name}>
          <dt><code>{name}</code> <small>{[typeOf(one), schema.required?.includes(name) ? "required" : "", one.default === undefined ? "" : `default ${JSON.stringify(one.default)}`].filter(Boolean).join(", ")}</small></dt>
          <dd>{one.description ?? (one.title?.toLowerCase() === name.toLowerCase() ? "" : one.title ?? "")}</dd>
        </div>
      ))}
    </dl>
  );
}
