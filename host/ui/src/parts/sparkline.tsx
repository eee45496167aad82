// The last values of one number as a line without axes: a trend beside the number that names it.
export function Sparkline({ values, label }: { values: readonly number[]; label: string }) {
  const [width, height] = [56, 16];
  const most = Math.max(1e-9, ...values);
  const points = values.map((value, index) => `${((index / Math.max(1, values.length - 1)) * width).toFixed(1)} ${(height - 1 - (value / most) * (height - 3)).toFixed(1)}`);
  return (
    <svg class="spark" width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
      {values.length > 1 && <path class="under" d={`M${points.join("L")}V${height}H0Z`} />}
      {values.length > 1 && <path d={`M${points.join("L")}`} />}
    </svg>
  );
}

const KEPT = 60;

/** Keeps what was seen of many numbers while a place is open. */
export class Trends {
  private readonly known = new Map<string, number[]>();

  add(entries: readonly (readonly [string, number])[]): void {
    const names = new Set(entries.map(([name]) => name));
    for (const name of this.known.keys()) if (!names.has(name)) this.known.delete(name);
    for (const [name, value] of entries) this.known.set(name, [...(this.known.get(name) ?? []), value].slice(-KEPT));
  }

  of(name: string): readonly number[] {
    return this.known.get(name) ?? [];
  }
}
