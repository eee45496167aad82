// Where the nodes and edges of the pipelines stand: a lane for each pipeline; sources left, units by their depth, series, streams and rules right.
// In: what runs and, where it is at hand, how it is configured. Out: places in CSS pixels and edges with their rates (rows per second). Pure.
// Where there is too little width for columns (a phone) a pipeline is a tree read from the top down, each node in a row of its own beneath what feeds it.
// A unit stands in the row of the first unit that feeds it where that is free, so that a chain is a straight line. Without the outline of a pipeline, a unit that no
// other feeds takes from the source.
import type { Outline, PipelineView, UnitView } from "../wire/messages";

const NODE_WIDTH_PX = 156;
const NODE_NARROW_PX = 118;
/** Between two columns: at least, where nobody says how much room there is, and at most. */
const GAP_PX = { least: 28, usual: 48, most: 260 };
const NARROW_PX = 640;
/** Below this width the nodes stand beneath each other. */
const TREE_PX = 480;
const INDENT_PX = 22;
/** From the left edge of a node to where its edges leave it, in a tree. */
const STEM_PX = 10;
const TREE_ROW_GAP_PX = 14;
const EDGE_PX = 16;
export const NODE_HEIGHT_PX = 44;
const ROW_PX = NODE_HEIGHT_PX + 10;
const LANE_HEAD_PX = 30;
const LANE_GAP_PX = 14;

export type NodeKind = "source" | "unit" | "rule" | "series" | "stream";
export interface GraphNode {
  key: string;
  pipeline: string;
  kind: NodeKind;
  name: string;
  unit: UnitView | null;
  x: number;
  y: number;
}

export interface GraphEdge {
  key: string;
  from: GraphNode;
  to: GraphNode;
  rate: number;
  /** The port, where it is not the first one. */
  port: string;
}

export interface Lane {
  pipeline: PipelineView;
  y: number;
  height: number;
}

export interface Graph {
  nodes: GraphNode[];
  edges: GraphEdge[];
  lanes: Lane[];
  width: number;
  height: number;
  nodeWidth: number;
  /** From one column to the next. */
  column: number;
  /** Nodes stand beneath each other. */
  tree: boolean;
}

/** Rows out per second by unit id; it needs two looks, so units may be missing. */
export type OutRates = ReadonlyMap<string, number>;

interface Link {
  from: string;
  to: string;
  port: string;
}

/** `room`: the width that there is; the columns move apart to fill it, and nodes are smaller where it is little. */
export function layOut(pipelines: readonly PipelineView[], outlines: ReadonlyMap<string, Outline>, outRates: OutRates, room = 0): Graph {
  const drafts = pipelines.map((pipeline) => draft(pipeline, outlines.get(pipeline.name)));
  const sinkColumn = Math.max(1, ...drafts.map(({ depth }) => Math.max(0, ...depth.values()))) + 1;
  const nodeWidth = room > 0 && room < NARROW_PX ? NODE_NARROW_PX : NODE_WIDTH_PX;
  if (room > 0 && room < TREE_PX) return layOutTree(drafts, outRates, room);
  const free = room === 0 ? GAP_PX.usual : (room - EDGE_PX - (sinkColumn + 1) * nodeWidth) / sinkColumn;
  const column = nodeWidth + Math.floor(Math.max(GAP_PX.least, Math.min(GAP_PX.most, free)));
  const graph: Graph = { nodes: [], edges: [], lanes: [], width: sinkColumn * column + nodeWidth + EDGE_PX, height: 0, nodeWidth, column, tree: false };
  for (const one of drafts) place(graph, one, sinkColumn, outRates);
  return graph;
}

