// The newest rows of a chart's tables as text: the other way to read a picture, and the only one for a mark that the page cannot draw.
import type { Table, Tables } from "../wire/table";
import { dateAndClock, exact } from "../format";

const ROWS_SHOWN = 50;

function cell(table: Table, name: string, row: number): string {
  const column = table.columns.get(name);
  if (column === undefined || (column.valid !== null && column.valid[row] === 0)) return "–";
  const value = column.values[row];
  if (value === undefined) return "–";
  if (column.type === "time") return dateAndClock(value as number);
  if (column.type === "bool") return value === 1 ? "true" : "false";
  return column.type === "f64" ? exact(value as number) : String(value);
}

/** Numbers stand at the right, so that their digits are one below the other. */
const kind = (table: Table, name: string): string => (table.columns.get(name)?.type === "f64" ? "number" : "");

export function DataTable({ tables, newestFirst }: { tables: Tables; newestFirst: boolean }) {
  return (
    <>
      {[...tables].map(([name, table]) => {
        const columns = [...table.columns.keys()];
        const shown = Math.min(ROWS_SHOWN, table.rows);
        return (
          <div class="scroll data-table" tabIndex={0} role="region" aria-label={`rows of ${name}`} key={name}>
            <table>
              <caption>{`${name}, ${newestFirst ? "newest" : "first"} ${shown} of ${table.rows.toLocaleString("en-US")} rows`}</caption>
              <thead>
                <tr>{columns.map((column) => <th scope="col" key={column} class={kind(table, column)}>{column}</th>)}</tr>
              </thead>
              <tbody>
                {Array.from({ length: shown }, (_, index) => (newestFirst ? table.rows - 1 - index : index)).map((row) => (
                  <tr key={row}>{columns.map((column) => <td class={kind(table, column)} key={column}>{cell(table, column, row)}</td>)}</tr>
                ))}
              </tbody>
            </table>
          </div>
        );
      })}
    </>
  );
}
