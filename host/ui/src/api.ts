// Calls of /api/ (docs/wire.md). Out: parsed answers. Errors: Refused, whose message is the host's own (with all problems of a configuration), or an
// Error that says that the host did not answer. Changes are marked as coming from the page and are refused where the revision has moved on.
import type {
  AlertPage, AlertView, ChannelView, ChartEntry, ComponentDetail, ComponentView, DeadLetter, DeadPage, EpisodeView, EventRow, FaultView, LetterRow, Outline, PipelinesView, PipelineView,
  Problem, RevisionView, StreamView, Trace,
} from "./wire/messages";

const TIMEOUT_MS = 8_000;
/** The first time that a new host is asked for its components it compiles those that nothing uses yet; a slow machine takes long. */
const COMPILING_MS = 120_000;

interface Ask {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** An object goes as JSON, a text as it is. */
  body?: unknown;
  /** Only if this revision still runs. */
  revision?: number;
  timeout_ms?: number;
}

/** The host said no. */
export class Refused extends Error {
  constructor(message: string, readonly status: number, readonly code: string, readonly problems: Problem[]) {
    super(message);
  }
}

async function ask(path: string, { method = "GET", body, revision, timeout_ms = TIMEOUT_MS }: Ask): Promise<Response> {
  const headers: Record<string, string> = { "weir-origin": "page" };
  if (body !== undefined) headers["content-type"] = typeof body === "string" ? "application/toml" : "application/json";
  if (revision !== undefined) headers["if-match"] = `"${revision}"`;
  const sent = body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) };
  let response: Response;
  try {
    response = await fetch(path, { method, headers, signal: AbortSignal.timeout(timeout_ms), cache: "no-store", ...sent });
  } catch (error) {
    const late = error instanceof DOMException && error.name === "TimeoutError";
    throw new Error(late ? `no answer from the host within ${timeout_ms / 1000} s` : "the host cannot be reached");
  }
  if (response.ok) return response;
  const said = (await response.json().catch(() => null)) as { error?: { message?: string; code?: string }; problems?: Problem[] } | null;
  throw new Refused(said?.error?.message ?? `the host answered ${response.status} to ${path}`, response.status, said?.error?.code ?? "", said?.problems ?? []);
}

const call = async <T>(path: string, how: Ask = {}): Promise<T> => (await (await ask(path, how)).json()) as T;

export type Action = "start" | "pause" | "stop";
const part = encodeURIComponent;
const triplets = (triplet: string): string => triplet.split("/").map(part).join("/");
/** `unit` is its name in the pipeline or its id "pipeline/unit". */
export const shortName = (pipeline: string, unit: string): string => (unit.startsWith(`${pipeline}/`) ? unit.slice(pipeline.length + 1) : unit);
const unitPath = (pipeline: string, unit: string): string => `/api/pipelines/${part(pipeline)}/units/${part(shortName(pipeline, unit))}`;

export const fetchStreams = async (): Promise<StreamView[]> => (await call<{ streams: StreamView[] }>("/api/streams")).streams;
export const fetchPipelines = async (): Promise<PipelineView[]> => (await call<PipelinesView>("/api/pipelines")).pipelines;
export const fetchRunning = (): Promise<PipelinesView> => call("/api/pipelines");
export const fetchOutline = (pipeline: string): Promise<Outline> => call(`/api/pipelines/${part(pipeline)}`);
export const fetchCharts = async (): Promise<ChartEntry[]> => (await call<{ charts: ChartEntry[] }>("/api/charts")).charts;
export const fetchAlerts = async (): Promise<AlertView[]> => (await call<AlertPage>("/api/alerts")).alerts;
export const fetchAllAlerts = (): Promise<AlertPage> => call("/api/alerts?state=all");
export const fetchAlert = (id: string): Promise<{ alert: AlertView; episodes: EpisodeView[] }> => call(`/api/alerts/${part(id)}`);
export const fetchEpisodes = async (): Promise<EpisodeView[]> => (await call<{ episodes: EpisodeView[] }>("/api/episodes?limit=100")).episodes;
export const fetchChannels = async (): Promise<ChannelView[]> => (await call<{ channels: ChannelView[] }>("/api/channels")).channels;
export const fetchFaults = async (): Promise<FaultView[]> => (await call<{ faults: FaultView[] }>("/api/faults")).faults;
/** Of one unit, of a pipeline, or of all. */
export interface DeadScope {
  unit: string | null;
  pipeline: string | null;
}

export interface DeadDone {
  done: number;
  /** The first of them. */
  refused: { id: string; why: string }[];
  refused_total: number;
  /** Of those that were given back: older than the watermark by now. */
  late_rows?: number;
}

/** Newest first; `before`: those that are older than this one. */
export function fetchDead(scope: DeadScope, { code = null, before = null, limit }: { code?: string | null; before?: string | null; limit: number }): Promise<DeadPage> {
  const query = new URLSearchParams({ limit: String(limit) });
  for (const [name, value] of Object.entries({ ...scope, code, before })) if (value !== null) query.set(name, value);
  return call(`/api/dead?${query.toString()}`);
}

/** One letter with all its rows. */
export const fetchLetter = (id: string): Promise<DeadLetter & { events: LetterRow[] }> => call(`/api/dead/${part(id)}`);
export const replayDead = (which: { ids: string[] } | { unit: string }): Promise<DeadDone> => call("/api/dead/replay", { method: "POST", body: which });
export const dropDead = (which: { ids: string[] } | { unit: string }): Promise<DeadDone> => call("/api/dead/drop", { method: "POST", body: which });

