// Starts the page: one store, one WebSocket, one view.
import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./style/theme.css";
import "./style/page.css";
import "./style/charts.css";
import "./style/places.css";
import "./style/tv.css";
import { App } from "./app";
import { LiveSocket } from "./live/socket";
import { Store } from "./live/store";

const store = new Store();
const socket = new LiveSocket(store, `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/live`);
// First: the host answers and draws while the page is built.
socket.start();
const page = document.getElementById("page");
if (page !== null) render(<App store={store} socket={socket} />, page);
