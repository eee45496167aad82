// The frame of the page: name, tabs, live badge, theme, help; below it one place.
import { useState } from "preact/hooks";
import { useKeys } from "./keys";
import type { LiveSocket } from "./live/socket";
import type { Store } from "./live/store";
import { LiveBadge } from "./parts/badge";
import { Overview } from "./places/overview";
import { Pipelines } from "./places/pipelines";
import { Streams } from "./places/streams";
import { hashOf, PLACES, useRoute } from "./route";
import { useTheme } from "./theme";

const KEYS: [string, string][] = [
  ["g o", "overview"], ["g p", "pipelines"], ["g s", "streams"],
  ["← →", "move the cursor of the chart that has the focus"], ["d", "dark or light"], ["?", "these keys"],
];

export function App({ store, socket }: { store: Store; socket: LiveSocket }) {
  const route = useRoute();
  const [theme, toggleTheme] = useTheme();
  const [help, setHelp] = useState(false);
  useKeys({ toggleTheme, toggleHelp: () => setHelp(!help) });
  return (
    <>
      <header class="top">
        <h1>Weir</h1>
        <nav aria-label="places">
          {PLACES.map(({ place, name, key }) => (
            <a key={place} href={hashOf({ place, triplet: null })} aria-current={route.place === place ? "page" : undefined} title={`g ${key}`}>{name}</a>
          ))}
        </nav>
        <LiveBadge store={store} socket={socket} />
        <div class="tools">
          <button type="button" class="quiet" aria-expanded={help} aria-label="keys" title="keys (?)" onClick={() => setHelp(!help)}>?</button>
          <button type="button" class="quiet" aria-label={theme === "dark" ? "light theme" : "dark theme"} title="dark or light (d)" onClick={toggleTheme}>◐</button>
        </div>
      </header>
      {help && (
        <dl class="help">
          {KEYS.map(([key, what]) => <div key={key}><dt><kbd>{key}</kbd></dt><dd>{what}</dd></div>)}
        </dl>
      )}
      <main>
        {route.place === "overview" && <Overview store={store} socket={socket} theme={theme} />}
        {route.place === "pipelines" && <Pipelines />}
        {route.place === "streams" && <Streams store={store} socket={socket} triplet={route.triplet} />}
      </main>
    </>
  );
}
