// The command palette: one box that finds places, pipelines, units, streams, charts, components and actions by parts of their names.
// In: what the host lists at the time of opening (a list that cannot be fetched is left out and said), and actions of the page. Out: the chosen one is done.
// Limits: ENTRIES_SHOWN entries at once; more letters find the rest.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { actOnPipeline, fetchCharts, fetchPipelines, fetchReadyComponents, fetchStreams } from "../api";
import { hashOf, PLACES } from "../route";
import { Dialog } from "./dialog";

const ENTRIES_SHOWN = 12;

export interface Command {
  kind: string;
  name: string;
  run: () => void | Promise<void>;
}

const to = (hash: string) => (): void => void (location.hash = hash);

const LISTS: [string, () => Promise<Command[]>][] = [
  ["pipelines", async () => (await fetchPipelines()).flatMap((pipeline) => [
    { kind: "pipeline", name: pipeline.name, run: to(hashOf("pipelines", [pipeline.name])) },
    ...pipeline.units.map((unit) => ({ kind: "unit", name: unit.id, run: to(hashOf("pipelines", [pipeline.name, unit.id])) })),
    pipeline.state === "running"
      ? { kind: "action", name: `pause pipeline ${pipeline.name}`, run: () => actOnPipeline(pipeline.name, "pause") }
      : { kind: "action", name: `start pipeline ${pipeline.name}`, run: () => actOnPipeline(pipeline.name, "start") },
  ])],
  ["streams", async () => (await fetchStreams()).map(({ triplet }) => ({ kind: "stream", name: triplet, run: to(hashOf("streams", triplet.split("/"))) }))],
  ["charts", async () => (await fetchCharts()).map(({ id, title }) => ({ kind: "chart", name: title || id, run: to(hashOf("overview", [], { chart: id })) }))],
  ["components", async () => (await fetchReadyComponents()).components.map(({ name }) => ({ kind: "component", name, run: to(hashOf("components", [name])) }))],
];

/** Every word of the query must be in the kind or name; names that begin with it come first. */
export function find(commands: readonly Command[], query: string): Command[] {
  const words = query.toLowerCase().split(/\s+/).filter((word) => word !== "");
  const rank = ({ name }: Command): number => (words[0] !== undefined && name.toLowerCase().startsWith(words[0]) ? 0 : 1);
  return commands
    .filter(({ kind, name }) => words.every((word) => `${kind} ${name}`.toLowerCase().includes(word)))
    .sort((a, b) => rank(a) - rank(b))
    .slice(0, ENTRIES_SHOWN);
}

export function Palette({ actions, onClose }: { actions: Command[]; onClose: () => void }) {
  const [query, setQuery] = useState("");
  const [chosen, setChosen] = useState(0);
  const [fetched, setFetched] = useState<Command[]>([]);
  const [problem, setProblem] = useState("");
  const box = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => box.current?.focus(), []);
  useEffect(() => {
    let ended = false;
    for (const [what, list] of LISTS) {
      list().then(
        (more) => !ended && setFetched((known) => [...known, ...more]),
        () => !ended && setProblem((said) => `${said === "" ? "not fetched: " : `${said}, `}${what}`),
      );
    }
    return () => void (ended = true);
  }, []);
  const places = useMemo(() => PLACES.map(({ place, name, key }): Command => ({ kind: "place", name: `${name} (g ${key})`, run: to(hashOf(place)) })), []);
  const found = find([...places, ...actions, ...fetched], query);
  const at = Math.min(chosen, found.length - 1);
  const run = (command: Command | undefined): void => {
    if (command === undefined) return;
    Promise.resolve(command.run()).then(onClose, (error: unknown) => setProblem(error instanceof Error ? error.message : String(error)));
  };
  const down = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) setChosen((at + step + found.length) % Math.max(1, found.length));
    else if (event.key === "Enter") run(found[at]);
    else return;
    event.preventDefault();
  };
  return (
    <Dialog label="find" kind="palette" onClose={onClose}>
      <input ref={box} type="text" role="combobox" aria-expanded="true" aria-controls="palette-list" aria-activedescendant={found[at] ? `palette-${at}` : undefined}
        aria-label="find a place, pipeline, unit, stream, chart, component or action" placeholder="Find a place, pipeline, unit, stream, chart or action" value={query} onKeyDown={down}
        onInput={(event) => { setQuery(event.currentTarget.value); setChosen(0); }} />
      <ul id="palette-list" role="listbox" aria-label="found">
        {found.map((command, index) => (
          <li key={`${command.kind} ${command.name}`} id={`palette-${index}`} role="option" aria-selected={index === at} onClick={() => run(command)}>
            <span>{command.name}</span><small>{command.kind}</small>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p class="quiet-text">Nothing is called so.</p>}
      {problem !== "" && <p class="note" role="alert">{problem}</p>}
    </Dialog>
  );
}
