// Steady made-up numbers from 0 to 1: a pure function of a seed and a step.
export function noise(seed, step) {
  const x = Math.sin(seed * 127.1 + step * 311.7) * 43758.5453;
  return x - Math.floor(x);
}
export const wave = (seed, step, period) => 0.5 + 0.5 * Math.sin((step / period) * 2 * Math.PI + seed);
export const smooth = (seed, step) => (noise(seed, step) + noise(seed, step - 1) + noise(seed, step - 2)) / 3;
