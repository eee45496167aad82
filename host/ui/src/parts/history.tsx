// What has changed: the revisions of the configuration, newest first, each with its difference, and the way back.
// Going back makes a new revision, so an undo can be undone. A revision that came meanwhile refuses it, and the list says so.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { fetchDiff, fetchRevisions, undoTo } from "../api";
import { clock, dateAndClock, short } from "../format";
import { usePolled } from "../poll";
import { setQuery } from "../route";
import type { RevisionView } from "../wire/messages";
import { Failed, Old, Skeleton } from "./states";

const POLL_MS = 3_000;
const SHOWN = 30;

/** `exactly`: the number of the revision whose difference is open, from the URL. `children`: what else there is to know. */
export function History({ running, exactly, changed, children }: { running: number; exactly: string | null; changed: () => void; children?: ComponentChildren }) {
  const { value, failure, again } = usePolled(fetchRevisions, POLL_MS);
  const [refused, setRefused] = useState<string | null>(null);
  const back = (to: number): void => {
    setRefused(null);
    undoTo(to, running).then(() => { again(); changed(); }, (error: unknown) => setRefused(error instanceof Error ? error.message : String(error)));
  };
  return (
    <aside class="history" aria-labelledby="history-title">
      <h2 id="history-title">What changed</h2>
      {children}
      {failure !== null && (value === null ? <Failed what="Not fetched" why={failure} retry={again} /> : <Old why={failure} retry={again} />)}
      {refused !== null && <Failed what="That was refused" why={refused} />}
      {value === null && failure === null && <Skeleton label="waiting for the revisions" />}
      {value !== null && value.length === 1 && <p class="quiet-text">Nothing since the start. Choose a unit to look into it, change it, or insert another after it.</p>}
      <ol class="revisions">
        {(value ?? []).slice(0, SHOWN).map((revision, index, all) => (
          <Revision key={revision.revision} revision={revision} before={all[index + 1]?.revision ?? null} current={revision.revision === running} open={exactly === String(revision.revision)}
            onOpen={() => setQuery({ exactly: exactly === String(revision.revision) ? null : String(revision.revision) })} onBack={back} />
        ))}
      </ol>
      {(value?.length ?? 0) > SHOWN && <p class="quiet-text">{`and ${short((value?.length ?? 0) - SHOWN)} older ones: weir config revisions`}</p>}
    </aside>
  );
}

interface Row {
  revision: RevisionView;
  before: number | null;
  current: boolean;
  open: boolean;
  onOpen: () => void;
  onBack: (to: number) => void;
}

function Revision({ revision, before, current, open, onOpen, onBack }: Row) {
  const { revision: number, at, summary, origin } = revision;
  const [diff, setDiff] = useState<string | null>(null);
  useEffect(() => {
    if (!open || before === null) return;
    let ended = false;
    fetchDiff(before, number).then((text) => !ended && setDiff(text), (error: unknown) => !ended && setDiff(String(error)));
    return () => void (ended = true);
  }, [open, before, number]);
  return (
    <li aria-current={current ? "true" : undefined}>
      <div>
        <time title={dateAndClock(Date.parse(at))}>{clock(Date.parse(at))}</time>
        <small>{`revision ${number}, ${origin}${current ? ", runs" : ""}`}</small>
      </div>
      <span>{summary || "no summary"}</span>
      <span class="buttons">
        {before !== null && <button type="button" class="quiet" aria-expanded={open} onClick={onOpen}>{open ? "close" : "what exactly"}</button>}
        {current && before !== null && <button type="button" onClick={() => onBack(before)}>undo</button>}
        {!current && <button type="button" class="quiet" onClick={() => onBack(number)} aria-label={`back to this: revision ${number}`}>back to this</button>}
      </span>
      {open && diff !== null && <Diff text={diff} />}
    </li>
  );
}

function Diff({ text }: { text: string }) {
  const lines = text.split("\n").filter((line) => !line.startsWith("---") && !line.startsWith("+++"));
  return (
    <pre class="diff" tabIndex={0}>
      {lines.map((line, index) => <span key={index} class={line.startsWith("+") ? "added" : line.startsWith("-") ? "removed" : line.startsWith("@@") ? "place" : ""}>{`${line}\n`}</span>)}
    </pre>
  );
}
