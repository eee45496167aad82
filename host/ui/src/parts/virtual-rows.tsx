// A table of very many rows of one height: only those that can be seen are elements, the others are room above and below.
// In: the head, how many rows, and a function that makes one. Out: a scrolling region; the place of each row is said to assistive technology.
// Rows that come in above do not move what is read: where the table is not at its top, it stays at the same row (`firstKey` names the row on top).
import type { ComponentChildren, VNode } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

export const ROW_PX = 24;
const OVER = 8;

interface Rows {
  label: string;
  head: ComponentChildren;
  count: number;
  columns: number;
  /** Index of the row of this key now; -1 where it is gone. */
  indexOf: (key: string) => number;
  keyOf: (index: number) => string;
  row: (index: number) => VNode;
}

export function VirtualRows({ label, head, count, columns, indexOf, keyOf, row }: Rows) {
  const place = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  const topKey = useRef<string | null>(null);
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const resize = new ResizeObserver(() => setView((old) => ({ ...old, height: element.clientHeight })));
    resize.observe(element);
    return () => resize.disconnect();
  }, []);
  useLayoutEffect(() => {
    const element = place.current;
    if (element === null || element.scrollTop < ROW_PX || topKey.current === null) return;
    const now = indexOf(topKey.current);
    const was = Math.floor(element.scrollTop / ROW_PX);
    if (now > was) element.scrollTop += (now - was) * ROW_PX;
  });
  const first = Math.max(0, Math.min(count, Math.floor(view.top / ROW_PX)) - OVER);
  const last = Math.min(count, Math.ceil((view.top + view.height) / ROW_PX) + OVER);
  const scrolled = (): void => {
    const top = place.current?.scrollTop ?? 0;
    const at = Math.floor(top / ROW_PX);
    topKey.current = at < count ? keyOf(at) : null;
    setView((old) => (Math.abs(old.top - top) >= ROW_PX ? { ...old, top } : old));
  };
  return (
    <div class="scroll virtual" ref={place} tabIndex={0} role="region" aria-label={label} onScroll={scrolled}>
      <table aria-rowcount={count + 1}>
        <thead>{head}</thead>
        <tbody>
          {first > 0 && <tr aria-hidden="true" class="room"><td colSpan={columns} style={{ height: `${first * ROW_PX}px` }} /></tr>}
          {Array.from({ length: Math.max(0, last - first) }, (_, index) => row(first + index))}
          {last < count && <tr aria-hidden="true" class="room"><td colSpan={columns} style={{ height: `${(count - last) * ROW_PX}px` }} /></tr>}
        </tbody>
      </table>
    </div>
  );
}
