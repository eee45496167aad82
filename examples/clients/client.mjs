// Sends three events over HTTP, one JSON object on a line; the path names their stream:  node client.mjs [HOST] [PORT]
const [host = "127.0.0.1", port = "7070"] = process.argv.slice(2);
const events = [12, 7, 31].map((ms) => ({ page: "/", ms }));
const body = events.map((event) => JSON.stringify(event)).join("\n");
const response = await fetch(`http://${host}:${port}/ingest/my/dev/click`, { method: "POST", body });
console.log(await response.text());
if (!response.ok) process.exit(1);
