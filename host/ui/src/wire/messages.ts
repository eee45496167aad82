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
  extras?: Record<string, string | number>;
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

/** A point that came late, or a counter that began anew; `label`: of which series, and how late. */
export interface Moment {
  kind: "late" | "reset" | (string & {});
  time_ms: number;
  label: string;
}

export interface Description {
  title: string;
  summary: string;
  axes: Axis[];
  marks: Mark[];
  gaps: Gap[];
  /** Left out: none. */
  moments?: Moment[];
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
  /** Letters that are there now. */
  dead_letters: number;
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
  /** What was missing in the journal when it was replayed through this pipeline. Not there from older hosts. */
  holes?: HoleView[];
  units: UnitView[];
}

export interface HoleView {
  from: number;
  to: number;
  start_unix_ns: number;
  end_unix_ns: number | null;
  label: string;
}

export interface AlertView {
  id: string;
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
  extra_labels?: Record<string, unknown>;
  annotations?: Record<string, string>;
  word_position?: number;
  episode?: EpisodeView | null;
}

export interface EpisodeView {
  id: string;
  alert: string;
  rule: string;
  triplet: string;
  labels: Record<string, unknown>;
  start_position: number;
  started_unix_ns: number;
  end_position: number | null;
  ended_unix_ns: number | null;
  end: string | null;
  worst_level: string;
  worst_value: number | null;
  worst_summary: string;
}

export interface RuleView {
  id: string;
  failing: boolean;
  words_total: number;
  alerts: number;
}

export interface AlertPage {
  alerts: AlertView[];
  cut: boolean;
  rules: RuleView[];
}

export interface ChannelView {
  name: string;
  url: string;
  queued: number;
  sent_total: number;
  attempts_failed_total: number;
  refused_total: number;
  dropped_total: number;
}

export interface PipelinesView {
  revision: number;
  pipelines: PipelineView[];
  /** Of all units, also of those that are gone. */
  dead_letters: number;
}

export interface PortView {
  name: string;
  summary: string;
  to: string[];
}

/** A unit or a rule as it is configured. */
export interface OutlineUnit {
  name: string;
  id: string;
  use: string;
  from?: string[];
  /** Of a rule. */
  on?: string;
  config: Record<string, unknown>;
  kind: string;
  state: string;
  ports?: PortView[];
}

export interface Outline {
  revision: number;
  name: string;
  from: string[];
  state: string;
  units: OutlineUnit[];
  rules: OutlineUnit[];
  series: { metric: string; from: string[]; labels: string[]; fields: string[]; keep_points: number }[];
  streams: { triplet: string; from: string[] }[];
}

export interface ComponentView {
  name: string;
  version: string;
  kind: string;
  digest: string;
  bytes: number;
  summary: string;
  imports: string[];
  used_by: string[];
}

/** The part of JSON Schema that components use. */
export interface Schema {
  type?: string | string[];
  title?: string;
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  enum?: unknown[];
  default?: unknown;
  examples?: unknown[];
  additionalProperties?: boolean | Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  minimum?: number;
  maximum?: number;
  pattern?: string;
  format?: string;
  const?: unknown;
  $ref?: string;
}

export interface ComponentDetail {
  component: ComponentView;
  config_schema: Schema;
}

/** Rows that a unit could not take, kept to be replayed; what is said of one is said of the first. */
export interface DeadLetter {
  id: string;
  unit: string;
  pipeline: string;
  digest: string;
  code: string;
  message: string;
  position: number;
  row: number;
  rows: number;
  /** RFC 3339. */
  time: string;
  /** application/environment/type */
  stream: string;
  /** Null: timers, which have none. */
  fields: Record<string, unknown> | null;
  /** How often the unit was given it. */
  attempts: number;
  replayable: boolean;
  /** Why not, where it is not. */
  why?: string;
}

export interface LetterRow {
  row: number;
  /** RFC 3339, of the event. */
  time: string;
  fields: Record<string, unknown>;
}

export interface DeadPage {
  total: number;
  rows: number;
  letters: DeadLetter[];
}

export interface RevisionView {
  revision: number;
  position: number;
  at: string;
  origin: string;
  summary: string;
  bytes: number;
}

export interface Problem {
  place: string;
  message: string;
  line?: number;
  column?: number;
}

/** What one unit did with one event. */
export interface Verdict {
  id: string;
  component: string;
  kind: string;
  verdict: "kept" | "changed" | "dropped" | "taken-in" | "rejected" | "faulted" | "not-reached";
  rows_in: number;
  rows_out: number;
  message: string | null;
  ports: { name: string; rows_total: number; rows: Record<string, unknown>[] }[];
}

export interface Trace {
  triplet: string;
  position: number;
  row: number;
  event: Record<string, unknown>;
  pipelines: { name: string; units: Verdict[] }[];
  left_out: number;
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
