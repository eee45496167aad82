// What the page shows, kept in the URL after '#', so that a link opens the same picture elsewhere:
//   #/overview?chart=cpu   #/pipelines/{pipeline}/{unit}?tab=faults   #/streams/{application}/{environment}/{type}?where=…   #/alerts/{id}   #/components/{name}
// In: location.hash. Out: a Route. A path that cannot be read is cut where it breaks; an unknown place is the overview. `theme` in the query is read by theme.ts.
import { useEffect, useState } from "preact/hooks";

export type Place = "overview" | "pipelines" | "streams" | "alerts" | "components";
export interface Route {
  place: Place;
  /** Decoded parts behind the place. */
  path: string[];
  query: Record<string, string>;
}

export const PLACES: { place: Place; name: string; key: string }[] = [
  { place: "overview", name: "Overview", key: "o" },
  { place: "pipelines", name: "Pipelines", key: "p" },
  { place: "streams", name: "Streams", key: "s" },
  { place: "alerts", name: "Alerts", key: "a" },
  { place: "components", name: "Components", key: "c" },
];

export function parseRoute(hash: string): Route {
  const [way = "", search = ""] = split(hash.replace(/^#\/?/, ""));
  const [place, ...rest] = way.split("/").filter((part) => part !== "");
  const query = Object.fromEntries(new URLSearchParams(search));
  const known = PLACES.find((one) => one.place === place);
  if (known === undefined) return { place: "overview", path: [], query };
  try {
    return { place: known.place, path: rest.map(decodeURIComponent), query };
  } catch {
    return { place: known.place, path: [], query };
  }
}

function split(text: string): [string, string] {
  const at = text.indexOf("?");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

export function hashOf(place: Place, path: readonly string[] = [], query: Record<string, string> = {}): string {
  const search = new URLSearchParams(query).toString();
  return `#/${[place, ...path.map(encodeURIComponent)].join("/")}${search === "" ? "" : `?${search}`}`;
}

/** Changes members of the query without a new entry in the history; null removes one. */
export function setQuery(change: Record<string, string | null>): void {
  const { place, path, query } = parseRoute(location.hash);
  const next = { ...query };
  for (const [name, value] of Object.entries(change)) {
    if (value === null) delete next[name];
    else next[name] = value;
  }
  const hash = hashOf(place, path, next);
  if (hash === location.hash) return;
  history.replaceState(null, "", hash);
  window.dispatchEvent(new HashChangeEvent("hashchange"));
}

export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const changed = (): void => setHash(location.hash);
    window.addEventListener("hashchange", changed);
    // What changed between the first paint and this line told nobody.
    changed();
    return () => window.removeEventListener("hashchange", changed);
  }, []);
  return parseRoute(hash);
}
