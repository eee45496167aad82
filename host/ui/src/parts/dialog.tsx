// A modal dialog of the browser: focus stays inside, Esc and a click beside it close it, the focus goes back to where it was.
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

export function Dialog({ label, kind, onClose, children }: { label: string; kind: string; onClose: () => void; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  // Before the next key arrives, so that what a person types on is not lost.
  useLayoutEffect(() => {
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
