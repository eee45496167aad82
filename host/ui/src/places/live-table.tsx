// The recent ring of one stream as a live table, newest first: hold, filter by an expression, choose columns, open a row.
// In: without a filter the tail of the WebSocket on top of what the ring holds; with one the ring is asked once a second (the host evaluates the expression).
// All of that is in the URL: where, columns, row. Text of events is untrusted: it only ever becomes text nodes.
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { fetchRecent } from "../api";
import { clock, exact, short } from "../format";
import { isTyping } from "../keys";
import type { LiveSocket } from "../live/socket";
import { TAIL_EVENTS_MAX, type Store, type Tail } from "../live/store";
import { Empty, Failed, Skeleton } from "../parts/states";
import { VirtualRows } from "../parts/virtual-rows";
import { usePolled } from "../poll";
import { setQuery } from "../route";
import type { EventRow, StreamView } from "../wire/messages";
import { EventDetail } from "./event-detail";

const FILTER_POLL_MS = 1_000;
const FILTER_RESTS_MS = 500;
const COLUMNS_MAX = 40;
const TEXT_MAX = 400;

interface Look {
  store: Store;
  socket: LiveSocket;
  triplet: string;
  stream: StreamView | null;
  query: Record<string, string>;
}

const keyOf = (event: EventRow): string => `${event.position}.${event.row}`;

export function LiveTable({ store, socket, triplet, stream, query }: Look) {
  const where = query["where"] ?? "";
  const live = useTail(store, socket, triplet, where === "");
  const filtered = useFiltered(triplet, where);
  const now: Tail = where === "" ? live.tail : { triplet, events: filtered.value ?? [], skipped_total: 0 };
  const [held, setHeld] = useState<Tail | null>(null);
  useEffect(() => setHeld(null), [where]);
  const toggle = useRef(() => undefined as void);
  toggle.current = () => setHeld(held === null ? now : null);
  useEffect(() => {
    const down = (event: KeyboardEvent): void => {
      const target = event.target as HTMLElement | null;
      if (event.key !== " " || isTyping(target) || target?.closest("button, summary, a, dialog, .selected-event") !== null) return;
      event.preventDefault();
      toggle.current();
    };
    window.addEventListener("keydown", down);
    return () => window.removeEventListener("keydown", down);
  }, []);
  const shown = held ?? now;
  const behind = held === null ? 0 : now.events.filter((event) => newer(event, held.events[0])).length;
  const all = columnsOf(shown.events, stream);
  const chosen = query["columns"] === undefined ? all : query["columns"].split(",").filter((name) => name !== "");
  const failure = where === "" ? live.failure : filtered.failure;
  const opened = useOpened(shown.events, query["row"] ?? null);
  const loading = shown.events.length === 0 && failure === null && (where === "" ? !live.asked : filtered.value === null);
  return (
    <>
      <div class="bar table-tools">
        <button type="button" class="hold" aria-pressed={held !== null} title="space" onClick={() => toggle.current()}>{held === null ? "hold" : `go on (${behind >= TAIL_EVENTS_MAX ? `${behind} or more` : behind} new)`}</button>
        <Filter where={where} />
        <ColumnChooser all={all} chosen={chosen} />
        <small class="quiet-text">{`${shown.events.length.toLocaleString("en-US")} events${where === "" ? "" : " match"}`}</small>
      </div>
      {now.skipped_total > 0 && <p class="note">{`${short(now.skipped_total)} events came too fast to be shown here; none is lost for the pipelines.`}</p>}
      {failure !== null && <Failed what={where === "" ? "The latest events could not be fetched" : "The filter was refused"} why={failure} retry={where === "" ? live.again : filtered.again} />}
      {loading && <Skeleton label="waiting for events" tall />}
      {!loading && shown.events.length === 0 && failure === null && (where === "" ? <Empty title="No recent events of this stream" /> : (
        <Empty title="No recent event matches">
          <p>The filter looks once a second at the newest events that the host keeps; what matches appears by itself. <button type="button" onClick={() => setQuery({ where: null })}>show all</button></p>
        </Empty>
      ))}
      <div class={opened === null ? "with-detail" : "with-detail open"}>
        {shown.events.length > 0 && <Events events={shown.events} columns={chosen} opened={opened === null ? null : keyOf(opened)} />}
        {opened !== null && <EventDetail key={keyOf(opened)} triplet={triplet} event={opened} />}
      </div>
    </>
  );
}

const newer = (event: EventRow, than: EventRow | undefined): boolean =>
  than === undefined || event.position > than.position || (event.position === than.position && event.row > than.row);

function useTail(store: Store, socket: LiveSocket, triplet: string, wanted: boolean): { tail: Tail; failure: string | null; asked: boolean; again: () => void } {
  const [tail, setTail] = useState<Tail>(store.tail);
  const [failure, setFailure] = useState<string | null>(null);
  const [asked, setAsked] = useState(false);
  const fetchFirst = useCallback(async (): Promise<void> => {
    try {
      store.appendTail(triplet, await fetchRecent(triplet, TAIL_EVENTS_MAX), 0);
      setFailure(null);
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error));
    }
    setAsked(true);
  }, [store, triplet]);
  useEffect(() => {
    if (!wanted) return;
    let waiting = 0;
    const take = (): void => {
      if (waiting !== 0) return;
      waiting = requestAnimationFrame(() => {
        waiting = 0;
        setTail(store.tail);
      });
    };
    const end = store.listen("tail", take);
    socket.tail(triplet);
    void fetchFirst();
    return () => {
      end();
      cancelAnimationFrame(waiting);
      socket.tail(null);
    };
  }, [store, socket, triplet, wanted, fetchFirst]);
  return { tail, failure, asked, again: () => void fetchFirst() };
}

