// One event whole, and its way through the units: what each unit of each pipeline that selects its stream does with it.
// The host runs copies of the units that remember nothing, so what compares with the past answers as for the first event; the page says so where it matters.
import { useCallback, useEffect, useState } from "preact/hooks";
import { traceEvent } from "../api";
import { exact } from "../format";
import { Failed, Skeleton } from "../parts/states";
import { hashOf, setQuery } from "../route";
import type { EventRow, Trace, Verdict } from "../wire/messages";

const WORDS: Record<Verdict["verdict"], { shape: string; tone: string; text: string }> = {
  kept: { shape: "→", tone: "good", text: "passed on as it is" },
  changed: { shape: "≠", tone: "good", text: "passed on, changed" },
  dropped: { shape: "×", tone: "off", text: "dropped" },
  "taken-in": { shape: "⊕", tone: "good", text: "taken into its window or memory" },
  rejected: { shape: "▲", tone: "bad", text: "rejected" },
  faulted: { shape: "▲", tone: "bad", text: "faulted" },
  "not-reached": { shape: "·", tone: "off", text: "not reached" },
};

const shownValue = (value: unknown): string => (typeof value === "number" ? exact(value) : typeof value === "string" ? value : JSON.stringify(value));

export function EventDetail({ triplet, event }: { triplet: string; event: EventRow }) {
  const [trace, setTrace] = useState<Trace | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const ask = useCallback(() => {
    setFailure(null);
    traceEvent(triplet, event).then(setTrace, (error: unknown) => setFailure(error instanceof Error ? error.message : String(error)));
  }, [triplet, event]);
  useEffect(ask, [ask]);
  return (
    <aside class="selected-event" aria-labelledby="event-title">
      <header class="bar">
        <h3 id="event-title">{event.time}</h3>
        <button type="button" class="quiet close" aria-label="close the event" onClick={() => setQuery({ row: null })}>×</button>
      </header>
      <small>{`position ${event.position}, row ${event.row}`}</small>
      <dl class="fields">{Object.entries(event.fields).map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{shownValue(value)}</dd></div>)}</dl>
      <h3>Its way through the units</h3>
      {failure !== null && <Failed what="It could not be traced" why={failure} retry={ask} />}
      {trace === null && failure === null && <Skeleton label="tracing the event" />}
      {trace !== null && trace.pipelines.length === 0 && <p class="quiet-text">No pipeline selects this stream.</p>}
      {trace?.pipelines.map((pipeline) => (
        <section key={pipeline.name} aria-label={`pipeline ${pipeline.name}`}>
          <h4><a href={hashOf("pipelines", [pipeline.name])}>{pipeline.name}</a></h4>
          <ol class="way">{pipeline.units.map((unit) => <Unit key={unit.id} verdict={unit} pipeline={pipeline.name} before={event.fields} />)}</ol>
        </section>
      ))}
      {trace !== null && trace.left_out > 0 && <p class="note">{`${trace.left_out} more pipelines select this stream.`}</p>}
      {trace !== null && trace.pipelines.length > 0 && <p class="quiet-text">Run through copies of the units that remember nothing: nothing was counted, stored or sent.</p>}
    </aside>
  );
}

function Unit({ verdict, pipeline, before }: { verdict: Verdict; pipeline: string; before: Record<string, unknown> }) {
  const word = WORDS[verdict.verdict];
  const row = verdict.ports.find((port) => port.rows.length > 0)?.rows[0];
  const changes = verdict.verdict !== "changed" || row === undefined ? [] : [...new Set([...Object.keys(row), ...Object.keys(before)])].filter((name) => JSON.stringify(row[name]) !== JSON.stringify(before[name]));
  return (
    <li class={`verdict ${word.tone}`} data-verdict={verdict.verdict}>
      <span><i aria-hidden="true">{word.shape}</i> <a href={hashOf("pipelines", [pipeline, verdict.id])}>{verdict.id.slice(verdict.id.indexOf("/") + 1)}</a> <small>{verdict.component}</small></span>
      <span>{word.text}{verdict.rows_out > 1 ? `, ${verdict.rows_out} rows` : ""}</span>
      {verdict.message !== null && <span class="loud">{verdict.message}</span>}
      {changes.length > 0 && row !== undefined && (
        <dl class="fields">{changes.map((name) => <div key={name}><dt>{name}</dt><dd>{row[name] === undefined ? "taken out" : before[name] === undefined ? shownValue(row[name]) : `${shownValue(before[name])} → ${shownValue(row[name])}`}</dd></div>)}</dl>
      )}
    </li>
  );
}
