// What the overview and the place of the alerts say of one in the same words, and the order in which they stand.
import { duration } from "../format";
import type { AlertView } from "../wire/messages";

export const fires = (alert: AlertView): boolean => alert.state === "firing" || alert.state === "recovering";
/** Not ok, or not known now. */
export const isOpen = (alert: AlertView): boolean => alert.state !== "ok" || alert.beside !== "fresh";
const severity = (alert: AlertView): number => (alert.level === "critical" ? 0 : alert.level === "warning" ? 1 : 2);
export const inOrder = (alerts: readonly AlertView[]): AlertView[] =>
  [...alerts].sort((a, b) => Number(fires(b)) - Number(fires(a)) || severity(a) - severity(b) || b.since_unix_ns - a.since_unix_ns);
export const labelsText = (labels: Record<string, unknown>): string => Object.entries(labels).map(([name, value]) => `${name} ${String(value)}`).join(", ");
/** Beside the level: "pending", "firing, stale", "firing, flapping". */
export const wordsOf = (alert: AlertView): string => [alert.state, alert.beside === "fresh" ? "" : alert.beside, alert.flapping ? "flapping" : ""].filter(Boolean).join(", ");
export const sinceText = (alert: AlertView): string => `for ${duration((Date.now() - alert.since_unix_ns / 1e6) / 1_000)}`;
