// Calls of /api/ (docs/wire.md). Out: parsed answers. Errors: Error whose message is the host's own, or says that the host did not answer.
import type { AlertView, ChartEntry, EventRow, FaultView, PipelineView, StreamView } from "./wire/messages";

const TIMEOUT_MS = 8_000;

async function call<T>(path: string, method: "GET" | "POST" = "GET"): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, { method, signal: AbortSignal.timeout(TIMEOUT_MS), cache: "no-store" });
  } catch (error) {
    const late = error instanceof DOMException && error.name === "TimeoutError";
    throw new Error(late ? `no answer from the host within ${TIMEOUT_MS / 1000} s` : "the host cannot be reached");
  }
  const body: unknown = await response.json().catch(() => null);
  if (!response.ok) {
    const said = (body as { error?: { message?: string } } | null)?.error?.message;
    throw new Error(said ?? `the host answered ${response.status} to ${path}`);
  }
  return body as T;
}

export type Action = "start" | "pause" | "stop";

export const fetchStreams = async (): Promise<StreamView[]> => (await call<{ streams: StreamView[] }>("/api/streams")).streams;
export const fetchPipelines = async (): Promise<PipelineView[]> => (await call<{ pipelines: PipelineView[] }>("/api/pipelines")).pipelines;
export const fetchCharts = async (): Promise<ChartEntry[]> => (await call<{ charts: ChartEntry[] }>("/api/charts")).charts;
export const fetchAlerts = async (): Promise<AlertView[]> => (await call<{ alerts: AlertView[] }>("/api/alerts")).alerts;
export const fetchFaults = async (): Promise<FaultView[]> => (await call<{ faults: FaultView[] }>("/api/faults")).faults;

export async function fetchRecent(triplet: string, limit: number): Promise<EventRow[]> {
  const path = triplet.split("/").map(encodeURIComponent).join("/");
  return (await call<{ events: EventRow[] }>(`/api/streams/${path}/recent?limit=${limit}`)).events;
}

export async function actOnPipeline(pipeline: string, action: Action): Promise<void> {
  await call(`/api/pipelines/${encodeURIComponent(pipeline)}/${action}`, "POST");
}

/** `unit` is its name in the pipeline or its id "pipeline/unit". */
export async function actOnUnit(pipeline: string, unit: string, action: Action): Promise<void> {
  const name = unit.startsWith(`${pipeline}/`) ? unit.slice(pipeline.length + 1) : unit;
  await call(`/api/pipelines/${encodeURIComponent(pipeline)}/units/${encodeURIComponent(name)}/${action}`, "POST");
}
