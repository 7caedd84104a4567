/** Who imports whom, and on which line. */
export type Graph = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** One shortest circle out of every knot of files that reach each other: mend it, run again, see the next. */
export function findCircles(graph: Graph): string[][] {
  return knots(graph).map((knot) => shortestCircle(graph, new Set(knot)));
}

/** Tarjan's strongly connected components, without recursion depth worries: our graphs are a few hundred files. */
function knots(graph: Graph): string[][] {
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const onStack = new Set<string>();
  const found: string[][] = [];

  const lower = (node: string, value: number): void => {
    low.set(node, Math.min(low.get(node) ?? value, value));
  };
  const visit = (node: string): void => {
    const index = order.size;
    order.set(node, index);
    low.set(node, index);
    stack.push(node);
    onStack.add(node);
    for (const next of graph.get(node)?.keys() ?? []) {
      if (!order.has(next)) {
        visit(next);
        lower(node, low.get(next) ?? index);
      } else if (onStack.has(next)) {
        lower(node, order.get(next) ?? index);
      }
    }
    if (low.get(node) !== index) return;
    const knot = stack.splice(stack.indexOf(node));
    for (const member of knot) onStack.delete(member);
    if (knot.length > 1 || graph.get(node)?.has(node)) found.push(knot.sort());
  };
  for (const node of graph.keys()) if (!order.has(node)) visit(node);
  return found;
}

function shortestCircle(graph: Graph, knot: ReadonlySet<string>): string[] {
  let best: string[] | undefined;
  for (const start of knot) {
    const circle = wayBack(graph, knot, start);
    if (circle && (!best || circle.length < best.length)) best = circle;
  }
  return best ?? [];
}

/** Breadth first from `start` to itself inside the knot. The answer begins and ends with `start`. */
function wayBack(graph: Graph, knot: ReadonlySet<string>, start: string): string[] | undefined {
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (const node of queue) {
    for (const next of graph.get(node)?.keys() ?? []) {
      if (next === start) return unwind(cameFrom, node, start);
      if (!knot.has(next) || cameFrom.has(next)) continue;
      cameFrom.set(next, node);
      queue.push(next);
    }
  }
  return undefined;
}

function unwind(cameFrom: ReadonlyMap<string, string>, last: string, start: string): string[] {
  const way = [start];
  for (let node = last; node !== start; node = cameFrom.get(node) ?? start) way.unshift(node);
  return [start, ...way];
}
