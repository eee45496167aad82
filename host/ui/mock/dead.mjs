// Dead letters of the mock host: made-up rows that can be replayed and dropped as docs/wire.md says. One that is not replayable is refused.
const COUNT = 23;

export class Shelf {
  constructor(now_ms) {
    const one = (id, ago_s, more) => ({ id, unit: "experiments/score", pipeline: "experiments", digest: "a91d44fe02b7731c", code: "trap", message: "wasm unreachable instruction executed", position: 48_211 - Number(id.slice(1)), row: 17, rows: 1, time: new Date(now_ms - ago_s * 1_000).toISOString(), stream: "shop/prod/request", fields: { host: "web-2", path: "/search?q=%00", latency_ms: 12.4 }, attempts: 1, bytes: 214, replayable: true, ...more });
    this.letters = [
      ...Array.from({ length: COUNT }, (_, index) => one(`d${index}`, 9 + index * 31)),
      one("d90", 4_000, { fields: null, rows: 12, replayable: false, why: "these are timers that the unit could not take, not rows; there is nothing to give back" }),
      one("d91", 90, { unit: "requests/per_host", pipeline: "requests", digest: "3f9c2ab17d60e5c4", code: "no-column", message: "column `latency_ms` is text, not a number", row: 3, fields: { host: "web-1", latency_ms: "slow" } }),
    ];
  }

  page(query) {
    const wanted = this.letters.filter((letter) => ["unit", "pipeline", "code"].every((name) => query.get(name) === null || query.get(name) === letter[name]));
    const at = wanted.findIndex(({ id }) => id === query.get("before"));
    return { total: wanted.length, rows: wanted.reduce((sum, { rows }) => sum + rows, 0), letters: wanted.slice(at + 1, at + 1 + Number(query.get("limit") ?? 100)) };
  }

  act(what, { ids, unit }) {
    const wanted = this.letters.filter((letter) => (ids ? ids.includes(letter.id) : letter.unit === unit));
    const refused = what === "replay" ? wanted.filter(({ replayable }) => !replayable).map(({ id, why }) => ({ id, why })) : [];
    const done = wanted.filter(({ id }) => !refused.some((one) => one.id === id));
    this.letters = this.letters.filter((letter) => !done.includes(letter));
    return { status: 200, body: { done: done.length, refused, refused_total: refused.length, late_rows: 0 } };
  }

  one(id) {
    const letter = this.letters.find((known) => known.id === id);
    return letter && { ...letter, events: Array.from({ length: letter.rows }, (_, index) => ({ row: letter.row + index, time: letter.time, fields: { ...letter.fields, number: index } })) };
  }

  /** How many letters a unit has. */
  of(unit) {
    return this.letters.filter((letter) => letter.unit === unit).length;
  }
}
