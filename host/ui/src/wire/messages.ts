// The shapes of docs/wire.md: headers of binary frames, text frames, answers of /api/. Types only.
// Names are those of the wire; times are nanoseconds or milliseconds since 1970 as the name says.

export type ColumnType = "f64" | "time" | "text" | "bool";

export interface ColumnHeader {
  name: string;
  type: ColumnType;
  offset: number;
  bytes: number;
  valid_offset: number | null;
  names?: string[];
}

export interface TableHeader {
  name: string;
  rows: number;
  drop: number;
  keep: number;
  columns: ColumnHeader[];
}

export interface Axis {
  name: string;
  label: string;
  measure: string;
  scale: string;
}

export interface Binding {
  role: string;
  column: string;
  axis: string | null;
}

export interface Mark {
  shape: string;
  table: string;
  label: string;
  bindings: Binding[];
  estimated: boolean;
  stack: string;
  extras?: Record<string, string | number>;
}

export interface Gap {
  table: string;
  start_ms: number;
  end_ms: number;
  label: string;
}

export interface Description {
  title: string;
  summary: string;
  axes: Axis[];
  marks: Mark[];
  gaps: Gap[];
  extras?: Record<string, string | number>;
}

export interface FrameHeader {
  chart: string;
  epoch: number;
  version: number;
  merged: number;
  newest_unix_ns: number | null;
  sent_unix_ns: number;
  kind: "snapshot" | "delta";
  description?: Description;
  tables: TableHeader[];
}

export interface ChartEntry {
  id: string;
  title: string;
  component?: string;
  metric?: string;
}

export interface EventRow {
  time: string;
  position: number;
  row: number;
  fields: Record<string, unknown>;
}

/** Text frames of the host; exactly one of the fields is there. */
export interface HostText {
  hello?: { version: string; epoch: number; charts: ChartEntry[] };
  changed?: string;
  chart_error?: { chart: string; message: string };
  tail?: string;
  events?: EventRow[];
  skipped?: number;
  /** What the host could not understand of what the page said. */
  error?: { code: string; message: string };
}

export interface StreamView {
  triplet: string;
  events_total: number;
  bytes_total: number;
  rejected_total?: number;
  events_per_s: number;
  late_total: number;
  future_total: number;
  last_event_time_unix_ns: number | null;
  watermark_unix_ns: number | null;
  columns: { name: string; type: string }[];
  schema_changes_total: number;
  derived: boolean;
}

export interface UnitView {
  id: string;
  component: string;
  digest: string;
  kind: string;
  state: string;
  rows_in_total: number;
  rows_out_total: number;
  calls_total: number;
  busy_ns_total: number;
  rows_per_s: number;
  ns_per_event: number;
  memory_bytes: number;
  faults_total: number;
  rejected_total: number;
  late_total: number;
  state_entries: number;
  to: string[];
}

export interface PipelineView {
  name: string;
  from: string[];
  flow: string;
  state: string;
  lag_bytes: number;
  lag_records: number;
  lag_s: number;
  skipped_total: number;
  units: UnitView[];
}

export interface AlertView {
  rule: string;
  triplet: string;
  labels: Record<string, unknown>;
  level: string;
  /** Null where it is no number. */
  value: number | null;
  since_unix_ns: number;
  summary: string;
  /** ok, pending, firing, recovering */
  state: string;
  /** fresh, stale, absent, failing: whether the level is known now. */
  beside: string;
  flapping: boolean;
}

export interface FaultView {
  at: string;
  unit: string;
  digest: string;
  call: string;
  kind: string;
  message: string;
  frames: string[];
  position: number;
  rows: number;
}
