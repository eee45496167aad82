// Pipelines: one table with every pipeline and its units, their rates, ns per event, lag and faults, and buttons that start, pause and stop.
import { useState } from "preact/hooks";
import { actOnPipeline, actOnUnit, fetchPipelines, type Action } from "../api";
import { bytes, duration, exact, short } from "../format";
import { Empty, Failed, Old, Skeleton } from "../parts/states";
import { StateMark } from "../parts/state-mark";
import { usePolled } from "../poll";
import type { PipelineView, UnitView } from "../wire/messages";

const POLL_MS = 1_000;

export function Pipelines() {
  const { value, failure, again } = usePolled(fetchPipelines, POLL_MS);
  const [refused, setRefused] = useState<string | null>(null);
  const act = (run: () => Promise<void>): void => {
    setRefused(null);
    run().then(again, (error: unknown) => setRefused(error instanceof Error ? error.message : String(error)));
  };
  if (value === null) {
    return failure === null ? <Skeleton label="waiting for the pipelines" tall /> : <Failed what="The pipelines could not be fetched" why={failure} retry={again} />;
  }
  if (value.length === 0) {
    return <Empty title="No pipelines"><p>Add a <code>[[pipeline]]</code> to weir.toml and start with <code>weir run --config weir.toml</code>.</p></Empty>;
  }
  return (
    <section aria-label="pipelines">
      {failure !== null && <Old why={failure} retry={again} />}
      {refused !== null && <Failed what="That was refused" why={refused} />}
      <div class="scroll" tabIndex={0} role="region" aria-label="pipelines and their units">
        <table class="pipelines">
          <thead>
            <tr>
              <th scope="col">pipeline, unit</th>
              <th scope="col">state</th>
              <th scope="col">component</th>
              <th scope="col" class="number" title="rows in, per second">rows/s</th>
              <th scope="col" class="number" title="rows in since the start">in</th>
              <th scope="col" class="number" title="rows out since the start">out</th>
              <th scope="col" class="number" title="time in the unit for each event">ns/event</th>
              <th scope="col" class="number">memory</th>
              <th scope="col" class="number" title="entries in the host's state tables">state</th>
              <th scope="col" class="number" title="rows after the watermark and lateness">late</th>
              <th scope="col" class="number" title="rows in the dead letters">rejected</th>
              <th scope="col" class="number">faults</th>
              <th scope="col">change</th>
            </tr>
          </thead>
          {value.map((pipeline) => <Pipeline key={pipeline.name} pipeline={pipeline} act={act} />)}
        </table>
      </div>
    </section>
  );
}

type Act = (run: () => Promise<void>) => void;

function Pipeline({ pipeline, act }: { pipeline: PipelineView; act: Act }) {
  return (
    <tbody>
      <tr class="pipeline">
        <th scope="row">
          {pipeline.name}
          <small>{`from ${pipeline.from.join(", ")}`}</small>
        </th>
        <td><StateMark state={pipeline.state} /></td>
        <td colSpan={10}><Lag pipeline={pipeline} /></td>
        <td><Buttons name={pipeline.name} state={pipeline.state} on={(action) => act(() => actOnPipeline(pipeline.name, action))} /></td>
      </tr>
      {pipeline.units.map((unit) => <Unit key={unit.id} pipeline={pipeline.name} unit={unit} act={act} />)}
    </tbody>
  );
}

function Lag({ pipeline }: { pipeline: PipelineView }) {
  const { lag_s, lag_records, lag_bytes, skipped_total } = pipeline;
  return (
    <span class={lag_s > 3 ? "lag loud" : "lag"} title={`${exact(lag_bytes)} bytes, ${exact(lag_s)} s`}>
      {lag_records === 0 ? "no lag" : `lags ${duration(lag_s)}, ${short(lag_records)} records, ${bytes(lag_bytes)}`}
      {skipped_total > 0 && `, ${short(skipped_total)} records skipped`}
    </span>
  );
}

function Unit({ pipeline, unit, act }: { pipeline: string; unit: UnitView; act: Act }) {
  const name = unit.id.startsWith(`${pipeline}/`) ? unit.id.slice(pipeline.length + 1) : unit.id;
  return (
    <tr>
      <th scope="row" class="unit" title={unit.to.length > 0 ? `goes to ${unit.to.join(", ")}` : unit.id}>{name}</th>
      <td><StateMark state={unit.state} /></td>
      <td title={unit.digest}>{unit.component}{unit.component !== unit.kind && <small>{unit.kind}</small>}</td>
      <Number value={unit.rows_per_s} />
      <Number value={unit.rows_in_total} />
      <Number value={unit.rows_out_total} />
      <Number value={unit.ns_per_event} />
      <td class="number" title={`${exact(unit.memory_bytes)} bytes`}>{bytes(unit.memory_bytes)}</td>
      <Number value={unit.state_entries} />
      <Number value={unit.late_total} />
      <Number value={unit.rejected_total} loud={unit.rejected_total > 0} />
      <Number value={unit.faults_total} loud={unit.faults_total > 0} />
      <td><Buttons name={unit.id} state={unit.state} on={(action) => act(() => actOnUnit(pipeline, unit.id, action))} /></td>
    </tr>
  );
}

function Number({ value, loud }: { value: number; loud?: boolean }) {
  return <td class={loud ? "number loud" : value === 0 ? "number zero" : "number"} title={exact(value)}>{short(value)}</td>;
}

const DONE: Record<Action, string> = { start: "running", pause: "paused", stop: "stopped" };

function Buttons({ name, state, on }: { name: string; state: string; on: (action: Action) => void }) {
  return (
    <span class="buttons">
      {(["start", "pause", "stop"] as const).map((action) => (
        <button key={action} type="button" disabled={DONE[action] === state} aria-label={`${action} ${name}`} onClick={() => on(action)}>{action}</button>
      ))}
    </span>
  );
}
