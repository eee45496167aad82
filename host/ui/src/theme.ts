// Dark or light: the system's choice until a person chooses; the choice is kept in this browser.
// Out: data-theme on the root element, which all colours hang on (style/theme.css).
import { useEffect, useState } from "preact/hooks";
import { parseRoute, setQuery } from "./route";

export type Theme = "dark" | "light";
const KEPT_AS = "weir.theme";

function chosen(): Theme | null {
  try {
    const kept = localStorage.getItem(KEPT_AS);
    return kept === "dark" || kept === "light" ? kept : null;
  } catch {
    return null;
  }
}

/** A link may carry the theme of the picture that was shared. */
function linked(): Theme | null {
  const { theme } = parseRoute(location.hash).query;
  return theme === "dark" || theme === "light" ? theme : null;
}

const system = (): MediaQueryList => window.matchMedia("(prefers-color-scheme: dark)");
const current = (): Theme => linked() ?? chosen() ?? (system().matches ? "dark" : "light");

export function useTheme(): [Theme, () => void] {
  const [theme, setTheme] = useState<Theme>(current);
  // Set at once, not after the paint: charts read the colours while they are built.
  document.documentElement.dataset["theme"] = theme;
  useEffect(() => {
    const query = system();
    const changed = (): void => setTheme(current());
    query.addEventListener("change", changed);
    window.addEventListener("hashchange", changed);
    changed();
    return () => {
      query.removeEventListener("change", changed);
      window.removeEventListener("hashchange", changed);
    };
  }, []);
  const toggle = (): void => {
    const next: Theme = theme === "dark" ? "light" : "dark";
    try {
      localStorage.setItem(KEPT_AS, next);
    } catch {
      // A browser that keeps nothing still changes for now.
    }
    if (linked() !== null) setQuery({ theme: next });
    setTheme(next);
  };
  return [theme, toggle];
}