/** What is ready now, and how many are being compiled (a new host does that once, in the background). */
export const fetchReadyComponents = (): Promise<{ components: ComponentView[]; compiling: number }> => call("/api/components?wait=false", { timeout_ms: COMPILING_MS });
export const fetchComponents = async (): Promise<ComponentView[]> => (await call<{ components: ComponentView[] }>("/api/components", { timeout_ms: COMPILING_MS })).components;
/** With the schema of its configuration; of a host that does not tell it, an empty one (its configuration is then written as JSON). */
export async function fetchComponent(name: string): Promise<ComponentDetail> {
  try {
    return await call<ComponentDetail>(`/api/components/${part(name)}`, { timeout_ms: COMPILING_MS });
  } catch (error) {
    const component = error instanceof Refused && error.status === 404 ? (await fetchComponents()).find((one) => one.name === name) : undefined;
    if (component === undefined) throw error;
    return { component, config_schema: {} };
  }
}
export const fetchRevisions = async (): Promise<RevisionView[]> => (await call<{ revisions: RevisionView[] }>("/api/configuration/revisions")).revisions;
export const fetchDiff = async (from: number, to: number): Promise<string> => (await call<{ unified: string }>(`/api/configuration/diff?from=${from}&to=${to}`)).unified;

export async function fetchRecent(triplet: string, limit: number, where = ""): Promise<EventRow[]> {
  const filter = where.trim() === "" ? "" : `&where=${part(where)}`;
  return (await call<{ events: EventRow[] }>(`/api/streams/${triplets(triplet)}/recent?limit=${limit}${filter}`)).events;
}

export const traceEvent = (triplet: string, event: EventRow): Promise<Trace> =>
  call("/api/trace", { method: "POST", body: { triplet, position: event.position, row: event.row } });

export async function actOnPipeline(pipeline: string, action: Action): Promise<void> {
  await call(`/api/pipelines/${part(pipeline)}/${action}`, { method: "POST" });
}

export async function actOnUnit(pipeline: string, unit: string, action: Action): Promise<void> {
  await call(`${unitPath(pipeline, unit)}/${action}`, { method: "POST" });
}

export interface Edited {
  revision: number;
  position: number;
  summary: string;
  warnings: Problem[];
}

export const injectUnit = (pipeline: string, body: { name: string; use: string; config: unknown; after: string }, revision: number): Promise<Edited> =>
  call(`/api/pipelines/${part(pipeline)}/units`, { method: "POST", body, revision });
export const changeUnit = (pipeline: string, unit: string, config: unknown, revision: number): Promise<Edited> =>
  call(unitPath(pipeline, unit), { method: "PATCH", body: { config }, revision });
export const removeUnit = (pipeline: string, unit: string, drop: boolean, revision: number): Promise<Edited> =>
  call(`${unitPath(pipeline, unit)}${drop ? "?drop=true" : ""}`, { method: "DELETE", revision });
export const undoTo = (revision: number | null, running: number): Promise<Edited> =>
  call(`/api/configuration/undo${revision === null ? "" : `?to=${revision}`}`, { method: "POST", revision: running });

/** The text of the running configuration and its revision. */
export async function fetchConfiguration(): Promise<{ text: string; revision: number }> {
  const response = await ask("/api/configuration", {});
  return { text: await response.text(), revision: Number((response.headers.get("etag") ?? "").replaceAll('"', "")) };
}

/** Where lines of JSON are taken in, unless it is configured otherwise. */
export const TCP_USUAL = { name: "127.0.0.1", port: "7171" };

/** Of the first TCP source that is configured; one that listens on all addresses is reached by the loopback one. */
export async function fetchTcpAddress(): Promise<typeof TCP_USUAL> {
  const { text } = await fetchConfiguration();
  const source = text.split(/^\[\[?/m).find((table) => /^source\]\]/.test(table) && /^\s*kind\s*=\s*"tcp"/m.test(table));
  const [, name = "", port = ""] = /^\s*listen\s*=\s*"(.*):(\d+)"/m.exec(source ?? "") ?? [];
  return port === "" ? TCP_USUAL : { name: /^(0\.0\.0\.0|\[::\])$/.test(name) ? TCP_USUAL.name : name, port };
}

export const putConfiguration = (text: string, summary: string, revision: number): Promise<Edited> =>
  call(`/api/configuration?summary=${part(summary)}`, { method: "PUT", body: text, revision });
export const checkConfiguration = (text: string): Promise<{ problems: Problem[]; warnings: Problem[] }> =>
  call("/api/configuration/check", { method: "POST", body: text });

/** A `[[metric]]` as JSON. */
export interface MetricWish {
  name: string;
  from: string[];
  where?: string;
  key: string[];
  value?: string;
  rollup: { window: string; is: string[] }[];
  chart: { title: string; use: string; config: Record<string, unknown> };
}

export interface MetricPreview {
  toml: string;
  warnings: Problem[];
  events: number;
  rows: number;
  elapsed_ms: number;
  cut: boolean;
  series: { metric: string; triplet: string; labels: Record<string, unknown>; fields: string[]; time_unix_ns: number[]; values: Record<string, (number | null)[]>; open: number }[];
  faults: { unit: string; message: string }[];
}

export const previewMetric = (wish: MetricWish): Promise<MetricPreview> => call("/api/metrics/preview?limit=600", { method: "POST", body: wish });
export const makeMetric = (wish: MetricWish): Promise<Edited> => call("/api/metrics", { method: "POST", body: wish });
