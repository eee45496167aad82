// The tables behind a chart as CSV (RFC 4180). Times are RFC 3339 in UTC with milliseconds; what is not there is an empty field.
// A text that a spreadsheet would take for a formula is preceded by an apostrophe.
import type { Column } from "../wire/frame";
import type { Table } from "../wire/table";

export function field(column: Column, row: number): string {
  if (column.valid !== null && column.valid[row] === 0) return "";
  const value = column.values[row];
  if (value === undefined) return "";
  if (column.type === "time") return Number.isFinite(value) ? new Date(value as number).toISOString() : "";
  if (column.type === "bool") return value === 1 ? "true" : "false";
  return column.type === "text" ? quoted(harmless(String(value))) : String(value);
}

const harmless = (text: string): string => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text);
const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);

export function csv(table: Table): string {
  const columns = [...table.columns];
  const lines = [columns.map(([name]) => quoted(harmless(name))).join(",")];
  for (let row = 0; row < table.rows; row++) lines.push(columns.map(([, column]) => field(column, row)).join(","));
  return `${lines.join("\r\n")}\r\n`;
}
