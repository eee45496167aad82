// The live connection that public/live.js opened before the page was there, and what came over it until now.
// Out: once, the open (or opening) socket and its messages in order; afterwards, or where it ended already, nothing.

export interface First {
  socket: WebSocket;
  messages: (string | ArrayBuffer)[];
}

declare global {
  interface Window {
    __weir_first?: First & { keep: (message: MessageEvent<string | ArrayBuffer>) => void };
  }
}

export function takeFirst(): First | null {
  const first = window.__weir_first;
  delete window.__weir_first;
  if (first === undefined) return null;
  first.socket.removeEventListener("message", first.keep);
  // Closing counts as closed: what it said may have holes.
  return first.socket.readyState > WebSocket.OPEN ? null : first;
}
