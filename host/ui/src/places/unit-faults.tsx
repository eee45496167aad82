// What went wrong in a unit: its faults, each with the rows that it cost, and the rows that it could not take, each whole and with the reason.
import { useCallback, useState } from "preact/hooks";
import { fetchDead, fetchFaults } from "../api";
import { clock, shortDigest } from "../format";
import { Failed, Old, Skeleton } from "../parts/states";
import { StateMark } from "../parts/state-mark";
import { usePolled } from "../poll";
import type { DeadLetter, FaultView } from "../wire/messages";

const POLL_MS = 2_000;
const SHOWN = 20;
const ROWS_MAX = 100;

export function UnitFaults({ unit }: { unit: string }) {
  const faults = usePolled(fetchFaults, POLL_MS);
  const letters = usePolled(useCallback(() => fetchDead({ unit, pipeline: null }, { limit: ROWS_MAX }), [unit]), POLL_MS);
  const failure = faults.failure ?? letters.failure;
  const again = (): void => { faults.again(); letters.again(); };
  if (faults.value === null || letters.value === null) return failure === null ? <Skeleton label="waiting for the faults" tall /> : <Failed what="The faults could not be fetched" why={failure} retry={again} />;
  const own = faults.value.filter((fault) => fault.unit === unit);
  const dead = letters.value.letters;
  const positions = new Set(own.map((fault) => fault.position));
  const others = dead.filter((letter) => !positions.has(letter.position));
  return (
    <div class="faults">
      {failure !== null && <Old why={failure} retry={again} />}
      {own.length === 0 && dead.length === 0 && <p class="calm"><StateMark state="ok" /> No fault, and no row that it could not take.</p>}
      <ul class="items">{own.slice(0, SHOWN).map((fault) => <Fault key={`${fault.at} ${fault.position} ${fault.call}`} fault={fault} rows={dead.filter((letter) => letter.position === fault.position)} />)}</ul>
      {own.length > SHOWN && <p class="quiet-text">{`and ${own.length - SHOWN} more faults`}</p>}
      {others.length > 0 && <h3>Rows that it could not take</h3>}
      <ul class="items">{others.slice(0, SHOWN).map((letter) => <li key={letter.id}><Letter letter={letter} /></li>)}</ul>
      {others.length > SHOWN && <p class="quiet-text">{`and ${others.length - SHOWN} more rows`}</p>}
    </div>
  );
}

function Fault({ fault, rows }: { fault: FaultView; rows: DeadLetter[] }) {
  const [open, setOpen] = useState(false);
  return (
    <li class="bad">
      <div><StateMark state="faulted" /> <time title={fault.at}>{clock(Date.parse(fault.at))}</time></div>
      <strong>{`${fault.kind} in ${fault.call}`}</strong>
      <span>{fault.message}</span>
      <small>{`position ${fault.position}, ${fault.rows} ${fault.rows === 1 ? "row" : "rows"}, component ${shortDigest(fault.digest)}`}</small>
      {rows.slice(0, 5).map((letter) => <Letter key={letter.id} letter={letter} />)}
      {rows.length === 0 && <small>The row itself is not kept (any more).</small>}
      {fault.frames.length > 0 && <button type="button" class="quiet" aria-expanded={open} onClick={() => setOpen(!open)}>{`${fault.frames.length} frames`}</button>}
      {open && <pre class="diff" tabIndex={0}>{fault.frames.join("\n")}</pre>}
    </li>
  );
}

function Letter({ letter }: { letter: DeadLetter }) {
  return (
    <div class="letter">
      <small>{`${clock(Date.parse(letter.time))}, position ${letter.position}, row ${letter.row}: ${letter.message || letter.code}`}</small>
      <dl class="fields">{Object.entries(letter.fields ?? {}).map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{typeof value === "string" ? value : JSON.stringify(value)}</dd></div>)}</dl>
    </div>
  );
}
