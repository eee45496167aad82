// Makes a metric from a stream: value, aggregate, key, window and chart are picked; what it would give on the recent events is drawn before it is saved,
// and the TOML that it makes is shown. What is picked is in the URL. The host computes the preview and says what is wrong (docs/wire.md, Metrics); nothing changes before "save".
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { makeMetric, previewMetric, type MetricPreview, type MetricWish } from "../api";
import { buildModel } from "../charts/model";
import { Plot } from "../charts/plot";
import { zone } from "../format";
import { Skeleton } from "../parts/states";
import { hashOf, setQuery } from "../route";
import type { StreamView } from "../wire/messages";
import { chosenIn, NUMBERS, proposed, queryOf, wishOf, type Choice } from "./metric-choice";
import { previewPicture } from "./metric-picture";
import { Reasons, refusalOf, type Refusal } from "./panel";

const RESTS_MS = 300;
const PREVIEW_PX = 260;
const LABELS = new Set(["text", "category", "bool", "s64", "u64"]);
const AGGREGATES = ["mean", "median", "p90", "p95", "p99", "min", "max", "sum", "rate", "last", "first", "stddev", "distinct", "increase", "counter-rate", "count"];
const WINDOWS = ["1s", "5s", "10s", "30s", "1m", "5m", "1h"];
const SHAPES = ["line", "area", "bar", "point"];

export function MetricMaker({ stream, theme, query }: { stream: StreamView; theme: string; query: Record<string, string> }) {
  const choice = chosenIn(stream, query);
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  const [made, setMade] = useState<string | null>(null);
  const said = JSON.stringify(wishOf(stream.triplet, choice));
  const wish = useMemo(() => JSON.parse(said) as MetricWish, [said]);
  const { preview, problem, old } = usePreview(wish);
  const pick = (change: Partial<Choice>): void => {
    const next = { ...choice, ...change };
    // As long as nobody gave it a name it is called after what it is.
    if (change.name === undefined && choice.name === proposed(stream.triplet, choice.value, choice.is)) next.name = proposed(stream.triplet, next.value, next.is);
    setQuery(queryOf(stream, next));
    setRefusal(null);
  };
  const saveIt = (event: Event): void => {
    event.preventDefault();
    makeMetric(wish).then(() => setMade(choice.name), (error: unknown) => setRefusal(refusalOf(error)));
  };
  if (made !== null) {
    return <div class="empty"><strong>{`The metric ${made} runs.`}</strong><p>It began with the events that the ring held. <a href={hashOf("overview", [], { chart: made })}>Its chart</a>, <a href={hashOf("pipelines")}>its units</a>.</p></div>;
  }
  return (
    <form class="maker" onSubmit={saveIt}>
      <div class="maker-fields">
        <Select label="Value" value={choice.value} options={["", ...stream.columns.filter(({ type }) => NUMBERS.has(type)).map(({ name }) => name)]} empty="none: count events" onPick={(value) => pick({ value, is: value === "" ? "count" : choice.is === "count" ? "mean" : choice.is })} />
        <Select label="Aggregate" value={choice.is} options={choice.value === "" ? ["count"] : AGGREGATES} onPick={(is) => pick({ is })} />
        <Select label="Window" value={choice.window} options={WINDOWS} onPick={(window) => pick({ window })} />
        <Select label="Chart" value={choice.shape} options={SHAPES} onPick={(shape) => pick({ shape })} />
        <fieldset>
          <legend>Key: a series for each</legend>
          {stream.columns.filter(({ type }) => LABELS.has(type)).map(({ name }) => (
            <label key={name}><input type="checkbox" checked={choice.key.includes(name)} onChange={(event) => pick({ key: event.currentTarget.checked ? [...choice.key, name] : choice.key.filter((one) => one !== name) })} />{name}</label>
          ))}
        </fieldset>
        <div class="field"><label for="maker-where">Only events where</label><input id="maker-where" class="code" type="text" spellcheck={false} placeholder="all; or status >= 500" value={choice.where} onInput={(event) => pick({ where: event.currentTarget.value })} /></div>
        <div class="field"><label for="maker-name">Name</label><input id="maker-name" type="text" required maxLength={40} pattern="[a-z][a-z0-9_]*" value={choice.name} onInput={(event) => pick({ name: event.currentTarget.value })} /></div>
        <p class="doing"><button type="submit" class="main" disabled={choice.name === "" || problem !== null}>save</button></p>
        {refusal !== null && <Reasons what="Not saved" refusal={refusal} />}
      </div>
      <div class="maker-preview">
        <h3>{`${choice.is}${choice.value === "" || choice.is === "count" ? " of events" : ` of ${choice.value}`}, over ${choice.window}${choice.key.length > 0 ? ` by ${choice.key.join(", ")}` : ""}`}</h3>
        {problem !== null && <Reasons what="That gives no metric" refusal={problem} />}
        {preview === null && problem === null && <Skeleton label="waiting for the preview" tall />}
        {preview !== null && <Preview preview={preview} valueName={choice.is === "count" || choice.value === "" ? "events" : `${choice.is} of ${choice.value}`} shape={choice.shape} theme={theme} old={old} />}
        {preview !== null && <><h3>What it writes</h3><pre class="toml" tabIndex={0}>{preview.toml}</pre></>}
      </div>
    </form>
  );
}

