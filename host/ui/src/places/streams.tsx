// Streams: every triplet with its rate and age; of the chosen one the columns, the recent ring as a live table, and a metric made from it.
import { useCallback, useRef } from "preact/hooks";
import { fetchStreams } from "../api";
import { duration, exact, rate, short } from "../format";
import type { LiveSocket } from "../live/socket";
import type { Store } from "../live/store";
import { Sparkline, Trends } from "../parts/sparkline";
import { Empty, Failed, Old, SendOne, Skeleton } from "../parts/states";
import { usePolled } from "../poll";
import { hashOf, setQuery } from "../route";
import type { StreamView } from "../wire/messages";
import { LiveTable } from "./live-table";
import { NOTHING_PICKED } from "./metric-choice";
import { MetricMaker } from "./metric-maker";

const POLL_MS = 1_000;
/** A column counts as new for so long. */
const NEW_MS = 60_000;
/** The program's own streams: they are there without anyone sending a thing. */
const OWN = /^(host|weir)\//;

interface Place {
  store: Store;
  socket: LiveSocket;
  theme: string;
  path: string[];
  query: Record<string, string>;
}

export function Streams({ store, socket, theme, path, query }: Place) {
  const trends = useRef(new Trends());
  const ask = useCallback(async (): Promise<StreamView[]> => {
    const streams = await fetchStreams();
    trends.current.add(streams.map((stream) => [stream.triplet, stream.events_per_s] as const));
    return streams;
  }, []);
  const { value, failure, again } = usePolled(ask, POLL_MS);
  if (value === null) {
    return failure === null ? <Skeleton label="waiting for the streams" tall /> : <Failed what="The streams could not be fetched" why={failure} retry={again} />;
  }
  if (value.length === 0) {
    return <Empty title="No events yet"><p>One line in a shell sends the first; it appears here by itself:</p><SendOne /></Empty>;
  }
  const active = (stream: StreamView): boolean => stream.events_per_s > 0;
  const first = value.find((stream) => active(stream) && !OWN.test(stream.triplet)) ?? value.find((stream) => !OWN.test(stream.triplet)) ?? value.find(active) ?? value[0];
  const selected = path.length === 3 ? path.join("/") : first?.triplet ?? null;
  const stream = value.find((one) => one.triplet === selected) ?? null;
  const making = query["make"] === "metric";
  return (
    <div class="streams">
      <section aria-label="streams" class="list">
        {failure !== null && <Old why={failure} retry={again} />}
        <ul>
          {value.map((one) => <Entry key={one.triplet} stream={one} trend={trends.current.of(one.triplet)} selected={one.triplet === selected} now_ms={store.hostNow_ms()} />)}
        </ul>
        <details open={value.every((one) => OWN.test(one.triplet) || one.derived)}>
          <summary>Send events of your own</summary>
          <SendOne />
        </details>
      </section>
      {selected !== null && (
        <section class="selected" aria-labelledby="selected-title">
          <header>
            <h2 id="selected-title">{selected}</h2>
            <button type="button" aria-pressed={making} onClick={() => setQuery(making ? { make: null, ...NOTHING_PICKED } : { make: "metric" })}>make a metric</button>
          </header>
          {stream && <Facts key={selected} stream={stream} />}
          {making && stream ? <MetricMaker key={selected} stream={stream} theme={theme} query={query} /> : <LiveTable key={selected} store={store} socket={socket} triplet={selected} stream={stream} query={query} />}
        </section>
      )}
    </div>
  );
}

function Entry({ stream, trend, selected, now_ms }: { stream: StreamView; trend: readonly number[]; selected: boolean; now_ms: number }) {
  const age = stream.last_event_time_unix_ns === null ? "no event" : `${duration((now_ms - stream.last_event_time_unix_ns / 1e6) / 1_000)} ago`;
  return (
    <li>
      <a href={hashOf("streams", stream.triplet.split("/"))} aria-current={selected ? "true" : undefined}>
        <strong>{stream.triplet}{stream.derived && <small> derived</small>}</strong>
        <Sparkline values={trend} label="rate over the last minute" />
        <small title={`${exact(stream.events_total)} events, ${exact(stream.bytes_total)} bytes`}>{`${short(stream.events_total)} events, ${age}`}</small>
        <span class="number" title={`${exact(stream.events_per_s)} events/s`}>{`${rate(stream.events_per_s)} /s`}</span>
      </a>
    </li>
  );
}

function Facts({ stream }: { stream: StreamView }) {
  const seen = useRef<Map<string, number> | null>(null);
  const now_ms = performance.now();
  const before = seen.current;
  seen.current = new Map(stream.columns.map(({ name }) => [name, before === null ? -Infinity : before.get(name) ?? now_ms]));
  const counts: [string, number][] = [
    ["rejected", stream.rejected_total ?? 0], ["late", stream.late_total], ["from the future", stream.future_total],
    [stream.schema_changes_total === 1 ? "schema change" : "schema changes", stream.schema_changes_total],
  ];
  return (
    <div class="facts">
      <span>
        {stream.columns.map(({ name, type }) => {
          const fresh = now_ms - (seen.current?.get(name) ?? 0) < NEW_MS;
          return <span class={fresh ? "column fresh" : "column"} key={name}>{name} <small>{fresh ? `${type}, new` : type}</small></span>;
        })}
      </span>
      {counts.filter(([, count]) => count > 0).map(([name, count]) => <small key={name} class={name === "rejected" ? "loud" : ""} title={exact(count)}>{`${short(count)} ${name}`}</small>)}
    </div>
  );
}
