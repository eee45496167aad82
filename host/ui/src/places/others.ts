// The places behind the first one, in a file of their own: the overview's first graph does not wait for them.
export { Alerts } from "./alerts";
export { Components } from "./components";
export { Pipelines } from "./pipelines";
export { Streams } from "./streams";
