// Overview: the state strip (one cell for each pipeline), the live charts, and at the right open alerts and recent faults.
import { useEffect, useRef, useState } from "preact/hooks";
import { fetchAlerts, fetchFaults, fetchPipelines, fetchRevisions } from "../api";
import { Chart } from "../charts/chart";
import { clock, exact, short, shortDigest } from "../format";
import type { LiveSocket } from "../live/socket";
import { CHARTS_MAX, type Store } from "../live/store";
import { Empty, Failed, Old, SendOne, Skeleton } from "../parts/states";
import { shapeOf, StateMark, toneOf, worst } from "../parts/state-mark";
import { usePolled, type Polled } from "../poll";
import { spans, useFit, useTurn } from "../parts/fit";
import { hashOf } from "../route";
import type { AlertView, ChartEntry, FaultView, PipelineView } from "../wire/messages";
import { fires, inOrder, labelsText, sinceText, wordsOf } from "./alert-words";

const POLL_MS = 2_000;
const CHANGES_POLL_MS = 5_000;
const FAULTS_SHOWN = 3;
const ALERTS_SHOWN = 5;
const CHANGES_SHOWN = 6;
/** On a wall at once: fewer where the window is low, so that each can be read from afar. */
const TV_CHARTS = { many: 6, few: 4, below_px: 1_000 };

/** `chart`: the id of the one that is shown alone. `tv`: to be read from across a room, without a hand on it. */
export function Overview({ store, socket, theme, chart, tv }: { store: Store; socket: LiveSocket; theme: string; chart: string | null; tv: boolean }) {
  const pipelines = usePolled(fetchPipelines, POLL_MS, store.pictured);
  const alerts = usePolled(fetchAlerts, POLL_MS, store.pictured);
  const faults = usePolled(fetchFaults, POLL_MS, store.pictured);
  return (
    <div class="overview">
      <Strip pipelines={pipelines} alerts={alerts.value} />
      <Charts store={store} socket={socket} theme={theme} only={chart} tv={tv} />
      <aside class="side">
        <Alerts alerts={alerts} />
        <Changes store={store} />
        <Faults faults={faults} />
      </aside>
    </div>
  );
}

function Strip({ pipelines, alerts: all }: { pipelines: Polled<PipelineView[]>; alerts: AlertView[] | null }) {
  const alerts = all === null ? null : all.filter(fires);
  const { value } = pipelines;
  if (value === null) {
    return (
      <div class="strip waits">
        {pipelines.failure === null ? <Skeleton label="waiting for the pipelines" /> : <Failed what="The pipelines could not be fetched" why={pipelines.failure} retry={pipelines.again} />}
      </div>
    );
  }
  const counts = new Map<string, number>();
  for (const pipeline of value) counts.set(worst(pipeline), (counts.get(worst(pipeline)) ?? 0) + 1);
  const others = [...counts].filter(([state]) => state !== "running").map(([state, count]) => `${count} ${state}`);
  return (
    <section class={pipelines.failure === null ? "strip" : "strip old"} aria-label="state of the pipelines">
      {value.length > 0 && <div class="cells">
        {value.map((pipeline) => (
          <a key={pipeline.name} href={hashOf("pipelines", [pipeline.name])} class={`cell ${toneOf(worst(pipeline))}`} title={`${pipeline.name}: ${worst(pipeline)}`}>
            <i aria-hidden="true">{shapeOf(worst(pipeline))}</i>
            <span>{pipeline.name}</span>
          </a>
        ))}
      </div>}
      <span class="sum">{[`${value.length} ${value.length === 1 ? "pipeline" : "pipelines"}`, ...others].join(", ")}</span>
      {alerts !== null && <span class={alerts.length > 0 ? "sum loud" : "sum"}>{alerts.length === 0 ? "no open alerts" : `${alerts.length} open ${alerts.length === 1 ? "alert" : "alerts"}`}</span>}
    </section>
  );
}

function Charts({ store, socket, theme, only, tv }: { store: Store; socket: LiveSocket; theme: string; only: string | null; tv: boolean }) {
  const [charts, setCharts] = useState(store.charts);
  const [lost, setLost] = useState(store.connection.state === "lost");
  useEffect(() => {
    const take = (): void => {
      setCharts(store.charts);
      setLost(store.connection.state === "lost");
    };
    take();
    const ends = [store.listen("charts", take), store.listen("connection", take)];
    return () => ends.forEach((end) => end());
  }, [store]);
  if (charts === null && lost) {
    return <div class="charts"><Failed what="The host does not answer" why="the charts appear as soon as the live connection is there; the page keeps trying" retry={() => socket.retryNow()} /></div>;
  }
  if (charts === null) {
    return <div class="charts">{[0, 1, 2, 3, 4, 5].map((index) => <Skeleton key={index} label="waiting for the charts" tall />)}</div>;
  }
  if (charts.length === 0) {
    return (
      <div class="charts single">
        <Empty title="No charts yet">
          <p>One line in a shell sends the first event, without any configuration:</p>
          <SendOne />
          <p>It is then under <a href="#/streams">Streams</a>, where a metric with a live chart is made of it.</p>
        </Empty>
      </div>
    );
  }
  if (only !== null) {
    const entry = charts.find((one) => one.id === only);
    return (
      <section class={lost ? "charts single lost" : "charts single"} aria-label="chart">
        <p><a href={hashOf("overview")}>← all charts</a></p>
        {entry ? <Chart key={entry.id} entry={entry} store={store} socket={socket} theme={theme} large /> : <Empty title={`There is no chart ${only} (any more)`} />}
      </section>
    );
  }
  return <Grid charts={charts} lost={lost} tv={tv} store={store} socket={socket} theme={theme} />;
}