function Select({ label, value, options, empty, onPick }: { label: string; value: string; options: readonly string[]; empty?: string; onPick: (value: string) => void }) {
  const id = `maker-${label.toLowerCase()}`;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onPick(event.currentTarget.value)}>{options.map((one) => <option key={one} value={one}>{one === "" ? empty : one}</option>)}</select>
    </div>
  );
}

/** Asks again when the choice has rested; keeps the last picture meanwhile. */
function usePreview(wish: MetricWish): { preview: MetricPreview | null; problem: Refusal | null; old: boolean } {
  const [state, setState] = useState<{ preview: MetricPreview | null; problem: Refusal | null; of: MetricWish | null }>({ preview: null, problem: null, of: null });
  useEffect(() => {
    let ended = false;
    const timer = window.setTimeout(() => {
      previewMetric(wish).then(
        (preview) => !ended && setState({ preview, problem: null, of: wish }),
        (error: unknown) => !ended && setState(({ preview }) => ({ preview, problem: refusalOf(error), of: wish })),
      );
    }, RESTS_MS);
    return () => {
      ended = true;
      window.clearTimeout(timer);
    };
  }, [wish]);
  return { preview: state.preview, problem: state.problem, old: state.of !== wish };
}

function Preview({ preview, valueName, shape, theme, old }: { preview: MetricPreview; valueName: string; shape: string; theme: string; old: boolean }) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | null>(null);
  useEffect(() => {
    if (host.current === null) return;
    plot.current = new Plot(host.current, () => undefined);
    return () => plot.current?.destroy();
  }, [theme]);
  useEffect(() => {
    const element = host.current;
    if (element === null || element.clientWidth === 0) return;
    const { description, tables } = previewPicture(preview, shape);
    plot.current?.draw(buildModel(description, tables), 0, element.clientWidth, PREVIEW_PX);
  }, [preview, shape, theme]);
  const points = preview.series.reduce((sum, one) => sum + one.time_unix_ns.length, 0);
  return (
    <>
      <p class="y-name">{`${valueName}, number`}</p>
      <div ref={host} class={old ? "canvas old" : "canvas"} role="img" aria-label={`preview: ${preview.series.length} series, ${points} points`} />
      <span class="x-name">{`event time, ${zone()}`}</span>
      <p class="quiet-text">
        {`${preview.rows.toLocaleString("en-US")} of ${preview.events.toLocaleString("en-US")} recent events give ${preview.series.length} series with ${points.toLocaleString("en-US")} points in ${Math.round(preview.elapsed_ms)} ms.`}
        {preview.cut ? " There would be more." : ""}
      </p>
      {points === 0 && <p class="note">No window of the recent events gives a point yet.</p>}
      {preview.faults.map((fault) => <p class="note" key={fault.unit + fault.message}>{`▲ ${fault.unit}: ${fault.message}`}</p>)}
    </>
  );
}
