// The three states of a list or chart besides full: loading, failed, empty. Each says what, and what to do.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { fetchTcpAddress, TCP_USUAL } from "../api";
import { Copyable } from "./copyable";

const LONG_MS = 2_000;

/** `said`: what is waited for may take long, so it is read by all and not only by assistive technology; a tall one says it where it does take long. */
export function Skeleton({ label, tall, said }: { label: string; tall?: boolean; said?: boolean }) {
  const [long, setLong] = useState(false);
  useEffect(() => {
    if (!tall) return;
    const timer = window.setTimeout(() => setLong(true), LONG_MS);
    return () => window.clearTimeout(timer);
  }, [tall]);
  return (
    <div class={tall ? "skeleton tall" : "skeleton"} role="status" aria-label={label}>
      <span class={said || long ? "waiting" : "hidden"}>{label}</span>
    </div>
  );
}

export function Failed({ what, why, retry }: { what: string; why: string; retry?: () => void }) {
  return (
    <div class="failed" role="alert">
      <strong>{`▲ ${what}`}</strong>
      <span>{why}</span>
      {retry && <button type="button" onClick={retry}>try again</button>}
    </div>
  );
}

/** The last answer is still shown, but newer ones do not come. Quiet: the badge at the top says the same, louder. */
export function Old({ why, retry }: { why: string; retry: () => void }) {
  return (
    <p class="old-note" role="status">
      <span>{`◆ out of date: ${why}`}</span>
      <button type="button" class="quiet" onClick={retry}>try again</button>
    </p>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <strong>{title}</strong>
      {children}
    </div>
  );
}

/** How a first event gets in: each line works as it is in a shell on the host's machine. */
export function SendOne() {
  const event = `{"application":"my","environment":"dev","type":"event","value":1}`;
  const http = `${location.origin}/ingest/my/dev/event`;
  const [tcp, setTcp] = useState(TCP_USUAL);
  useEffect(() => {
    let ended = false;
    fetchTcpAddress().then((found) => !ended && setTcp(found), () => undefined);
    return () => void (ended = true);
  }, []);
  const { name, port } = tcp;
  const python = `import json,socket; s=socket.create_connection(("${name}",${port})); s.sendall(json.dumps({"application":"my","environment":"dev","type":"event","value":1}).encode()+b"\\n")`;
  return (
    <ul class="send">
      <Copyable name="curl" text={`curl -H 'content-type: application/json' -d '{"value": 1}' ${http}`} />
      <Copyable name="nc" text={`echo '${event}' | nc -w 1 ${name} ${port}`} />
      <Copyable name="python" text={`python3 -c '${python}'`} />
    </ul>
  );
}
