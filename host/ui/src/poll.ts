// Asks for something again and again while a component is shown. Keeps the last answer when a later call fails, and says so.
// Failing calls are tried less often, up to RETRY_MAX_MS; a hidden page asks nothing.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";

const RETRY_MAX_MS = 10_000;

export interface Polled<T> {
  value: T | null;
  failure: string | null;
  again: () => void;
}

const AT_ONCE = Promise.resolve();

/** `ask` must be the same function at each call (a module's function or a memo). `from`: not before. */
export function usePolled<T>(ask: () => Promise<T>, every_ms: number, from: Promise<void> = AT_ONCE): Polled<T> {
  const [value, setValue] = useState<T | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const now = useRef<() => void>(() => undefined);
  useEffect(() => {
    let timer = 0;
    let ended = false;
    let failures = 0;
    let asked = 0;
    // What was asked before a later question is old, whenever its answer comes: only the last question is answered and asked anew.
    const run = async (): Promise<void> => {
      window.clearTimeout(timer);
      const mine = (asked += 1);
      const isOld = (): boolean => ended || mine !== asked;
      if (!document.hidden) {
        try {
          const answer = await ask();
          if (isOld()) return;
          failures = 0;
          setValue(answer);
          setFailure(null);
        } catch (error) {
          if (isOld()) return;
          failures += 1;
          setFailure(error instanceof Error ? error.message : String(error));
        }
      }
      timer = window.setTimeout(() => void run(), Math.min(RETRY_MAX_MS, every_ms * 2 ** Math.min(failures, 5)));
    };
    now.current = () => void run();
    void from.then(() => (ended ? undefined : run()));
    return () => {
      ended = true;
      window.clearTimeout(timer);
    };
  }, [ask, every_ms, from]);
  return { value, failure, again: useCallback(() => now.current(), []) };
}
