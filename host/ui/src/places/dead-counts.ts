// How many dead letters each unit has, for its badge. In: the running view; only units that had a fault or refused a row are asked for, UNITS_MAX at most.
// Out: counts by unit; empty of a host that has no such route, which is then not asked again.
import { useEffect, useRef, useState } from "preact/hooks";
import { fetchDead, Refused } from "../api";
import type { PipelinesView } from "../wire/messages";

const EVERY_MS = 3_000;
const UNITS_MAX = 16;

const NONE: ReadonlyMap<string, number> = new Map();

export function useDeadCounts(view: PipelinesView | null): ReadonlyMap<string, number> {
  const [counts, setCounts] = useState(NONE);
  const absent = useRef(false);
  const units = (view?.pipelines ?? []).flatMap((pipeline) => pipeline.units).filter((unit) => unit.faults_total + unit.rejected_total > 0).map((unit) => unit.id).slice(0, UNITS_MAX).join("\n");
  useEffect(() => {
    if (units === "") {
      setCounts(NONE);
      return undefined;
    }
    let ended = false;
    let timer = 0;
    const run = async (): Promise<void> => {
      if (!document.hidden && !absent.current) {
        const answers = await Promise.allSettled(units.split("\n").map(async (unit) => [unit, (await fetchDead({ unit, pipeline: null }, { limit: 1 })).total] as const));
        absent.current = answers.some((one) => one.status === "rejected" && one.reason instanceof Refused && one.reason.status === 404);
        if (!ended) setCounts(new Map(answers.flatMap((one) => (one.status === "fulfilled" && one.value[1] > 0 ? [one.value] : []))));
      }
      if (!ended && !absent.current) timer = window.setTimeout(() => void run(), EVERY_MS);
    };
    void run();
    return () => {
      ended = true;
      window.clearTimeout(timer);
    };
  }, [units]);
  return counts;
}
