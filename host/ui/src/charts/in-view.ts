// Whether an element can be seen, or nearly: what is scrolled away need not be drawn.

/** So far outside of the window it is drawn already: it is there when it comes into view. */
const MARGIN = "200px";

/** Calls back with each change, first soon after the call; returns the function that ends it. */
export function watchInView(element: Element, changed: (inView: boolean) => void): () => void {
  const observer = new IntersectionObserver((entries) => changed(entries.at(-1)?.isIntersecting ?? true), { rootMargin: MARGIN });
  observer.observe(element);
  return () => observer.disconnect();
}
