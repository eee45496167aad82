// Dead letters of a unit, of a pipeline or of all: rows that a unit could not take, each whole and with the reason, newest first; to be replayed or dropped.
// In: /api/dead once in a while; which page and which code are in the URL. What the host refuses to replay stands at its row, with the reason.
// Of a letter with many rows the first is shown; the others are asked for when somebody wants them.
import { useCallback, useState } from "preact/hooks";
import { dropDead, fetchDead, fetchLetter, replayDead, type DeadDone, type DeadScope } from "../api";
import { dateAndClock, exact, short } from "../format";
import { Failed, Old, Skeleton } from "../parts/states";
import { StateMark } from "../parts/state-mark";
import { usePolled } from "../poll";
import { hashOf, setQuery } from "../route";
import type { DeadLetter, DeadPage, LetterRow } from "../wire/messages";

const POLL_MS = 2_000;
const SHOWN = 20;
/** Rows of one letter. */
const ROWS_SHOWN = 100;

interface Place {
  scope: DeadScope;
  query: Record<string, string>;
  /** Look again at once. */
  changed: () => void;
}

export function DeadLetters({ scope, query, changed }: Place) {
  const { unit, pipeline } = scope;
  const [code, before] = [query["code"] ?? null, query["before"] ?? null];
  const ask = useCallback((): Promise<DeadPage> => fetchDead({ unit, pipeline }, { code, before, limit: SHOWN }), [unit, pipeline, code, before]);
  const { value, failure, again } = usePolled(ask, POLL_MS);
  if (value === null) return failure === null ? <Skeleton label="waiting for the dead letters" tall /> : <Failed what="The dead letters could not be fetched" why={failure} retry={again} />;
  return (
    <div class="dead">
      {failure !== null && <Old why={failure} retry={again} />}
      <Letters page={value} scope={scope} code={code} before={before} changed={() => { again(); changed(); }} />
    </div>
  );
}

function Letters({ page, scope, code, before, changed }: { page: DeadPage; scope: DeadScope; code: string | null; before: string | null; changed: () => void }) {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [refused, setRefused] = useState<ReadonlyMap<string, string>>(new Map());
  const [said, setSaid] = useState("");
  const [sure, setSure] = useState(false);
  const there = page.letters.filter(({ id }) => chosen.has(id)).map(({ id }) => id);
  const codes = [...new Set([...page.letters.map((letter) => letter.code), ...(code === null ? [] : [code])])].sort();
  /** All of the unit where nothing is chosen; of a pipeline what this page shows. */
  const wish = there.length > 0 ? { ids: there } : scope.unit !== null && code === null ? { unit: scope.unit } : { ids: page.letters.map(({ id }) => id) };
  const many = there.length > 0 ? `${there.length} chosen` : "unit" in wish ? `all ${short(page.total)}` : `these ${page.letters.length}`;
  const act = (done: string, run: (wish: { ids: string[] } | { unit: string }) => Promise<DeadDone>) => (): void => {
    setSaid("");
    run(wish).then((answer) => {
      setRefused(new Map(answer.refused.map(({ id, why }) => [id, why])));
      setChosen(new Set());
      setSaid([`${answer.done} ${done}`, answer.refused_total > 0 ? `${answer.refused_total} refused` : "", late(answer.late_rows ?? 0)].filter(Boolean).join(", "));
      changed();
    }, (error: unknown) => setSaid(error instanceof Error ? error.message : String(error)));
  };
  const drop = (): void => {
    if (!sure) return setSure(true);
    setSure(false);
    act("dropped", dropDead)();
  };
  const choose = (id: string): void => setChosen(chosen.has(id) ? new Set([...chosen].filter((one) => one !== id)) : new Set([...chosen, id]));
  const oldest = page.letters.at(-1);
  return (
    <>
      {page.total === 0 && code === null
        ? <p class="calm"><StateMark state="ok" /> No dead letters.</p>
        : <p class="lead">{`${exact(page.total)} ${page.total === 1 ? "letter" : "letters"}, ${exact(page.rows)} ${page.rows === 1 ? "row" : "rows"}${code === null ? "" : ` of code ${code}`}`}</p>}
      {codes.length > 1 || code !== null ? (
        <p class="doing" role="group" aria-label="only of a code">
          {codes.map((one) => <button key={one} type="button" class="quiet" aria-pressed={one === code} onClick={() => setQuery({ code: one === code ? null : one, before: null })}>{one}</button>)}
        </p>
      ) : null}
      {page.letters.length > 0 && (
        <p class="doing">
          <button type="button" class="main" onClick={act("replayed", replayDead)}>{`replay ${many}`}</button>
          <button type="button" class={sure ? "danger" : "quiet"} onBlur={() => setSure(false)} onClick={drop}>{sure ? `drop ${many} for good` : `drop ${many}`}</button>
        </p>
      )}
      <p class="quiet-text" role="status">{said}</p>
      <ul class="items">{page.letters.map((letter) => <Letter key={letter.id} letter={letter} own={scope.unit !== null} chosen={chosen.has(letter.id)} why={refused.get(letter.id)} choose={() => choose(letter.id)} />)}</ul>
      {(before !== null || page.total > page.letters.length) && (
        <p class="doing">
          {before !== null && <button type="button" class="quiet" onClick={() => setQuery({ before: null })}>newest</button>}
          {oldest !== undefined && page.letters.length >= SHOWN && <button type="button" class="quiet" onClick={() => setQuery({ before: oldest.id })}>older</button>}
        </p>
      )}
    </>
  );
}

