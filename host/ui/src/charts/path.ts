// Where shapes are drawn into: a path of the canvas, or the text of an SVG path. Both have the same few verbs, so that a picture and its export are one drawing.
export interface PathLike {
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
  rect(x: number, y: number, width: number, height: number): void;
  closePath(): void;
}

export type MakePath = () => PathLike;
export const canvasPath: MakePath = () => new Path2D();

const short = (value: number): string => String(Math.round(value * 100) / 100);

/** Collects the `d` of an SVG path. */
export class SvgPath implements PathLike {
  d = "";

  moveTo(x: number, y: number): void {
    this.d += `M${short(x)} ${short(y)}`;
  }

  lineTo(x: number, y: number): void {
    this.d += `L${short(x)} ${short(y)}`;
  }

  rect(x: number, y: number, width: number, height: number): void {
    this.d += `M${short(x)} ${short(y)}h${short(width)}v${short(height)}h${short(-width)}z`;
  }

  closePath(): void {
    this.d += "z";
  }
}

/** What uPlot takes from a function that draws a series. */
export interface Drawn {
  stroke: PathLike | null;
  fill: PathLike | null;
}