const NOTHING = async (): Promise<EventRow[]> => [];
const NEVER_MS = 3_600_000;

function useFiltered(triplet: string, where: string): ReturnType<typeof usePolled<EventRow[]>> {
  const ask = useMemo(() => (where === "" ? NOTHING : () => fetchRecent(triplet, TAIL_EVENTS_MAX, where)), [triplet, where]);
  return usePolled(ask, where === "" ? NEVER_MS : FILTER_POLL_MS);
}

/** The opened row stays open when newer events push it out of the table. */
function useOpened(events: readonly EventRow[], key: string | null): EventRow | null {
  const kept = useRef<EventRow | null>(null);
  if (key === null) kept.current = null;
  else if (kept.current === null || keyOf(kept.current) !== key) kept.current = events.find((event) => keyOf(event) === key) ?? null;
  return kept.current;
}

function Filter({ where }: { where: string }) {
  const [text, setText] = useState(where);
  useEffect(() => setText(where), [where]);
  useEffect(() => {
    if (text === where) return;
    const timer = window.setTimeout(() => setQuery({ where: text.trim() === "" ? null : text }), FILTER_RESTS_MS);
    return () => window.clearTimeout(timer);
  }, [text, where]);
  return (
    <input class="code filter" type="text" spellcheck={false} aria-label="filter: an expression over the columns" placeholder="filter: status >= 500 and path like '/api/%'" value={text}
      onInput={(event) => setText(event.currentTarget.value)} onKeyDown={(event) => event.key === "Enter" && setQuery({ where: text.trim() === "" ? null : text })} />
  );
}

function ColumnChooser({ all, chosen }: { all: string[]; chosen: string[] }) {
  const names = [...new Set([...all, ...chosen])];
  const set = (next: string[]): void => setQuery({ columns: next.length === all.length && all.every((name) => next.includes(name)) ? null : next.join(",") });
  return (
    <details class="menu">
      <summary>{chosen.length === all.length ? "columns" : `columns: ${chosen.length} of ${names.length}`}</summary>
      <div class="choices tall">
        {names.map((name) => (
          <label key={name}>
            <input type="checkbox" checked={chosen.includes(name)} onChange={(event) => set(event.currentTarget.checked ? names.filter((one) => one === name || chosen.includes(one)) : chosen.filter((one) => one !== name))} />
            {name}
          </label>
        ))}
        <button type="button" class="quiet" onClick={() => setQuery({ columns: null })}>all</button>
      </div>
    </details>
  );
}

/** In the order of the stream's columns, then what else the events have; a very wide stream is cut. */
function columnsOf(events: readonly EventRow[], stream: StreamView | null): string[] {
  const names = new Set((stream?.columns ?? []).map((column) => column.name));
  for (const event of events.slice(0, 50)) for (const name of Object.keys(event.fields)) names.add(name);
  names.delete("time");
  return [...names].slice(0, COLUMNS_MAX);
}

function Events({ events, columns, opened }: { events: readonly EventRow[]; columns: string[]; opened: string | null }) {
  const numeric = useMemo(() => new Set(columns.filter((name) => events.slice(0, 50).some((event) => typeof event.fields[name] === "number"))), [events, columns]);
  const places = useMemo(() => new Map(events.map((event, index) => [keyOf(event), index])), [events]);
  return (
    <VirtualRows label="latest events" count={events.length} columns={columns.length + 1} indexOf={(key) => places.get(key) ?? -1} keyOf={(index) => (events[index] ? keyOf(events[index]) : "")}
      head={<tr><th scope="col">time</th>{columns.map((name) => <th scope="col" key={name} class={numeric.has(name) ? "number" : ""}>{name}</th>)}</tr>}
      row={(index) => {
        const event = events[index];
        if (event === undefined) return <tr key={index} />;
        const key = keyOf(event);
        return (
          <tr key={key} aria-rowindex={index + 2} aria-current={key === opened ? "true" : undefined} onClick={() => setQuery({ row: key === opened ? null : key })}>
            <td class="time"><button type="button" class="quiet row-open" aria-expanded={key === opened} title={`${event.time}, position ${event.position}, row ${event.row}`}>{clock(Date.parse(event.time), true)}</button></td>
            {columns.map((name) => <Field key={name} value={event.fields[name]} numeric={numeric.has(name)} />)}
          </tr>
        );
      }} />
  );
}

function Field({ value, numeric }: { value: unknown; numeric: boolean }) {
  if (value === undefined || value === null) return <td class={numeric ? "number zero" : "zero"}>–</td>;
  if (typeof value === "number") return <td class="number" title={exact(value)}>{Math.abs(value) < 1e6 ? String(Math.round(value * 1000) / 1000) : short(value)}</td>;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return <td class="text" title={text.slice(0, TEXT_MAX)}>{text.slice(0, TEXT_MAX)}</td>;
}