function Letter({ letter, own, chosen, why, choose }: { letter: DeadLetter; own: boolean; chosen: boolean; why: string | undefined; choose: () => void }) {
  const name = `letter of position ${letter.position}, row ${letter.row}`;
  return (
    <li class={why === undefined ? "letter" : "letter bad"}>
      <label>
        <input type="checkbox" checked={chosen} onChange={choose} aria-label={name} />
        <strong>{letter.code}</strong> <time title={letter.time}>{dateAndClock(Date.parse(letter.time))}</time>
      </label>
      <span>{letter.message}</span>
      {!own && <a href={hashOf("pipelines", [letter.pipeline, letter.unit], { tab: "dead letters" })}>{letter.unit}</a>}
      <small>{[letter.stream, `position ${letter.position}, row ${letter.row}${letter.rows > 1 ? ` and ${letter.rows - 1} more` : ""}`, letter.attempts > 1 ? `${letter.attempts} attempts` : "", letter.digest && `component ${hexOf(letter.digest)}`].filter(Boolean).join(", ")}</small>
      {letter.fields === null ? <small>Timers of the unit, not rows.</small> : <Fields of={letter.fields} />}
      {letter.rows > 1 && <OtherRows letter={letter} />}
      {why !== undefined ? <span class="problem" role="alert">{`refused: ${why}`}</span> : !letter.replayable && <small>{`cannot be replayed: ${letter.why}`}</small>}
    </li>
  );
}

function Fields({ of }: { of: Record<string, unknown> }) {
  return <dl class="fields">{Object.entries(of).map(([field, value]) => <div key={field}><dt>{field}</dt><dd>{typeof value === "string" ? value : JSON.stringify(value)}</dd></div>)}</dl>;
}

function OtherRows({ letter }: { letter: DeadLetter }) {
  const [rows, setRows] = useState<LetterRow[] | null>(null);
  const [failure, setFailure] = useState("");
  const look = (): void => {
    setFailure("");
    fetchLetter(letter.id).then(({ events }) => setRows(events.slice(1)), (error: unknown) => setFailure(error instanceof Error ? error.message : String(error)));
  };
  if (rows === null) return <span><button type="button" class="quiet" onClick={look}>{`show the other ${letter.rows - 1}`}</button>{failure !== "" && <span class="problem" role="alert">{failure}</span>}</span>;
  return (
    <>
      {rows.slice(0, ROWS_SHOWN).map((row) => <Fields key={row.row} of={row.fields} />)}
      {rows.length > ROWS_SHOWN && <small>{`and ${rows.length - ROWS_SHOWN} more: weir dead show ${letter.id}`}</small>}
    </>
  );
}

/** Of a digest "sha256:…" what people compare. */
const hexOf = (digest: string): string => digest.slice(digest.indexOf(":") + 1).slice(0, 12);
const late = (rows: number): string => (rows === 0 ? "" : `${rows} rows may come late: they are older than the watermark`);
