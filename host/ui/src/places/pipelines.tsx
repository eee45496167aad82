// Pipelines: the graph of all of them with live rates; beside it the panel of what is chosen, or what has changed.
// In: /api/pipelines once a second, the outline of each pipeline once for each revision. What changes goes through panel.tsx and is looked at at once.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { fetchOutline, fetchRunning } from "../api";
import { exact } from "../format";
import { GraphView, type Chosen } from "../graph/graph-view";
import { layOut } from "../graph/layout";
import { OutRateMeter } from "../graph/out-rates";
import { History } from "../parts/history";
import { Copyable } from "../parts/copyable";
import { Empty, Failed, Old, Skeleton } from "../parts/states";
import { usePolled } from "../poll";
import { hashOf } from "../route";
import type { Outline, PipelinesView } from "../wire/messages";
import { DeadLetters } from "./dead-letters";
import { Panel } from "./panel";

const POLL_MS = 1_000;
const FRESH_MS = 4_000;
const ALL_LETTERS = "dead letters";
/** Outlines of more pipelines are not fetched: the graph then guesses who takes from the source. */
const OUTLINES_MAX = 64;

const NONE: ReadonlyMap<string, Outline> = new Map();

export function Pipelines({ path, query }: { path: string[]; query: Record<string, string> }) {
  const meter = useRef(new OutRateMeter());
  const ask = useCallback(async (): Promise<PipelinesView> => {
    const view = await fetchRunning();
    meter.current.look(view.pipelines, performance.now());
    return view;
  }, []);
  const { value, failure, again } = usePolled(ask, POLL_MS);
  const outlines = useOutlines(value);
  const fresh = useFresh(value);
  const [place, room] = useRoom();
  if (value === null) return failure === null ? <Skeleton label="waiting for the pipelines" tall /> : <Failed what="The pipelines could not be fetched" why={failure} retry={again} />;
  if (value.pipelines.length === 0) {
    return (
      <Empty title="No pipelines">
        <p>Add a <code>[[pipeline]]</code> to weir.toml; the file is loaded when it changes. Or begin with the built-in configuration:</p>
        <ul class="send"><Copyable name="shell" text="weir run" /></ul>
      </Empty>
    );
  }
  const chosen = choose(path, value);
  return (
    <div class={chosen === null ? "pipelines" : "pipelines with-panel"}>
      <section ref={place} aria-label="pipelines" class="graph-place">
        {failure !== null && <Old why={failure} retry={again} />}
        {path.length > 0 && chosen === null && <p class="note">{`There is no ${path.join(", ")} (any more).`}</p>}
        <GraphView graph={layOut(value.pipelines, outlines, meter.current.rates, room)} chosen={chosen} fresh={fresh} />
      </section>
      {chosen === null ? <Beside value={value} query={query} changed={again} />
        : <Panel key={`${chosen.pipeline} ${chosen.unit}`} chosen={chosen} view={value} tab={query["tab"] ?? "about"} query={query} changed={again} />}
    </div>
  );
}

/** Nothing is chosen: what has changed, or the dead letters of all units, also of those that are gone. */
function Beside({ value, query, changed }: { value: PipelinesView; query: Record<string, string>; changed: () => void }) {
  if (query["tab"] !== ALL_LETTERS) {
    const link = value.dead_letters > 0 && <p><a href={hashOf("pipelines", [], { tab: ALL_LETTERS })}>{`${exact(value.dead_letters)} ${value.dead_letters === 1 ? "dead letter" : "dead letters"}`}</a></p>;
    return <History running={value.revision} exactly={query["exactly"] ?? null} changed={changed}>{link}</History>;
  }
  return (
    <aside class="history" aria-labelledby="dead-title">
      <h2 id="dead-title">Dead letters</h2>
      <p><a href={hashOf("pipelines")}>What changed</a></p>
      <DeadLetters scope={{ unit: null, pipeline: null }} query={query} changed={changed} />
    </aside>
  );
}

/** The width of an element as it is now: 0 before it is there. */
function useRoom(): [(element: HTMLElement | null) => void, number] {
  const [room, setRoom] = useState(0);
  const resize = useRef<ResizeObserver | null>(null);
  const place = useCallback((element: HTMLElement | null): void => {
    resize.current?.disconnect();
    if (element === null) return;
    setRoom(element.clientWidth);
    resize.current = new ResizeObserver(() => setRoom(element.clientWidth));
    resize.current.observe(element);
  }, []);
  return [place, room];
}

function choose([name, unit]: string[], view: PipelinesView): Chosen | null {
  const pipeline = view.pipelines.find((one) => one.name === name);
  if (pipeline === undefined) return null;
  if (unit === undefined || unit === "in") return { pipeline: pipeline.name, unit: unit ?? null };
  const known = pipeline.units.find((one) => one.id === unit || one.id === `${pipeline.name}/${unit}`);
  return known ? { pipeline: pipeline.name, unit: known.id } : null;
}

function useOutlines(view: PipelinesView | null): ReadonlyMap<string, Outline> {
  const [known, setKnown] = useState(NONE);
  const revision = view?.revision;
  const names = view?.pipelines.map((pipeline) => pipeline.name).slice(0, OUTLINES_MAX).join("\n") ?? "";
  useEffect(() => {
    if (revision === undefined || names === "") return;
    let ended = false;
    Promise.allSettled(names.split("\n").map(fetchOutline)).then((answers) => {
      if (!ended) setKnown(new Map(answers.flatMap((answer) => (answer.status === "fulfilled" ? [[answer.value.name, answer.value] as const] : []))));
    }, () => undefined);
    return () => void (ended = true);
  }, [revision, names]);
  return known;
}

/** Units that were not there a moment ago: they are marked for a while. */
function useFresh(view: PipelinesView | null): ReadonlySet<string> {
  const seen = useRef<Map<string, number> | null>(null);
  if (view === null) return new Set();
  const now_ms = performance.now();
  const ids = view.pipelines.flatMap((pipeline) => pipeline.units.map((unit) => unit.id));
  const before = seen.current;
  seen.current = new Map(ids.map((id) => [id, before === null ? -Infinity : before.get(id) ?? now_ms]));
  return new Set(ids.filter((id) => now_ms - (seen.current?.get(id) ?? 0) < FRESH_MS));
}
