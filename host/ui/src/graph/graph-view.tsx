// The graph as it is seen: edges as an SVG behind nodes that are links (so that keyboard, focus and "open in a new tab" work as everywhere).
// An edge's width is its rate; the bar of a node is its share of the time that all units take now; a badge is its state; numbers come with the pointer or the focus.
import { useRef } from "preact/hooks";
import { bytes, duration, exact, rate, short, withMeasure } from "../format";
import { shapeOf, toneOf, worst } from "../parts/state-mark";
import { hashOf } from "../route";
import type { UnitView } from "../wire/messages";
import { edgePath, edgeWidth_px, NODE_HEIGHT_PX, portPlace, type Graph, type GraphNode, type Lane } from "./layout";

export interface Chosen {
  pipeline: string;
  /** Id of a unit, "in" or null: the pipeline itself. */
  unit: string | null;
}

/** Share of one core that a unit takes now. */
const load = (unit: UnitView): number => (unit.rows_per_s * unit.ns_per_event) / 1e9;

export function GraphView({ graph, chosen, fresh }: { graph: Graph; chosen: Chosen | null; fresh: ReadonlySet<string> }) {
  const place = useRef<HTMLDivElement>(null);
  const all = graph.nodes.reduce((sum, node) => sum + (node.unit ? load(node.unit) : 0), 0);
  const move = (event: KeyboardEvent): void => {
    const from = graph.nodes.find((node) => node.key === (event.target as HTMLElement).dataset["key"]);
    const next = from && neighbour(graph, from, event.key);
    if (!next) return;
    event.preventDefault();
    place.current?.querySelector<HTMLElement>(`[data-key="${CSS.escape(next.key)}"]`)?.focus();
  };
  return (
    <div class="graph-scroll" role="region" aria-label="graph of the pipelines" tabIndex={0}>
      <div ref={place} class={graph.tree ? "graph tree" : "graph"} style={{ width: `${graph.width}px`, height: `${graph.height}px` }} onKeyDown={move}>
        <svg width={graph.width} height={graph.height} aria-hidden="true">
          {graph.edges.map((edge) => (
            <g key={edge.key}>
              <path class={edge.rate > 0 ? "edge" : "edge idle"} d={edgePath(edge, graph)} stroke-width={edgeWidth_px(edge.rate)} />
              {edge.port !== "" && <text class="port" {...portPlace(edge, graph)}>{edge.port}</text>}
            </g>
          ))}
        </svg>
        {graph.lanes.map((lane) => <Head key={lane.pipeline.name} lane={lane} chosen={chosen?.pipeline === lane.pipeline.name && chosen.unit === null} />)}
        {graph.nodes.map((node) => <Node key={node.key} node={node} width={graph.nodeWidth} all={all} chosen={isChosen(node, chosen)} fresh={fresh.has(node.key)} />)}
      </div>
    </div>
  );
}

const isChosen = (node: GraphNode, chosen: Chosen | null): boolean =>
  chosen !== null && chosen.pipeline === node.pipeline && (node.kind === "source" ? chosen.unit === "in" : node.unit !== null && chosen.unit === node.key);

/** By arrow: along an edge, or to the nearest node above or below. */
export function neighbour(graph: Graph, from: GraphNode, key: string): GraphNode | undefined {
  if (key === "ArrowRight") return graph.edges.find((edge) => edge.from.key === from.key)?.to;
  if (key === "ArrowLeft") return graph.edges.find((edge) => edge.to.key === from.key)?.from;
  const side = key === "ArrowDown" ? 1 : key === "ArrowUp" ? -1 : 0;
  if (side === 0) return undefined;
  const ways = graph.nodes.filter((node) => Math.sign(node.y - from.y) === side);
  return ways.sort((a, b) => Math.abs(a.y - from.y) - Math.abs(b.y - from.y) || Math.abs(a.x - from.x) - Math.abs(b.x - from.x))[0];
}