function layOutTree(drafts: readonly Draft[], outRates: OutRates, room: number): Graph {
  const ordered = drafts.map((one) => ({ ...one, order: fromTheTop(one) }));
  const deepest = Math.max(0, ...ordered.flatMap(({ order }) => order.map(({ depth }) => depth)));
  const indent = Math.min(INDENT_PX, Math.floor((room - EDGE_PX - NODE_NARROW_PX) / Math.max(1, deepest)));
  const nodeWidth = room - EDGE_PX - deepest * indent;
  const graph: Graph = { nodes: [], edges: [], lanes: [], width: room - EDGE_PX, height: 0, nodeWidth, column: indent, tree: true };
  for (const { pipeline, links, order } of ordered) {
    const top = graph.height;
    const row = NODE_HEIGHT_PX + TREE_ROW_GAP_PX;
    const placed = new Map(order.map(({ node, depth }, index) => [node.key, { ...node, x: depth * indent, y: top + LANE_HEAD_PX + index * row }]));
    graph.nodes.push(...placed.values());
    graph.lanes.push({ pipeline, y: top, height: LANE_HEAD_PX + order.length * row });
    addEdges(graph, placed, links, outRates);
    graph.height = top + LANE_HEAD_PX + order.length * row + LANE_GAP_PX;
  }
  return graph;
}

/** Each node once, behind the first that feeds it and its other branches, with its distance from the source. */
function fromTheTop({ nodes, links }: Draft): { node: Draft["nodes"][number]; depth: number }[] {
  const byKey = new Map(nodes.map((node) => [node.key, node]));
  const seen = new Set<string>();
  const order: { node: Draft["nodes"][number]; depth: number }[] = [];
  const visit = (node: Draft["nodes"][number], depth: number): void => {
    if (seen.has(node.key)) return;
    seen.add(node.key);
    order.push({ node, depth });
    for (const link of links) {
      const next = link.from === node.key ? byKey.get(link.to) : undefined;
      if (next !== undefined) visit(next, depth + 1);
    }
  };
  for (const node of nodes) visit(node, 0);
  return order;
}

interface Draft {
  pipeline: PipelineView;
  /** In the order in which they are placed: those that feed come first. */
  nodes: Omit<GraphNode, "x" | "y">[];
  links: Link[];
  depth: Map<string, number>;
}

function draft(pipeline: PipelineView, outline: Outline | undefined): Draft {
  const source = `${pipeline.name}\nin`;
  const nodes: Draft["nodes"] = [{ key: source, pipeline: pipeline.name, kind: "source", name: pipeline.from.join(", "), unit: null }];
  const links: Link[] = [];
  const ids = new Set(pipeline.units.map((unit) => unit.id));
  const fed = new Set(pipeline.units.flatMap((unit) => unit.to));
  for (const unit of pipeline.units) {
    const known = outline?.units.find((one) => one.id === unit.id);
    nodes.push({ key: unit.id, pipeline: pipeline.name, kind: unit.id.startsWith("rule/") ? "rule" : "unit", name: unit.id.slice(unit.id.indexOf("/") + 1), unit });
    if (known?.from ? known.from.includes("in") : !fed.has(unit.id)) links.push({ from: source, to: unit.id, port: "" });
  }
  for (const unit of pipeline.units) {
    const ports = outline?.units.find((one) => one.id === unit.id)?.ports ?? [];
    for (const target of new Set(unit.to)) {
      const key = ids.has(target) ? target : `${pipeline.name}\n${target}`;
      if (!ids.has(target) && !nodes.some((node) => node.key === key)) nodes.push(sink(pipeline.name, key, target));
      const port = ports.findIndex((one) => one.to.includes(target));
      links.push({ from: unit.id, to: key, port: port > 0 ? ports[port]?.name ?? "" : "" });
    }
  }
  return { pipeline, nodes, links, depth: depths(nodes, links) };
}

function sink(pipeline: string, key: string, target: string): Draft["nodes"][number] {
  const [word = "", ...rest] = target.split(" ");
  const kind: NodeKind = word === "stream" ? "stream" : word.startsWith("rule/") ? "rule" : "series";
  return { key, pipeline, kind, name: rest.length > 0 ? rest.join(" ") : target, unit: null };
}

