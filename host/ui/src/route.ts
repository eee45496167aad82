// Which place the page shows, kept in the URL after '#': #/overview, #/pipelines, #/streams, #/streams/{application}/{environment}/{type}.
import { useEffect, useState } from "preact/hooks";

export type Place = "overview" | "pipelines" | "streams";
export interface Route {
  place: Place;
  triplet: string | null;
}

export const PLACES: { place: Place; name: string; key: string }[] = [
  { place: "overview", name: "Overview", key: "o" },
  { place: "pipelines", name: "Pipelines", key: "p" },
  { place: "streams", name: "Streams", key: "s" },
];

export function parseRoute(hash: string): Route {
  const [place, ...rest] = hash.replace(/^#\/?/, "").split("/");
  if (place === "pipelines") return { place, triplet: null };
  if (place !== "streams") return { place: "overview", triplet: null };
  try {
    const parts = rest.map(decodeURIComponent);
    return { place, triplet: parts.length === 3 && parts.every((part) => part !== "") ? parts.join("/") : null };
  } catch {
    return { place, triplet: null };
  }
}

export function hashOf(route: Route): string {
  const triplet = route.triplet === null ? "" : `/${route.triplet.split("/").map(encodeURIComponent).join("/")}`;
  return `#/${route.place}${triplet}`;
}

export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const changed = (): void => setHash(location.hash);
    window.addEventListener("hashchange", changed);
    return () => window.removeEventListener("hashchange", changed);
  }, []);
  return parseRoute(hash);
}
