// The live badge: age of the newest datum (amber over 3 s, red over 10 s), or how long the connection has been lost and when the next try is.
import { useEffect, useState } from "preact/hooks";
import { duration, exact } from "../format";
import type { LiveSocket } from "../live/socket";
import type { Store } from "../live/store";

const AMBER_S = 3;
const RED_S = 10;
const MERGED_SHOWN_MS = 6_000;
const TICK_MS = 200;

interface Said {
  tone: string;
  shape: string;
  text: string;
  /** Left out where there is little width. */
  more: string;
  title: string;
}

function say(store: Store): Said {
  const { connection } = store;
  const now_ms = Date.now();
  if (connection.state === "connecting") return { tone: "off", shape: "○", text: "connecting", more: "", title: "opening the live connection" };
  if (connection.state === "lost") {
    const lost_s = Math.floor((now_ms - (connection.lost_at_ms ?? now_ms)) / 1_000);
    const next_s = Math.max(0, Math.ceil(((connection.retry_at_ms ?? now_ms) - now_ms) / 1_000));
    return { tone: "off", shape: "○", text: `no connection for ${lost_s} s`, more: next_s === 0 ? ", trying" : `, next try in ${next_s} s`, title: "the picture is that of the moment when the connection was lost" };
  }
  if (connection.newest_unix_ms === null) return { tone: "off", shape: "●", text: "live, no data yet", more: "", title: "connected; no chart has an event yet" };
  const age_s = Math.max(0, (store.hostNow_ms() - connection.newest_unix_ms) / 1_000);
  const tone = age_s > RED_S ? "bad" : age_s > AMBER_S ? "warn" : "good";
  const shape = age_s > RED_S ? "▲" : age_s > AMBER_S ? "◆" : "●";
  return { tone, shape, text: `${age_s > AMBER_S ? "newest" : "live"} ${duration(age_s)}`, more: "", title: `the newest event on the page is ${exact(Math.round(age_s * 1000) / 1000)} s old` };
}

export function LiveBadge({ store, socket }: { store: Store; socket: LiveSocket }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = window.setInterval(() => tick((count) => count + 1), TICK_MS);
    return () => window.clearInterval(timer);
  }, []);
  const { connection } = store;
  const said = say(store);
  const merged = connection.merged_last_at_ms !== null && Date.now() - connection.merged_last_at_ms < MERGED_SHOWN_MS;
  return (
    <div class="badge-place">
      {connection.problem !== null && <span class="note" title={connection.problem}>▲ a frame was refused</span>}
      {merged && (
        <span class="note merged" title={`this page was too slow for ${connection.merged_total} updates in all; it shows the latest`}>
          {connection.merged_last}<span class="more">{connection.merged_last === 1 ? " update" : " updates"}</span> merged
        </span>
      )}
      <span class={`badge ${said.tone}`} title={said.title} data-state={connection.state}>
        <i aria-hidden="true">{said.shape}</i> {said.text}<span class="more">{said.more}</span>
      </span>
      {connection.state === "lost" && <button type="button" onClick={() => socket.retryNow()}>try now</button>}
      <span class="hidden" role="status">{connection.state === "lost" ? "live connection lost" : connection.state === "live" ? "live" : ""}</span>
    </div>
  );
}
