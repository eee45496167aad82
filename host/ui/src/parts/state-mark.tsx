// The state of a pipeline, unit or alert: colour, shape and word, so that no one of them has to be seen.
import type { PipelineView } from "../wire/messages";

const SHAPES: Record<string, { shape: string; tone: string }> = {
  running: { shape: "●", tone: "good" },
  paused: { shape: "‖", tone: "warn" },
  stopped: { shape: "■", tone: "off" },
  faulted: { shape: "▲", tone: "bad" },
  "open-circuit": { shape: "▲", tone: "bad" },
  ok: { shape: "●", tone: "good" },
  critical: { shape: "▲", tone: "bad" },
  warning: { shape: "◆", tone: "warn" },
};

/** A faulted unit makes its pipeline faulted: the glance from across the room must not miss it. */
export function worst(pipeline: PipelineView): string {
  const states = [pipeline.state, ...pipeline.units.map((unit) => unit.state)];
  return ["faulted", "open-circuit", "stopped", "paused"].find((state) => states.includes(state)) ?? pipeline.state;
}

export const toneOf = (state: string): string => SHAPES[state]?.tone ?? "off";
export const shapeOf = (state: string): string => SHAPES[state]?.shape ?? "○";

export function StateMark({ state }: { state: string }) {
  return (
    <span class={`state ${toneOf(state)}`}>
      <i aria-hidden="true">{shapeOf(state)}</i> {state}
    </span>
  );
}
