// Encodes a chart as a binary frame of docs/wire.md. A delta is worked out from the times that were sent before.

const ROW_BYTES = { f64: 8, time: 8, text: 4, bool: 1 };

/** A table whose rows are named or cut otherwise each time goes whole. */
const whole = (chart) => chart.tables.length > 1 || chart.tables[0].columns[0].name !== "time" || new Set(chart.tables[0].columns[0].values).size < chart.tables[0].columns[0].values.length;

/** How to get from the old times to the new ones; null: not by drop, keep and append. */
function step(old, times) {
  const drop = old.indexOf(times[0]);
  const keep = drop < 0 ? 0 : old.length - drop;
  return keep > 0 && old.every((time, row) => row < drop || time === times[row - drop]) ? { drop, keep } : null;
}

/** chart: {id, description, tables: [{name, columns: [{name, type, values}]}]}, the first column its times; a null value is not there. `sent`: the times sent before, or null. */
export function encodeFrame(chart, { epoch, version, sent, merged, newest_ms }) {
  const plan = sent === null || whole(chart) ? null : step(sent, chart.tables[0].columns[0].values);
  const kind = plan === null ? "snapshot" : "delta";
  const blocks = [];
  let bytes = 0;
  const place = (buffer) => {
    const offset = bytes;
    blocks.push({ offset, buffer });
    bytes += Math.ceil(buffer.length / 8) * 8;
    return offset;
  };
  const tables = chart.tables.map((table) => {
    const all = table.columns[0].values.length;
    const { drop, keep: from } = plan ?? { drop: 0, keep: 0 };
    const columns = table.columns.map((column) => encodeColumn(column, from, place));
    return { name: table.name, rows: all - from, drop, keep: from, columns };
  });
  const header = { chart: chart.id, epoch, version, merged, newest_unix_ns: newest_ms * 1e6, sent_unix_ns: Date.now() * 1e6, kind, description: chart.description, tables };
  return assemble(header, blocks, bytes);
}

function encodeColumn(column, from, place) {
  const values = column.values.slice(from);
  const size = ROW_BYTES[column.type];
  const buffer = Buffer.alloc(values.length * size);
  const names = column.type === "text" ? [...new Set(values)] : undefined;
  values.forEach((value, row) => {
    if (size === 8) buffer.writeDoubleLE(value ?? 0, row * 8);
    else if (size === 4) buffer.writeUInt32LE(names.indexOf(value), row * 4);
    else buffer.writeUInt8(value ? 1 : 0, row);
  });
  const offset = place(buffer);
  const valid_offset = values.includes(null) ? place(Buffer.from(values.map((value) => (value === null ? 0 : 1)))) : null;
  return { name: column.name, type: column.type, offset, bytes: buffer.length, valid_offset, ...(names ? { names } : {}) };
}

/** Offsets count from the start of the frame, so the header's own length decides them: grow it until it fits. */
function assemble(header, blocks, bytes) {
  for (let room = 1024; ; room *= 2) {
    const shifted = { ...header, tables: header.tables.map((table) => ({ ...table, columns: table.columns.map((column) => shift(column, room)) })) };
    const json = Buffer.from(JSON.stringify(shifted));
    if (json.length + 4 > room) continue;
    const frame = Buffer.alloc(room + bytes);
    frame.fill(0x20, 4, room);
    frame.writeUInt32LE(room - 4, 0);
    json.copy(frame, 4);
    for (const { offset, buffer } of blocks) buffer.copy(frame, room + offset);
    return frame;
  }
}

const shift = (column, room) => ({ ...column, offset: column.offset + room, valid_offset: column.valid_offset === null ? null : column.valid_offset + room });
