// How large and how strong charts are drawn: as on a desk, on a wall (data-tv on the root element), or with more contrast where the system asks for it.

const TV_SCALE = 1.7;

/** Factor of texts and ticks. */
export const lookScale = (): number => (document.documentElement.dataset["tv"] === undefined ? 1 : TV_SCALE);

export const highContrast = (): boolean => window.matchMedia("(prefers-contrast: more)").matches;
