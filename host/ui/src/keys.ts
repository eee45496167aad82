// Keyboard: `g` then a letter goes to a place, `d` changes dark and light, `?` shows the keys. Never while a person types.
import { useEffect, useRef } from "preact/hooks";
import { hashOf, PLACES } from "./route";

const SECOND_KEY_WITHIN_MS = 1_200;

export function useKeys(actions: { toggleTheme: () => void; toggleHelp: () => void }): void {
  const latest = useRef(actions);
  latest.current = actions;
  useEffect(() => {
    let pressed_g_at = -Infinity;
    const down = (event: KeyboardEvent): void => {
      const target = event.target as HTMLElement | null;
      const typing = target !== null && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
      if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.timeStamp - pressed_g_at < SECOND_KEY_WITHIN_MS) {
        pressed_g_at = -Infinity;
        const found = PLACES.find(({ key }) => key === event.key);
        if (found) location.hash = hashOf({ place: found.place, triplet: null });
        return;
      }
      if (event.key === "g") pressed_g_at = event.timeStamp;
      else if (event.key === "d") latest.current.toggleTheme();
      else if (event.key === "?") latest.current.toggleHelp();
    };
    window.addEventListener("keydown", down);
    return () => window.removeEventListener("keydown", down);
  }, []);
}
