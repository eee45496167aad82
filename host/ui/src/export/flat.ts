// Writes flatbuffers (https://flatbuffers.dev/internals/) from the back to the front, as the format wants it: what is referred to is written first.
// In: scalars, texts, vectors, structs and tables in the order of their fields. Out: bytes that begin with the offset of the root. Little-endian, aligned to 8.
// An Offset counts from the end of the buffer.
export type Offset = number;
type Scalar = "u8" | "i16" | "i64" | "offset";
/** A field of a table by its place; null: not there. */
export type Entry = [Scalar, number] | null;

const SIZE: Record<Scalar, number> = { u8: 1, i16: 2, i64: 8, offset: 4 };

export class Flat {
  private bytes = new Uint8Array(1_024);
  private used = 0;

  private room(count: number): void {
    while (this.used + count > this.bytes.length) {
      const larger = new Uint8Array(this.bytes.length * 2);
      larger.set(this.bytes, this.bytes.length);
      this.bytes = larger;
    }
  }

  /** Fills up so that after `count` more bytes the place is a multiple of `size`. */
  private align(size: number, count: number): void {
    const fill = (size - ((this.used + count) % size)) % size;
    this.room(fill);
    this.used += fill;
  }

  private push(count: number, write: (view: DataView, at: number) => void): void {
    this.room(count);
    this.used += count;
    write(new DataView(this.bytes.buffer), this.bytes.length - this.used);
  }

  private scalar(kind: Scalar, value: number): void {
    this.align(SIZE[kind], SIZE[kind]);
    if (kind === "u8") this.push(1, (view, at) => view.setUint8(at, value));
    else if (kind === "i16") this.push(2, (view, at) => view.setInt16(at, value, true));
    else if (kind === "i64") this.push(8, (view, at) => view.setBigInt64(at, BigInt(value), true));
    else this.push(4, (view, at) => view.setUint32(at, this.used - value, true));
  }

  text(text: string): Offset {
    const bytes = new TextEncoder().encode(text);
    this.align(4, bytes.length + 1);
    this.push(bytes.length + 1, (view, at) => new Uint8Array(view.buffer).set(bytes, at));
    this.push(4, (view, at) => view.setUint32(at, bytes.length, true));
    return this.used;
  }

  offsets(list: readonly Offset[]): Offset {
    this.align(4, list.length * 4);
    for (const offset of [...list].reverse()) this.scalar("offset", offset);
    this.push(4, (view, at) => view.setUint32(at, list.length, true));
    return this.used;
  }

  /** A vector of structs of two 64-bit numbers. */
  structs(list: readonly [number, number][]): Offset {
    this.align(8, list.length * 16);
    for (const [first, second] of [...list].reverse()) {
      this.push(8, (view, at) => view.setBigInt64(at, BigInt(second), true));
      this.push(8, (view, at) => view.setBigInt64(at, BigInt(first), true));
    }
    this.push(4, (view, at) => view.setUint32(at, list.length, true));
    return this.used;
  }

  /** A vector of Arrow's Block: offset, bytes of the metadata (32 bit, filled up), bytes of the body. */
  blocks(list: readonly [number, number, number][]): Offset {
    this.align(8, list.length * 24);
    for (const [offset, metadata, body] of [...list].reverse()) {
      this.push(8, (view, at) => view.setBigInt64(at, BigInt(body), true));
      this.push(8, (view, at) => view.setInt32(at, metadata, true));
      this.push(8, (view, at) => view.setBigInt64(at, BigInt(offset), true));
    }
    this.push(4, (view, at) => view.setUint32(at, list.length, true));
    return this.used;
  }

  table(entries: readonly Entry[]): Offset {
    const begin = this.used;
    const places = new Array<number>(entries.length).fill(0);
    // The largest first, so that little is filled up.
    const order = entries.map((entry, index) => ({ entry, index })).sort((a, b) => (b.entry ? SIZE[b.entry[0]] : 0) - (a.entry ? SIZE[a.entry[0]] : 0));
    for (const { entry, index } of order) {
      if (entry === null) continue;
      this.scalar(entry[0], entry[1]);
      places[index] = this.used;
    }
    this.align(4, 4);
    this.push(4, () => undefined);
    const table = this.used;
    for (const place of [...places].reverse()) this.push(2, (view, at) => view.setUint16(at, place === 0 ? 0 : table - place, true));
    this.push(2, (view, at) => view.setUint16(at, table - begin, true));
    this.push(2, (view, at) => view.setUint16(at, 4 + 2 * entries.length, true));
    const distance = this.used - table;
    new DataView(this.bytes.buffer).setInt32(this.bytes.length - table, distance, true);
    return table;
  }

  finish(root: Offset): Uint8Array {
    this.align(8, 4);
    this.scalar("offset", root);
    return this.bytes.slice(this.bytes.length - this.used);
  }
}
