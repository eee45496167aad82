// Alerts: open ones first; of the chosen one what it says, the charts that show why, and its history; below the list rules and channels.
// In: /api/alerts, episodes and channels, polled. The chart is one over a series of the pipeline in which the alert's rule stands, nearest to the rule first.
import { useCallback, useEffect, useState } from "preact/hooks";
import { fetchAlert, fetchAllAlerts, fetchChannels, fetchEpisodes, fetchOutline, fetchRunning } from "../api";
import { Chart } from "../charts/chart";
import { clock, duration, exact, short } from "../format";
import type { LiveSocket } from "../live/socket";
import type { Store } from "../live/store";
import { Empty, Failed, Old, Skeleton } from "../parts/states";
import { StateMark, toneOf } from "../parts/state-mark";
import { usePolled } from "../poll";
import { hashOf, setQuery } from "../route";
import { fires, inOrder, isOpen, labelsText, sinceText, wordsOf } from "./alert-words";
import type { AlertPage, AlertView, ChartEntry, EpisodeView, Outline } from "../wire/messages";

const POLL_MS = 2_000;
/** Of the canvas where one chart shows why. */
const ONE_CHART_PX = 260;
const CHARTS_SHOWN = 2;

interface Look {
  store: Store;
  socket: LiveSocket;
  theme: string;
}

export function Alerts({ id, query, ...look }: Look & { id: string | null; query: Record<string, string> }) {
  const { value, failure, again } = usePolled(fetchAllAlerts, POLL_MS);
  if (value === null) return failure === null ? <Skeleton label="waiting for the alerts" tall /> : <Failed what="The alerts could not be fetched" why={failure} retry={again} />;
  const all = query["show"] === "all";
  const list = inOrder(all ? value.alerts : value.alerts.filter(isOpen));
  const chosen = id ?? list[0]?.id ?? null;
  return (
    <div class="alerts">
      <section class="list" aria-labelledby="alerts-title">
        <header class="bar">
          <h2 id="alerts-title">{all ? "All alerts" : "Open alerts"}</h2>
          <button type="button" aria-pressed={all} onClick={() => setQuery({ show: all ? null : "all" })}>{`show all ${value.alerts.length}`}</button>
        </header>
        {failure !== null && <Old why={failure} retry={again} />}
        {value.cut && <p class="note">{`There are more; the page has the first ${value.alerts.length}.`}</p>}
        {list.length === 0 && <NoAlerts page={value} />}
        <ul class="items">{list.map((alert) => <Entry key={alert.id} alert={alert} chosen={alert.id === chosen} query={query} />)}</ul>
        <Rules page={value} />
        <Channels />
      </section>
      {chosen !== null && <Detail key={chosen} id={chosen} {...look} />}
      {chosen === null && <History />}
    </div>
  );
}

function NoAlerts({ page }: { page: AlertPage }) {
  if (page.rules.length > 0) return <p class="calm"><StateMark state="ok" /> {`${page.rules.length} ${page.rules.length === 1 ? "rule watches" : "rules watch"}; nothing is wrong.`}</p>;
  return <Empty title="No rules"><p>A <code>[[rule]]</code> in weir.toml gives a level for each key; what is not ok is shown here.</p></Empty>;
}

function Entry({ alert, chosen, query }: { alert: AlertView; chosen: boolean; query: Record<string, string> }) {
  return (
    <li class={fires(alert) ? toneOf(alert.level) : ""}>
      <a class="card" href={hashOf("alerts", [alert.id], query)} aria-current={chosen ? "true" : undefined}>
        <div><span><StateMark state={alert.level} /> {wordsOf(alert)}</span> <time>{sinceText(alert)}</time></div>
        <strong>{alert.rule}</strong>
        <span>{alert.summary || (alert.value === null ? "" : `value ${short(alert.value)}`)}</span>
        <small>{[alert.triplet, labelsText(alert.labels)].filter(Boolean).join(", ")}</small>
      </a>
    </li>
  );
}

