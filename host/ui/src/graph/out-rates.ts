// Rows out per second of each unit, which the host does not say: the difference of its counter between two looks.
// A counter that fell (the program was started again) gives no rate until the next look. Units that are gone are forgotten.
import type { PipelineView } from "../wire/messages";

export class OutRateMeter {
  rates = new Map<string, number>();
  private last = new Map<string, number>();
  private last_ms = 0;

  look(pipelines: readonly PipelineView[], now_ms: number): void {
    const elapsed_s = (now_ms - this.last_ms) / 1_000;
    const totals = new Map(pipelines.flatMap((pipeline) => pipeline.units.map((unit) => [unit.id, unit.rows_out_total] as const)));
    const rates = new Map<string, number>();
    for (const [id, total] of totals) {
      const before = this.last.get(id);
      if (before !== undefined && total >= before && elapsed_s > 0) rates.set(id, (total - before) / elapsed_s);
    }
    this.rates = rates;
    this.last = totals;
    this.last_ms = now_ms;
  }
}
