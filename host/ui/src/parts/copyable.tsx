// A line for the shell with a button that copies it. Where the clipboard is refused the text is selected, so that a key copies it.
import { useRef, useState } from "preact/hooks";

const SAID_MS = 1_500;

export function Copyable({ name, text }: { name: string; text: string }) {
  const code = useRef<HTMLElement>(null);
  const [said, setSaid] = useState("");
  const say = (word: string): void => {
    setSaid(word);
    window.setTimeout(() => setSaid(""), SAID_MS);
  };
  const select = (): void => {
    if (code.current !== null) window.getSelection()?.selectAllChildren(code.current);
    say("selected");
  };
  const copy = (): void => {
    if (navigator.clipboard === undefined) select();
    else navigator.clipboard.writeText(text).then(() => say("copied"), select);
  };
  return (
    <li class="copyable">
      <span class="tool">{name}</span>
      <code ref={code} tabIndex={0}>{text}</code>
      <button type="button" onClick={copy} aria-label={`copy the ${name} line`}>{said || "copy"}</button>
    </li>
  );
}
