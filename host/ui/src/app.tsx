// The frame of the page: name, tabs, live badge, palette, help, theme; below it one place.
import { useEffect, useRef, useState } from "preact/hooks";
import { KEYS, useKeys } from "./keys";
import type { LiveSocket } from "./live/socket";
import type { Store } from "./live/store";
import { LiveBadge } from "./parts/badge";
import { Dialog } from "./parts/dialog";
import { Palette, type Command } from "./parts/palette";
import { Failed, Skeleton } from "./parts/states";
import { Overview } from "./places/overview";
import { useTv } from "./parts/fit";
import { hashOf, PLACES, useRoute, type Route } from "./route";
import { useTheme } from "./theme";

const SAID_MS = 2_000;

type Others = typeof import("./places/others");
let others: Others | null = null;
const fetchOthers = async (): Promise<Others> => (others ??= await import("./places/others"));

export function App({ store, socket }: { store: Store; socket: LiveSocket }) {
  const route = useRoute();
  // At hand before they are asked for, and also when the host that sent the page is another one by then. Who asks for one sees what failed.
  useEffect(() => void store.pictured.then(fetchOthers).catch(() => undefined), [store]);
  const [theme, toggleTheme] = useTheme();
  const tv = route.place === "overview" && route.query["tv"] !== undefined;
  useTv(tv);
  const [open, setOpen] = useState<"help" | "palette" | null>(null);
  const [said, setSaid] = useState("");
  const timer = useRef(0);
  const say = (text: string): void => {
    setSaid(text);
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(() => setSaid(""), SAID_MS);
  };
  const copyLink = (): void => {
    const url = new URL(location.href);
    url.hash = hashOf(route.place, route.path, { ...route.query, theme });
    if (navigator.clipboard === undefined) say("this browser lets no page copy here; the address bar has the link");
    else navigator.clipboard.writeText(url.href).then(() => say("link copied"), () => say("copying was refused; the address bar has the link"));
  };
  const toggleTv = (): void => void (location.hash = hashOf("overview", [], tv ? {} : { tv: "on" }));
  useKeys({ toggleTheme, toggleHelp: () => setOpen(open === "help" ? null : "help"), openPalette: () => setOpen("palette"), copyLink, toggleTv });
  const actions: Command[] = [
    { kind: "action", name: "dark or light (d)", run: toggleTheme },
    { kind: "action", name: "copy a link to this picture (c)", run: copyLink },
    { kind: "action", name: "overview for a wall (t)", run: toggleTv },
    { kind: "action", name: "connect anew", run: () => socket.retryNow() },
  ];
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>skip to the content</a>
      <header class="top">
        <h1>Weir</h1>
        <nav aria-label="places">
          {PLACES.map(({ place, name, key }) => (
            <a key={place} href={hashOf(place)} aria-current={route.place === place ? "page" : undefined} title={`g ${key}`}>{name}</a>
          ))}
        </nav>
        <LiveBadge store={store} socket={socket} />
        <div class="tools">
          <button type="button" class="quiet" aria-label="find" title="find (/)" onClick={() => setOpen("palette")}>/</button>
          <button type="button" class="quiet" aria-label="keys" title="keys (?)" onClick={() => setOpen("help")}>?</button>
          <button type="button" class="quiet" aria-label="copy a link to this picture" title="copy link (c)" onClick={copyLink}>link</button>
          <button type="button" class="quiet" aria-label={theme === "dark" ? "light theme" : "dark theme"} title="dark or light (d)" onClick={toggleTheme}>◐</button>
        </div>
      </header>
      <p class={said === "" ? "toast hidden" : "toast"} role="status">{said}</p>
      <main id="main" tabIndex={-1}>
        {route.place === "overview" && <Overview store={store} socket={socket} theme={theme} chart={route.query["chart"] ?? null} tv={tv} />}
        {route.place !== "overview" && <Other route={route} store={store} socket={socket} theme={theme} />}
      </main>
      {open === "palette" && <Palette actions={actions} onClose={() => setOpen(null)} />}
      {open === "help" && (
        <Dialog label="keys" kind="help" onClose={() => setOpen(null)}>
          <h2>Keys</h2>
          <dl>{KEYS.map(([key, what]) => <div key={key}><dt><kbd>{key}</kbd></dt><dd>{what}</dd></div>)}</dl>
          <form method="dialog"><button type="submit">close</button></form>
        </Dialog>
      )}
    </>
  );
}

/** A place other than the overview, as soon as its file is there. */
function Other({ route, theme, ...live }: { route: Route; theme: string; store: Store; socket: LiveSocket }) {
  const [places, setPlaces] = useState(others);
  const [failure, setFailure] = useState("");
  useEffect(() => {
    let ended = false;
    fetchOthers().then((found) => !ended && setPlaces(found), (error: unknown) => !ended && setFailure(String(error)));
    return () => void (ended = true);
  }, []);
  if (places === null) return failure === "" ? <Skeleton label={`waiting for ${route.place}`} tall /> : <Failed what="This part of the page could not be fetched" why={failure} retry={() => location.reload()} />;
  const { Alerts, Components, Pipelines, Streams } = places;
  if (route.place === "pipelines") return <Pipelines path={route.path} query={route.query} />;
  if (route.place === "streams") return <Streams {...live} theme={theme} path={route.path} query={route.query} />;
  if (route.place === "alerts") return <Alerts {...live} theme={theme} id={route.path[0] ?? null} query={route.query} />;
  return <Components name={route.path[0] ?? null} />;
}
