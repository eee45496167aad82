//! Orders of things that feed each other: units of a pipeline, pipelines of a flow. Pure graph work over indexes.
//!
//! `edges[i]` lists what `i` feeds; nodes are `0 .. edges.len()`. The order is stable: of the nodes that could come next, the one with the lowest
//! index does, so that a configuration always gives the same order. Iterative and linear but for the choice of the lowest, so that no input overflows the
//! stack.

use std::collections::{BTreeSet, VecDeque};

use super::PipelineSpec;

/// Every node after all that feed it, or one cycle: its nodes in order, the first not repeated.
pub fn topological(edges: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut feeders = vec![0usize; edges.len()];
    for target in edges.iter().flatten() {
        if let Some(count) = feeders.get_mut(*target) {
            *count += 1;
        }
    }
    let mut ready: BTreeSet<usize> =
        feeders.iter().enumerate().filter(|(_, count)| **count == 0).map(|(node, _)| node).collect();
    let mut order = Vec::with_capacity(edges.len());
    while let Some(node) = ready.pop_first() {
        order.push(node);
        for target in edges.get(node).into_iter().flatten() {
            if let Some(count) = feeders.get_mut(*target) {
                *count -= 1;
                if *count == 0 {
                    ready.insert(*target);
                }
            }
        }
    }
    if order.len() == edges.len() { Ok(order) } else { Err(cycle(edges, &feeders)) }
}

/// Nodes left with feeders are on a cycle or behind one. Walking backwards among them must come round.
fn cycle(edges: &[Vec<usize>], feeders: &[usize]) -> Vec<usize> {
    let left = |node: usize| feeders.get(node).is_some_and(|count| *count > 0);
    let feeder_of = |node: usize| {
        (0..edges.len()).find(|from| left(*from) && edges.get(*from).is_some_and(|to| to.contains(&node)))
    };
    let Some(mut node) = (0..edges.len()).find(|node| left(*node)) else { return Vec::new() };
    let mut walked: Vec<usize> = Vec::new();
    loop {
        if let Some(start) = walked.iter().position(|seen| *seen == node) {
            let mut path: Vec<usize> = walked.drain(start..).collect();
            path.reverse();
            // Begin with the lowest index, so that the same cycle is always told in the same way.
            let lowest = path.iter().enumerate().min_by_key(|(_, node)| **node).map_or(0, |(at, _)| at);
            path.rotate_left(lowest);
            return path;
        }
        walked.push(node);
        match feeder_of(node) {
            Some(feeder) => node = feeder,
            None => return walked,
        }
    }
}

/// Which pipelines feed which by a derived stream.
pub fn derivations(pipelines: &[PipelineSpec]) -> Vec<Vec<usize>> {
    let feeds = |from: &PipelineSpec, to: &PipelineSpec| {
        from.streams.iter().any(|stream| to.from.iter().any(|selector| stream.name.feeds(selector)))
    };
    pipelines
        .iter()
        .map(|from| {
            pipelines.iter().enumerate().filter(|(_, to)| feeds(from, to)).map(|(index, _)| index).collect()
        })
        .collect()
}

/// Pipelines (indexes) grouped into flows: those that feed each other by derived streams, or write the same derived stream, share one cursor.
/// Inside a flow in the order of derivation; flows in the order of their first pipeline. A checked configuration has no cycle; were there one,
/// its pipelines would keep the order of the text.
pub fn flows(pipelines: &[PipelineSpec]) -> Vec<Vec<usize>> {
    let edges = derivations(pipelines);
    let order = topological(&edges).unwrap_or_else(|_| (0..pipelines.len()).collect());
    let mut rank = vec![0usize; pipelines.len()];
    for (place, node) in order.iter().enumerate() {
        if let Some(rank) = rank.get_mut(*node) {
            *rank = place;
        }
    }
    let joined = |a: usize, b: usize| {
        let feeds = |from: usize, to: usize| edges.get(from).is_some_and(|targets| targets.contains(&to));
        let same = match (pipelines.get(a), pipelines.get(b)) {
            (Some(a), Some(b)) => a.streams.iter().any(|x| b.streams.iter().any(|y| x.name.meets(&y.name))),
            _ => false,
        };
        feeds(a, b) || feeds(b, a) || same
    };
    let mut unseen: BTreeSet<usize> = (0..pipelines.len()).collect();
    let mut flows = Vec::new();
    while let Some(first) = unseen.pop_first() {
        let mut flow = vec![first];
        let mut front = VecDeque::from([first]);
        while let Some(node) = front.pop_front() {
            let near: Vec<usize> = unseen.iter().copied().filter(|other| joined(node, *other)).collect();
            for other in near {
                unseen.remove(&other);
                flow.push(other);
                front.push_back(other);
            }
        }
        flow.sort_by_key(|node| rank.get(*node).copied());
        flows.push(flow);
    }
    flows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_puts_feeders_first_and_is_stable() {
        assert_eq!(topological(&[vec![], vec![0], vec![1], vec![]]), Ok(vec![2, 1, 0, 3]));
        assert_eq!(topological(&[]), Ok(vec![]));
    }

    #[test]
    fn a_cycle_is_named_once_without_what_hangs_on_it() {
        // 0 -> 2 -> 3 -> 1 -> 2 and 3 -> 4.
        assert_eq!(topological(&[vec![2], vec![2], vec![3], vec![1, 4], vec![]]), Err(vec![1, 2, 3]));
        assert_eq!(topological(&[vec![0]]), Err(vec![0]));
    }
}