function Head({ lane: { pipeline, y }, chosen }: { lane: Lane; chosen: boolean }) {
  const state = worst(pipeline);
  const { lag_records, lag_s, lag_bytes, skipped_total, holes = [] } = pipeline;
  const lag = [lag_s > 3 ? `lags ${duration(lag_s)}` : "", skipped_total > 0 ? `${short(skipped_total)} skipped` : ""].filter(Boolean);
  const waits = lag.length > 0 ? `${pipeline.name}: ${short(lag_records)} records, ${bytes(lag_bytes)} wait` : pipeline.name;
  return (
    <a class={`lane ${toneOf(state)}`} href={hashOf("pipelines", [pipeline.name])} aria-current={chosen ? "true" : undefined} style={{ top: `${y}px` }} title={waits}>
      <i aria-hidden="true">{shapeOf(state)}</i> <strong>{pipeline.name}</strong>
      {state !== "running" && <span>{state}</span>}
      {lag.length > 0 && <span class="loud">{lag.join(", ")}</span>}
      {holes.length > 0 && <span class="loud" title={holes.map((hole) => hole.label).join("\n")}>{holes.length === 1 ? "journal hole" : `${holes.length} journal holes`}</span>}
    </a>
  );
}

function Node({ node, width, all, chosen, fresh }: { node: GraphNode; width: number; all: number; chosen: boolean; fresh: boolean }) {
  const { unit, kind } = node;
  const style = { left: `${node.x}px`, top: `${node.y}px`, width: `${width}px`, height: `${NODE_HEIGHT_PX}px` };
  const classes = ["node", kind, unit ? toneOf(unit.state) : "", fresh ? "fresh" : ""].filter(Boolean).join(" ");
  if (unit === null && kind !== "source" && kind !== "stream") {
    return <div class={classes} style={style} data-key={node.key} title={`${kind} ${node.name}`}><span class="name">{node.name}</span><small>{kind}</small></div>;
  }
  const href = kind === "stream" ? hashOf("streams", node.name.split("/")) : hashOf("pipelines", [node.pipeline, kind === "source" ? "in" : node.key]);
  if (unit === null) {
    return (
      <a class={classes} style={style} data-key={node.key} href={href} aria-current={chosen ? "true" : undefined} title={node.name}>
        <span class="name">{node.name}</span><small>{kind === "source" ? "stream in" : "stream"}</small>
      </a>
    );
  }
  const share = all > 0 ? load(unit) / all : 0;
  const troubles = unit.faults_total + unit.rejected_total;
  const dead = unit.dead_letters;
  const numbers = `${rate(unit.rows_per_s)} /s, ${withMeasure(unit.ns_per_event, "ns")}`;
  const title = `${unit.id}: ${unit.state}; ${numbers}; ${exact(Math.round(load(unit) * 1e6) / 1e4)} % of a core, ${Math.round(share * 100)} % of the time of all units`;
  return (
    <a class={classes} style={style} data-key={node.key} href={href} aria-current={chosen ? "true" : undefined} title={title}>
      <span class="name"><i aria-hidden="true">{shapeOf(unit.state)}</i> {node.name}<span class="hidden">{`, ${unit.state}`}</span></span>
      <small class="what">{unit.component}</small>
      <small class="numbers">{numbers}</small>
      {(troubles > 0 || dead > 0) && (
        <b class="badge-count" title={`${exact(unit.faults_total)} faults, ${exact(unit.rejected_total)} rejected rows, ${exact(dead)} dead letters`}>
          {`▲ ${short(troubles)}`}{dead > 0 && <span class="dead-count">{`✉\uFE0E ${short(dead)}`}<span class="hidden">{dead === 1 ? " dead letter" : " dead letters"}</span></span>}
        </b>
      )}
      <i class="budget" aria-hidden="true"><i style={{ width: `${Math.max(share > 0 ? 1 : 0, share * 100)}%` }} /></i>
    </a>
  );
}
