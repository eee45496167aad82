// Overview: the state strip (one cell for each pipeline), the live charts, and at the right open alerts and recent faults.
import { useEffect, useState } from "preact/hooks";
import { fetchAlerts, fetchFaults, fetchPipelines } from "../api";
import { Chart } from "../charts/chart";
import { clock, duration, exact, short } from "../format";
import type { LiveSocket } from "../live/socket";
import { CHARTS_MAX, type Store } from "../live/store";
import { Empty, Failed, Old, SendOne, Skeleton } from "../parts/states";
import { shapeOf, StateMark, toneOf } from "../parts/state-mark";
import { usePolled, type Polled } from "../poll";
import type { AlertView, FaultView, PipelineView } from "../wire/messages";

const POLL_MS = 2_000;
const FAULTS_SHOWN = 5;

export function Overview({ store, socket, theme }: { store: Store; socket: LiveSocket; theme: string }) {
  const pipelines = usePolled(fetchPipelines, POLL_MS);
  const alerts = usePolled(fetchAlerts, POLL_MS);
  const faults = usePolled(fetchFaults, POLL_MS);
  return (
    <div class="overview">
      <Strip pipelines={pipelines} alerts={alerts.value} />
      <Charts store={store} socket={socket} theme={theme} />
      <aside class="side">
        <Alerts alerts={alerts} />
        <Faults faults={faults} />
      </aside>
    </div>
  );
}

/** A faulted unit makes the cell of its pipeline faulted: the glance from across the room must not miss it. */
function worst(pipeline: PipelineView): string {
  const states = [pipeline.state, ...pipeline.units.map((unit) => unit.state)];
  return ["faulted", "open-circuit", "stopped", "paused"].find((state) => states.includes(state)) ?? pipeline.state;
}

function Strip({ pipelines, alerts: all }: { pipelines: Polled<PipelineView[]>; alerts: AlertView[] | null }) {
  const alerts = all === null ? null : all.filter(fires);
  const { value } = pipelines;
  if (value === null) {
    return pipelines.failure === null
      ? <Skeleton label="waiting for the pipelines" />
      : <Failed what="The pipelines could not be fetched" why={pipelines.failure} retry={pipelines.again} />;
  }
  const counts = new Map<string, number>();
  for (const pipeline of value) counts.set(worst(pipeline), (counts.get(worst(pipeline)) ?? 0) + 1);
  const others = [...counts].filter(([state]) => state !== "running").map(([state, count]) => `${count} ${state}`);
  return (
    <section class={pipelines.failure === null ? "strip" : "strip old"} aria-label="state of the pipelines">
      {value.length > 0 && <div class="cells">
        {value.map((pipeline) => (
          <a key={pipeline.name} href="#/pipelines" class={`cell ${toneOf(worst(pipeline))}`} title={`${pipeline.name}: ${worst(pipeline)}`}>
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

function Charts({ store, socket, theme }: { store: Store; socket: LiveSocket; theme: string }) {
  const [charts, setCharts] = useState(store.charts);
  const [lost, setLost] = useState(store.connection.state === "lost");
  useEffect(() => {
    const take = (): void => setCharts(store.charts);
    take();
    const ends = [store.listen("charts", take), store.listen("connection", () => setLost(store.connection.state === "lost"))];
    return () => ends.forEach((end) => end());
  }, [store]);
  if (charts === null && lost) {
    return <div class="charts"><Failed what="The host does not answer" why="the charts appear as soon as the live connection is there; the page keeps trying" retry={() => socket.retryNow()} /></div>;
  }
  if (charts === null) {
    return <div class="charts">{[0, 1, 2, 3].map((index) => <Skeleton key={index} label="waiting for the charts" tall />)}</div>;
  }
  if (charts.length === 0) {
    return (
      <div class="charts single">
        <Empty title="No charts yet">
          <p>A chart is configured with <code>[[chart]]</code> over a metric. Events get in with one line, without any configuration:</p>
          <SendOne />
          <p>They are then under <a href="#/streams">Streams</a>.</p>
        </Empty>
      </div>
    );
  }
  return (
    <section class={lost ? "charts lost" : "charts"} aria-label="charts">
      {charts.length > CHARTS_MAX && <p class="note">{`${charts.length - CHARTS_MAX} more charts are configured; the page shows ${CHARTS_MAX}.`}</p>}
      {charts.slice(0, CHARTS_MAX).map((entry) => <Chart key={entry.id} entry={entry} store={store} socket={socket} theme={theme} />)}
    </section>
  );
}

const labelsText = (labels: Record<string, unknown>): string => Object.entries(labels).map(([name, value]) => `${name} ${String(value)}`).join(", ");
const fires = (alert: AlertView): boolean => alert.state === "firing" || alert.state === "recovering";
/** What is to be said of an alert beside its level: "pending", "firing, stale", "firing, flapping". */
const wordsOf = (alert: AlertView): string => [alert.state, alert.beside === "fresh" ? "" : alert.beside, alert.flapping ? "flapping" : ""].filter(Boolean).join(", ");
const severity = (alert: AlertView): number => (alert.level === "critical" ? 0 : alert.level === "warning" ? 1 : 2);

function Alerts({ alerts }: { alerts: Polled<AlertView[]> }) {
  const list = [...(alerts.value ?? [])].sort((a, b) => Number(fires(b)) - Number(fires(a)) || severity(a) - severity(b) || b.since_unix_ns - a.since_unix_ns);
  return (
    <section aria-labelledby="alerts-title">
      <h2 id="alerts-title">Open alerts</h2>
      {alerts.failure !== null && (alerts.value === null ? <Failed what="Not fetched" why={alerts.failure} retry={alerts.again} /> : <Old why={alerts.failure} retry={alerts.again} />)}
      {alerts.value === null && alerts.failure === null && <Skeleton label="waiting for the alerts" />}
      {alerts.value !== null && list.length === 0 && <p class="quiet-text">None.</p>}
      <ul class="items">
        {list.map((alert) => (
          <li class={toneOf(alert.level)} key={`${alert.rule} ${alert.triplet} ${labelsText(alert.labels)}`}>
            <div><StateMark state={alert.level} /> {wordsOf(alert)} <time title={exact(alert.since_unix_ns / 1e6, "ms since 1970")}>{`for ${duration((Date.now() - alert.since_unix_ns / 1e6) / 1_000)}`}</time></div>
            <strong>{alert.rule}</strong>
            <span title={alert.value === null ? "" : exact(alert.value)}>{alert.summary || (alert.value === null ? "" : `value ${short(alert.value)}`)}</span>
            <small>{[alert.triplet, labelsText(alert.labels)].filter(Boolean).join(", ")}</small>
          </li>
        ))}
      </ul>
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
            <strong>{fault.unit}</strong>
            <span>{`${fault.kind} in ${fault.call}: ${fault.message}`}</span>
            <small>{`position ${fault.position}, ${fault.rows} ${fault.rows === 1 ? "row" : "rows"}, component ${fault.digest.slice(0, 12)}`}</small>
          </li>
        ))}
      </ul>
      {list.length > FAULTS_SHOWN && <p class="quiet-text">{`and ${list.length - FAULTS_SHOWN} more`}</p>}
    </section>
  );
}
