// Opens the live connection while the page itself is still on its way: pictures are there when it starts. The page takes the connection over (src/live/first.ts).
"use strict";
{
  // What one client is sent before it acknowledges: two pictures of each of 64 charts, and a few words.
  const MESSAGES_MAX = 256;
  // Size and frames on their way as in src/live/socket.ts.
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/live?watch=all&width=600&height=160&in_flight=2`);
  socket.binaryType = "arraybuffer";
  const messages = [];
  const keep = ({ data }) => void (messages.push(data) > MESSAGES_MAX && socket.close());
  socket.addEventListener("message", keep);
  window.__weir_first = { socket, messages, keep };
}