/** As high as the window has room for, so that all are seen without scrolling; on a wall as many as can be read, in turns. */
function Grid({ charts, lost, tv, ...look }: { charts: ChartEntry[]; lost: boolean; tv: boolean; store: Store; socket: LiveSocket; theme: string }) {
  const place = useRef<HTMLElement>(null);
  const shown = charts.slice(0, CHARTS_MAX);
  const atOnce = window.innerHeight < TV_CHARTS.below_px ? TV_CHARTS.few : TV_CHARTS.many;
  const page = useTurn(tv ? Math.ceil(shown.length / atOnce) : 1);
  const here = tv ? shown.slice(page * atOnce, (page + 1) * atOnce) : shown;
  const fit = useFit(place, tv ? Math.min(atOnce, shown.length) : shown.length, tv);
  const { tracks, of } = spans(here.length, fit?.columns ?? 1);
  return (
    <section ref={place} class={lost ? "charts lost" : "charts"} aria-label="charts" style={{ gridTemplateColumns: `repeat(${tracks}, minmax(0, 1fr))` }}>
      {charts.length > CHARTS_MAX && <p class="note">{`${charts.length - CHARTS_MAX} more charts are configured; the page shows ${CHARTS_MAX}.`}</p>}
      {fit !== null && here.map((entry, index) => <Chart key={entry.id} entry={entry} height={fit.height} span={of(index)} {...look} />)}
      {here.length < shown.length && <p class="quiet-text turns">{`charts ${page * atOnce + 1} to ${page * atOnce + here.length} of ${shown.length}`}</p>}
    </section>
  );
}

function Alerts({ alerts }: { alerts: Polled<AlertView[]> }) {
  const list = inOrder(alerts.value ?? []);
  return (
    <section aria-labelledby="alerts-title">
      <h2 id="alerts-title">Open alerts</h2>
      {alerts.failure !== null && (alerts.value === null ? <Failed what="Not fetched" why={alerts.failure} retry={alerts.again} /> : <Old why={alerts.failure} retry={alerts.again} />)}
      {alerts.value === null && alerts.failure === null && <Skeleton label="waiting for the alerts" />}
      {alerts.value !== null && list.length === 0 && <p class="quiet-text">None.</p>}
      <ul class="items">
        {list.slice(0, ALERTS_SHOWN).map((alert) => (
          <li class={toneOf(alert.level)} key={alert.id}>
            <a class="card" href={hashOf("alerts", [alert.id])}>
              <div><span><StateMark state={alert.level} /> {wordsOf(alert)}</span> <time title={exact(alert.since_unix_ns / 1e6, "ms since 1970")}>{sinceText(alert)}</time></div>
              <strong>{alert.rule}</strong>
              <span title={alert.value === null ? "" : exact(alert.value)}>{alert.summary || (alert.value === null ? "" : `value ${short(alert.value)}`)}</span>
              <small>{[alert.triplet, labelsText(alert.labels)].filter(Boolean).join(", ")}</small>
            </a>
          </li>
        ))}
      </ul>
      {list.length > ALERTS_SHOWN && <p><a href={hashOf("alerts")}>{`and ${list.length - ALERTS_SHOWN} more`}</a></p>}
    </section>
  );
}

function Changes({ store }: { store: Store }) {
  const { value, failure, again } = usePolled(fetchRevisions, CHANGES_POLL_MS, store.pictured);
  return (
    <section aria-labelledby="changes-title">
      <h2 id="changes-title">What changed</h2>
      {failure !== null && (value === null ? <Failed what="Not fetched" why={failure} retry={again} /> : <Old why={failure} retry={again} />)}
      {value === null && failure === null && <Skeleton label="waiting for the changes" />}
      <ol class="changes">
        {(value ?? []).slice(0, CHANGES_SHOWN).map((revision) => (
          <li key={revision.revision}>
            <time title={revision.at}>{clock(Date.parse(revision.at))}</time>
            <a href={hashOf("pipelines")}>{revision.summary || `revision ${revision.revision}`}</a>
          </li>
        ))}
      </ol>
    </section>
  );
}

function Faults({ faults }: { faults: Polled<FaultView[]> }) {
  const list = faults.value ?? [];
  return (
    <section aria-labelledby="faults-title">
      <h2 id="faults-title">Recent faults</h2>
      {faults.failure !== null && (faults.value === null ? <Failed what="Not fetched" why={faults.failure} retry={faults.again} /> : <Old why={faults.failure} retry={faults.again} />)}
      {faults.value === null && faults.failure === null && <Skeleton label="waiting for the faults" />}
      {faults.value !== null && list.length === 0 && <p class="quiet-text">None.</p>}
      <ul class="items">
        {list.slice(0, FAULTS_SHOWN).map((fault) => (
          <li key={`${fault.at} ${fault.unit} ${fault.position}`} title={fault.frames.join("\n")}>
            <div><StateMark state="faulted" /> <time title={fault.at}>{clock(Date.parse(fault.at))}</time></div>
            <strong><a href={hashOf("pipelines", [fault.unit.split("/")[0] ?? "", fault.unit], { tab: "faults" })}>{fault.unit}</a></strong>
            <span>{`${fault.kind} in ${fault.call}: ${fault.message}`}</span>
            <small>{`position ${fault.position}, ${fault.rows} ${fault.rows === 1 ? "row" : "rows"}, component ${shortDigest(fault.digest)}`}</small>
          </li>
        ))}
      </ul>
      {list.length > FAULTS_SHOWN && <p class="quiet-text">{`and ${list.length - FAULTS_SHOWN} more`}</p>}
    </section>
  );
}