/** The longest way from the source, of units. Links only lead onwards, so as many rounds as there are nodes are enough. */
function depths(nodes: Draft["nodes"], links: readonly Link[]): Map<string, number> {
  const depth = new Map(nodes.filter((node) => node.kind === "unit").map((node) => [node.key, 1]));
  for (let round = 0; round < nodes.length; round++) {
    let moved = false;
    for (const { from, to } of links) {
      const next = (depth.get(from) ?? 0) + 1;
      if (depth.has(from) && depth.has(to) && next > (depth.get(to) ?? 0)) {
        depth.set(to, next);
        moved = true;
      }
    }
    if (!moved) break;
  }
  return depth;
}

function place(graph: Graph, { pipeline, nodes, links, depth }: Draft, sinkColumn: number, outRates: OutRates): void {
  const top = graph.height;
  const rows = new Map<string, number>();
  const taken = new Set<string>();
  const columnOf = (node: Draft["nodes"][number]): number => (node.kind === "source" ? 0 : depth.get(node.key) ?? sinkColumn);
  const ordered = [...nodes].sort((a, b) => columnOf(a) - columnOf(b));
  const placed = new Map<string, GraphNode>();
  for (const node of ordered) {
    const column = columnOf(node);
    const feeder = links.find((link) => link.to === node.key && rows.has(link.from));
    let row = feeder === undefined ? 0 : rows.get(feeder.from) ?? 0;
    while (taken.has(`${column} ${row}`)) row += 1;
    taken.add(`${column} ${row}`);
    rows.set(node.key, row);
    placed.set(node.key, { ...node, x: column * graph.column, y: top + LANE_HEAD_PX + row * ROW_PX });
  }
  const height = LANE_HEAD_PX + (Math.max(0, ...rows.values()) + 1) * ROW_PX;
  graph.nodes.push(...nodes.flatMap((node) => placed.get(node.key) ?? []));
  graph.lanes.push({ pipeline, y: top, height });
  addEdges(graph, placed, links, outRates);
  graph.height = top + height + LANE_GAP_PX;
}

function addEdges(graph: Graph, placed: ReadonlyMap<string, GraphNode>, links: readonly Link[], outRates: OutRates): void {
  for (const { from, to, port } of links) {
    const [left, right] = [placed.get(from), placed.get(to)];
    if (left && right) graph.edges.push({ key: `${from}\n${to}`, from: left, to: right, port, rate: rateOf(left, right, links, outRates) });
  }
}

/** What the right one takes in, where it takes from one alone; else what the left one gives. */
function rateOf(left: GraphNode, right: GraphNode, links: readonly Link[], outRates: OutRates): number {
  const alone = links.filter((link) => link.to === right.key).length === 1;
  if (right.unit !== null && (alone || left.unit === null)) return right.unit.rows_per_s;
  return left.unit === null ? 0 : outRates.get(left.unit.id) ?? 0;
}

/** Logarithmic, so that a stream of 10 and one of 10,000 can both be seen. */
export const edgeWidth_px = (rate: number): number => (rate <= 0 ? 1 : 1.25 + 1.5 * Math.log10(1 + rate));

export function edgePath({ from, to }: GraphEdge, { nodeWidth, tree }: Pick<Graph, "nodeWidth" | "tree">): string {
  const [x1, y1, x2, y2] = [from.x + nodeWidth, from.y + NODE_HEIGHT_PX / 2, to.x, to.y + NODE_HEIGHT_PX / 2];
  if (tree) return `M${from.x + STEM_PX} ${from.y + NODE_HEIGHT_PX}V${y2}H${to.x}`;
  const bend = Math.min(48, (x2 - x1) / 2);
  return y1 === y2 ? `M${x1} ${y1}H${x2}` : `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}

/** Where the name of a port stands, beside its edge. */
export const portPlace = ({ from, to }: GraphEdge, { nodeWidth, tree }: Pick<Graph, "nodeWidth" | "tree">): { x: number; y: number } =>
  tree ? { x: to.x + 2, y: to.y - 3 } : { x: from.x + nodeWidth + 5, y: from.y + NODE_HEIGHT_PX / 2 - 6 };