function Rules({ page }: { page: AlertPage }) {
  if (page.rules.length === 0) return null;
  return (
    <section aria-labelledby="rules-title">
      <h2 id="rules-title">Rules</h2>
      <table>
        <thead><tr><th scope="col">rule</th><th scope="col">state</th><th scope="col" class="number" title="what the rule has said of its keys so far">verdicts</th><th scope="col" class="number">alerts</th></tr></thead>
        <tbody>
          {page.rules.map((rule) => (
            <tr key={rule.id}>
              <th scope="row">{rule.id}</th><td><StateMark state={rule.failing ? "faulted" : "running"} /></td>
              <td class="number" title={exact(rule.words_total)}>{short(rule.words_total)}</td><td class="number">{rule.alerts}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Channels() {
  const { value } = usePolled(fetchChannels, POLL_MS);
  return (
    <section aria-labelledby="channels-title">
      <h2 id="channels-title">Channels</h2>
      {value !== null && value.length === 0 && <p class="quiet-text">None: nobody is told. A <code>[[channel]]</code> in weir.toml tells a webhook.</p>}
      {value !== null && value.length > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label="channels">
          <table>
            <thead><tr><th scope="col">channel</th><th scope="col" class="number">queued</th><th scope="col" class="number">sent</th><th scope="col" class="number">failed attempts</th><th scope="col" class="number">dropped</th></tr></thead>
            <tbody>
              {value.map((channel) => (
                <tr key={channel.name}>
                  <th scope="row" title={channel.url}>{channel.name}</th><td class="number">{channel.queued}</td><td class="number">{short(channel.sent_total)}</td>
                  <td class={channel.attempts_failed_total > 0 ? "number loud" : "number zero"}>{short(channel.attempts_failed_total)}</td>
                  <td class={channel.dropped_total > 0 ? "number loud" : "number zero"}>{short(channel.dropped_total)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Detail({ id, ...look }: Look & { id: string }) {
  const ask = useCallback(() => fetchAlert(id), [id]);
  const { value, failure, again } = usePolled(ask, POLL_MS);
  const charts = useReasons(value?.alert.rule ?? null, look.store);
  if (value === null) return failure === null ? <Skeleton label="waiting for the alert" tall /> : <Failed what="The alert could not be fetched" why={failure} retry={again} />;
  const { alert, episodes } = value;
  const notes = Object.entries(alert.annotations ?? {});
  return (
    <section class="detail" aria-labelledby="detail-title">
      {failure !== null && <Old why={failure} retry={again} />}
      <h2 id="detail-title"><StateMark state={alert.level} /> {alert.rule}</h2>
      <p class="lead">{alert.summary || "no word yet"}</p>
      <dl class="pairs">
        <div><dt>state</dt><dd>{`${wordsOf(alert)} ${sinceText(alert)}`}</dd></div>
        <div><dt>stream</dt><dd><a href={hashOf("streams", alert.triplet.split("/"))}>{alert.triplet}</a></dd></div>
        {alert.value !== null && <div><dt>value</dt><dd title={exact(alert.value)}>{short(alert.value)}</dd></div>}
        {Object.entries({ ...alert.labels, ...alert.extra_labels }).map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{String(value)}</dd></div>)}
        {notes.map(([name, text]) => <div key={name}><dt>{name}</dt><dd><Note text={text} /></dd></div>)}
      </dl>
      {charts === null && <Skeleton label="waiting for the charts" tall />}
      {charts !== null && charts.length > 0 && <div class="charts">{charts.map((entry) => <Chart key={entry.id} entry={entry} {...(charts.length === 1 ? { height: ONE_CHART_PX } : {})} {...look} />)}</div>}
      {charts?.length === 0 && <p class="quiet-text">No chart draws a series of the pipeline in which this rule stands.</p>}
      <h2>History</h2>
      <Episodes episodes={alert.episode ? [alert.episode, ...episodes.filter((one) => one.id !== alert.episode?.id)] : episodes} />
    </section>
  );
}

/** An annotation; what is an address of the web can be opened. */
function Note({ text }: { text: string }) {
  return /^https?:\/\/\S+$/.test(text) ? <a href={text} target="_blank" rel="noopener noreferrer">{text}</a> : <>{text}</>;
}

/** The charts over series of the pipeline that the rule is part of; those that share its unit come first. Null: not known yet. */
function useReasons(rule: string | null, store: Store): ChartEntry[] | null {
  const [metrics, setMetrics] = useState<string[] | null>(null);
  const charts = useCharts(store);
  useEffect(() => {
    let ended = false;
    let timer = 0;
    const look = async (named: string): Promise<void> => {
      const near: string[] = [];
      for (const pipeline of (await fetchRunning()).pipelines) {
        if (pipeline.units.some((unit) => unit.id === named)) near.push(...seriesNear(await fetchOutline(pipeline.name), named));
      }
      if (!ended) setMetrics(near);
    };
    // What could not be asked for is not known: it is asked for again, as long as the alert is shown.
    const tryLook = (named: string): void => void look(named).catch(() => {
      if (!ended) timer = window.setTimeout(() => tryLook(named), POLL_MS);
    });
    if (rule !== null) tryLook(rule.startsWith("rule/") ? rule : `rule/${rule}`);
    return () => {
      ended = true;
      window.clearTimeout(timer);
    };
  }, [rule]);
  if (metrics === null || charts === null) return null;
  const place = (chart: ChartEntry): number => metrics.indexOf(chart.metric ?? "");
  return charts.filter((chart) => place(chart) >= 0).sort((one, other) => place(one) - place(other)).slice(0, CHARTS_SHOWN);
}

/** The list of charts, which may come after the page. */
function useCharts(store: Store): ChartEntry[] | null {
  const [charts, setCharts] = useState(store.charts);
  useEffect(() => {
    const take = (): void => setCharts(store.charts);
    take();
    return store.listen("charts", take);
  }, [store]);
  return charts;
}

export function seriesNear(outline: Outline, rule: string): string[] {
  const on = outline.rules.find((one) => one.id === rule)?.on ?? "";
  return [...outline.series].sort((a, b) => Number(b.from.includes(on)) - Number(a.from.includes(on))).map((series) => series.metric);
}

function History() {
  const { value, failure, again } = usePolled(fetchEpisodes, POLL_MS);
  return (
    <section class="detail" aria-labelledby="history-title">
      <h2 id="history-title">History</h2>
      {failure !== null && (value === null ? <Failed what="Not fetched" why={failure} retry={again} /> : <Old why={failure} retry={again} />)}
      {value === null && failure === null && <Skeleton label="waiting for the history" />}
      {value !== null && <Episodes episodes={value} />}
    </section>
  );
}

function Episodes({ episodes }: { episodes: readonly EpisodeView[] }) {
  if (episodes.length === 0) return <p class="quiet-text">It has never fired since the start.</p>;
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="episodes">
      <table>
        <thead><tr><th scope="col">began</th><th scope="col">lasted</th><th scope="col">rule, key</th><th scope="col">worst</th><th scope="col">end</th></tr></thead>
        <tbody>
          {episodes.map((one) => (
            <tr key={one.id}>
              <td title={new Date(one.started_unix_ns / 1e6).toISOString()}>{clock(one.started_unix_ns / 1e6)}</td>
              <td>{duration(((one.ended_unix_ns ?? Date.now() * 1e6) - one.started_unix_ns) / 1e9)}</td>
              <td>{one.rule}<small>{labelsText(one.labels)}</small></td>
              <td><StateMark state={one.worst_level} /> {one.worst_value === null ? "" : short(one.worst_value)}</td>
              <td>{one.end ?? "goes on"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
