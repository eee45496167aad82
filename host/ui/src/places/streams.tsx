// Streams: every triplet with rate and age; of the selected one its columns and a live tail of events (newest first, can be held).
// Text of events is untrusted: it only ever becomes text nodes.
import { useCallback, useEffect, useState } from "preact/hooks";
import { fetchRecent, fetchStreams } from "../api";
import { clock, duration, exact, short } from "../format";
import type { LiveSocket } from "../live/socket";
import { TAIL_EVENTS_MAX, type Store, type Tail } from "../live/store";
import { Empty, Failed, Old, SendOne, Skeleton } from "../parts/states";
import { usePolled } from "../poll";
import { hashOf } from "../route";
import type { EventRow, StreamView } from "../wire/messages";

const POLL_MS = 1_000;
/** The program's own streams: they are there without anyone sending a thing. */
const OWN = /^(host|weir)\//;
const TEXT_MAX = 400;

export function Streams({ store, socket, triplet }: { store: Store; socket: LiveSocket; triplet: string | null }) {
  const { value, failure, again } = usePolled(fetchStreams, POLL_MS);
  const active = (stream: StreamView): boolean => stream.events_per_s > 0;
  const first = value?.find((stream) => active(stream) && !OWN.test(stream.triplet)) ?? value?.find(active) ?? value?.[0];
  const selected = triplet ?? first?.triplet ?? null;
  if (value === null) {
    return failure === null ? <Skeleton label="waiting for the streams" tall /> : <Failed what="The streams could not be fetched" why={failure} retry={again} />;
  }
  if (value.length === 0) {
    return <Empty title="No events yet"><p>One line in a shell sends the first:</p><SendOne /></Empty>;
  }
  return (
    <div class="streams">
      <section aria-label="streams" class="list">
        {failure !== null && <Old why={failure} retry={again} />}
        <ul>
          {value.map((stream) => <Entry key={stream.triplet} stream={stream} selected={stream.triplet === selected} now_ms={store.hostNow_ms()} />)}
        </ul>
        <details open={value.every((stream) => OWN.test(stream.triplet) || stream.derived)}>
          <summary>Send events of your own</summary>
          <SendOne />
        </details>
      </section>
      {selected !== null && <Selected key={selected} store={store} socket={socket} triplet={selected} stream={value.find((stream) => stream.triplet === selected) ?? null} />}
    </div>
  );
}

function Entry({ stream, selected, now_ms }: { stream: StreamView; selected: boolean; now_ms: number }) {
  const age = stream.last_event_time_unix_ns === null ? "no event" : `${duration((now_ms - stream.last_event_time_unix_ns / 1e6) / 1_000)} ago`;
  return (
    <li>
      <a href={hashOf({ place: "streams", triplet: stream.triplet })} aria-current={selected ? "true" : undefined}>
        <strong>{stream.triplet}{stream.derived && <small> derived</small>}</strong>
        <span class="number" title={`${exact(stream.events_per_s)} events/s`}>{`${short(stream.events_per_s)} /s`}</span>
        <small title={`${exact(stream.events_total)} events, ${exact(stream.bytes_total)} bytes`}>{`${short(stream.events_total)} events`}</small>
        <small class="number">{age}</small>
      </a>
    </li>
  );
}

