// The categorical palette and which series has which colour.
// Eight colours a theme: at least 3:1 against its surface and told apart under protanopia and deuteranopia (test/colours.test.ts checks both).
// A series keeps its colour on every chart: the colour belongs to its label. A new label takes the first slot that no other label of its chart
// has, and keeps it from then on; so the colours that differ most (the first four) are used most.

export const PALETTE_LIGHT = ["#0a55b5", "#de4a10", "#1d9b8f", "#8e1a62", "#857a48", "#6f5bf0", "#4f93e4", "#3b3d26"] as const;
export const PALETTE_DARK = ["#6f9dff", "#ff7a3a", "#10a88f", "#edbef6", "#f2cb3a", "#8762dd", "#d6f5ee", "#6c7683"] as const;
export const SLOTS = PALETTE_LIGHT.length;

const slots = new Map<string, number>();
/** Labels come from data: beyond this many the map starts anew rather than growing without end. */
const LABELS_MAX = 4_096;

/** One slot for each label of a chart, in their order. Beyond eight labels slots repeat; the caller varies the dash. */
export function slotsOf(labels: readonly string[]): number[] {
  if (slots.size + labels.length > LABELS_MAX) slots.clear();
  const taken = new Set<number>();
  for (const label of labels) {
    const slot = slots.get(label);
    if (slot !== undefined) taken.add(slot);
  }
  return labels.map((label) => {
    const known = slots.get(label);
    if (known !== undefined) return known;
    const slot = freeSlot(slots.size % SLOTS, taken);
    taken.add(slot);
    slots.set(label, slot);
    return slot;
  });
}

/** Where all are taken: `otherwise`. */
function freeSlot(otherwise: number, taken: ReadonlySet<number>): number {
  for (let slot = 0; slot < SLOTS; slot++) {
    if (!taken.has(slot)) return slot;
  }
  return otherwise;
}

export function colour(slot: number, dark: boolean): string {
  return (dark ? PALETTE_DARK : PALETTE_LIGHT)[slot % SLOTS] ?? PALETTE_LIGHT[0];
}
