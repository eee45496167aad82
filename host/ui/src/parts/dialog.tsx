// A modal dialog of the browser: focus stays inside, Esc and a click beside it close it, the focus goes back to where it was.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

export function Dialog({ label, kind, onClose, children }: { label: string; kind: string; onClose: () => void; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    const before = document.activeElement as HTMLElement | null;
    element?.showModal();
    return () => before?.focus();
  }, []);
  return (
    <dialog ref={dialog} class={kind} aria-label={label} onClose={onClose} onClick={(event) => event.target === dialog.current && dialog.current?.close()}>
      <div class="inside">{children}</div>
    </dialog>
  );
}