function Selected({ store, socket, triplet, stream }: { store: Store; socket: LiveSocket; triplet: string; stream: StreamView | null }) {
  const [tail, setTail] = useState<Tail>(store.tail);
  const [held, setHeld] = useState<Tail | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [asked, setAsked] = useState(false);
  const fetchFirst = useCallback(async (): Promise<void> => {
    try {
      store.appendTail(triplet, await fetchRecent(triplet, 100), 0);
      setFailure(null);
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error));
    }
    setAsked(true);
  }, [store, triplet]);
  useEffect(() => {
    let waiting = 0;
    const take = (): void => {
      if (waiting === 0) {
        waiting = requestAnimationFrame(() => {
          waiting = 0;
          setTail(store.tail);
        });
      }
    };
    const end = store.listen("tail", take);
    socket.tail(triplet);
    void fetchFirst();
    return () => {
      end();
      cancelAnimationFrame(waiting);
      socket.tail(null);
    };
  }, [store, socket, triplet, fetchFirst]);
  const shown = held ?? tail;
  const behind = held === null ? 0 : tail.events.filter((event) => newer(event, held.events[0])).length;
  return (
    <section class="selected" aria-labelledby="selected-title">
      <header>
        <h2 id="selected-title">{triplet}</h2>
        <button type="button" aria-pressed={held !== null} onClick={() => setHeld(held === null ? tail : null)}>{held === null ? "hold" : `go on (${behind === TAIL_EVENTS_MAX ? `${behind} or more` : behind} new)`}</button>
      </header>
      {stream && <Facts stream={stream} />}
      {tail.skipped_total > 0 && <p class="note">{`${short(tail.skipped_total)} events came too fast to be shown here; none is lost for the pipelines.`}</p>}
      {failure !== null && <Failed what="The latest events could not be fetched" why={failure} retry={() => void fetchFirst()} />}
      {shown.events.length === 0 && !asked && <Skeleton label="waiting for events" tall />}
      {shown.events.length === 0 && asked && failure === null && <Empty title="No recent events of this stream" />}
      {shown.events.length > 0 && <Events events={shown.events} columns={columnsOf(shown.events, stream)} />}
    </section>
  );
}

const newer = (event: EventRow, than: EventRow | undefined): boolean =>
  than === undefined || event.position > than.position || (event.position === than.position && event.row > than.row);

function Facts({ stream }: { stream: StreamView }) {
  const counts: [string, number][] = [["rejected", stream.rejected_total ?? 0], ["late", stream.late_total], ["from the future", stream.future_total], [stream.schema_changes_total === 1 ? "schema change" : "schema changes", stream.schema_changes_total]];
  return (
    <div class="facts">
      <span>{stream.columns.map((column) => <span class="column" key={column.name}>{column.name} <small>{column.type}</small></span>)}</span>
      {counts.filter(([, count]) => count > 0).map(([name, count]) => <small key={name} class={name === "rejected" ? "loud" : ""} title={exact(count)}>{`${short(count)} ${name}`}</small>)}
    </div>
  );
}

/** In the order of the stream's columns, then what else the events have; a very wide stream is cut. */
function columnsOf(events: readonly EventRow[], stream: StreamView | null): string[] {
  const names = new Set((stream?.columns ?? []).map((column) => column.name));
  for (const event of events.slice(0, 50)) for (const name of Object.keys(event.fields)) names.add(name);
  names.delete("time");
  return [...names].slice(0, 40);
}

function Events({ events, columns }: { events: readonly EventRow[]; columns: string[] }) {
  return (
    <div class="scroll tail" tabIndex={0} role="region" aria-label="latest events">
      <table>
        <thead>
          <tr><th scope="col">time</th>{columns.map((name) => <th scope="col" key={name}>{name}</th>)}</tr>
        </thead>
        <tbody>
          {events.map((event) => (
            <tr key={`${event.position}/${event.row}`}>
              <td class="time" title={`${event.time}, position ${event.position}, row ${event.row}`}>{clock(Date.parse(event.time), true)}</td>
              {columns.map((name) => <Field key={name} value={event.fields[name]} />)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Field({ value }: { value: unknown }) {
  if (value === undefined || value === null) return <td class="zero">–</td>;
  if (typeof value === "number") return <td class="number" title={exact(value)}>{Math.abs(value) < 1e6 ? String(Math.round(value * 1000) / 1000) : short(value)}</td>;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return <td class="text" title={text.slice(0, TEXT_MAX)}>{text.slice(0, TEXT_MAX)}</td>;
}
