// Keyboard: `g` then a letter goes to a place, `/` finds, `d` changes dark and light, `c` copies the link, `?` shows the keys. Never while a person types.
import { useEffect, useRef } from "preact/hooks";
import { hashOf, PLACES } from "./route";

const SECOND_KEY_WITHIN_MS = 1_200;

/** For the help; what each key does stands where it is handled. */
export const KEYS: [string, string][] = [
  ["g o", "overview"], ["g p", "pipelines"], ["g s", "streams"], ["g a", "alerts"], ["g c", "components"],
  ["/", "find a place, pipeline, unit, stream, chart or action"],
  ["← →", "move the cursor of the chart that has the focus, or go from unit to unit"],
  ["space", "hold the live table"], ["c", "copy a link to this picture"], ["d", "dark or light"], ["t", "overview for a wall: larger, in turns; again: back"], ["?", "these keys"], ["Esc", "close"],
];

export interface KeyActions {
  toggleTheme: () => void;
  toggleHelp: () => void;
  openPalette: () => void;
  copyLink: () => void;
  toggleTv: () => void;
}

export function isTyping(target: EventTarget | null): boolean {
  const element = target as HTMLElement | null;
  return element !== null && (element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName ?? ""));
}

export function useKeys(actions: KeyActions): void {
  const latest = useRef(actions);
  latest.current = actions;
  useEffect(() => {
    let pressed_g_at = -Infinity;
    const down = (event: KeyboardEvent): void => {
      if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]") !== null) return;
      if (event.timeStamp - pressed_g_at < SECOND_KEY_WITHIN_MS) {
        pressed_g_at = -Infinity;
        const found = PLACES.find(({ key }) => key === event.key);
        if (found) location.hash = hashOf(found.place);
        return;
      }
      const { toggleTheme, toggleHelp, openPalette, copyLink, toggleTv } = latest.current;
      if (event.key === "g") pressed_g_at = event.timeStamp;
      else if (event.key === "d") toggleTheme();
      else if (event.key === "?") toggleHelp();
      else if (event.key === "c") copyLink();
      else if (event.key === "t") toggleTv();
      else if (event.key === "/") {
        event.preventDefault();
        openPalette();
      }
    };
    window.addEventListener("keydown", down);
    return () => window.removeEventListener("keydown", down);
  }, []);
}
