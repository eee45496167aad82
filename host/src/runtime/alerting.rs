//! Between flows and alerts: what rules say goes into the state machine, what comes out is logged and handed to the channels.
//!
//! In: the words of a record that is done, and ticks, with which event time passes for the rules of a flow. Out: alerts for the API, log lines, notices. One
//! lock around the machine, held for one record's words. Log lines are bounded to [`LINES_MAX`] for each record; the rest is one line with a count.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use weir_core::alerts::{Alerts, Policy, Transition, What};
use weir_core::config::{AlertSpec, Topology};
use weir_core::flow::counters::Shown;
use weir_core::flow::effects::Said;
use weir_core::flow::{Flow, Pipeline};
use weir_core::record::{Payload, Record};

use crate::channels::webhook::what_word;
use crate::channels::{Channels, Notice};

/// Lines of the log about the alerts of one record.
const LINES_MAX: usize = 50;
/// Notices that a replay keeps.
const HELD_MAX: usize = 1_000;

/// Time of acceptance, and what was not said.
type Held = VecDeque<(i64, Arc<Notice>)>;

#[derive(Default)]
pub struct Alerting {
    pub alerts: Mutex<Alerts>,
    specs: Mutex<HashMap<Arc<str>, Arc<AlertSpec>>>,
    pub channels: Channels,
    /// While the past is replayed, the newest notices with the time of acceptance of their record: who was to be told was, but perhaps for the last.
    held: Mutex<Option<Held>>,
}

fn policies(topology: &Topology) -> Vec<(Arc<str>, Policy)> {
    topology.rules.iter().map(|rule| (Arc::clone(&rule.id), rule.alerts.policy)).collect()
}

/// Its rules come after its units.
fn has_rules(pipeline: &Pipeline) -> bool {
    pipeline.nodes.len() > pipeline.units
}

impl Alerting {
    /// Before new flows begin: their rules are known beside the old ones.
    pub fn expect(&self, topology: &Topology, old: Option<&Topology>) {
        let mut rules = policies(topology);
        for (id, policy) in old.map(policies).unwrap_or_default() {
            if !rules.iter().any(|(known, _)| *known == id) {
                rules.push((id, policy));
            }
        }
        self.alerts.lock().declare(&rules, 0);
        let mut specs = self.specs.lock();
        for rule in &topology.rules {
            specs.insert(Arc::clone(&rule.id), Arc::new(rule.alerts.clone()));
        }
    }

    /// After the switch at a position: rules that are gone end their alerts, and the channels are those of the configuration.
    pub fn settle(&self, topology: &Topology, position: u64) {
        let ended = self.alerts.lock().declare(&policies(topology), position);
        self.tell(ended, i64::MAX);
        self.specs.lock().retain(|id, _| topology.rules.iter().any(|rule| rule.id == *id));
        let address = format!("http://{}/", topology.server.listen);
        if let Err(error) = self.channels.set(&topology.channels, &address) {
            tracing::error!(%error, "channels could not be started");
        }
    }

    /// What a finished record says to the rules' alerts.
    pub fn commit(&self, flow: &Flow, record: &Record, words: Vec<Said>) {
        let tick = matches!(record.payload, Payload::Tick { .. });
        if words.is_empty() && !(tick && flow.pipelines.iter().any(has_rules)) {
            return;
        }
        let lane = flow.lane.as_ref().map_or(0, |lane| lane.index);
        let mut transitions = Vec::new();
        let mut alerts = self.alerts.lock();
        for said in words {
            transitions.extend(alerts.say(lane, said));
        }
        if tick {
            for pipeline in flow.pipelines.iter().filter(|pipeline| has_rules(pipeline)) {
                pass(&mut alerts, pipeline, lane, record.position.offset, &mut transitions);
            }
        }
        drop(alerts);
        self.tell(transitions, record.accepted_at_unix_ns);
    }

    /// From here on nobody is told anything.
    pub fn begin_replay(&self) {
        *self.held.lock() = Some(VecDeque::new());
    }

    /// Tells what records that were accepted from `since` on have changed: before a crash it may not have been said any more. Twice is better than never.
    pub fn end_replay(&self, since_unix_ns: i64) {
        for (at, notice) in self.held.lock().take().unwrap_or_default() {
            if at >= since_unix_ns {
                self.channels.send(&notice);
            }
        }
    }

    pub fn spec(&self, rule: &str) -> Option<Arc<AlertSpec>> {
        self.specs.lock().get(rule).cloned()
    }

    fn tell(&self, transitions: Vec<Transition>, accepted_at_unix_ns: i64) {
        let mut lines = if self.held.lock().is_some() { LINES_MAX + 2 } else { 0 };
        for transition in transitions {
            lines += usize::from(lines <= LINES_MAX && log(&transition));
            if lines == LINES_MAX + 1 {
                tracing::warn!("more alerts than lines of the log; see /api/alerts");
                lines += 1;
            }
            if matches!(transition.what, What::Pending | What::Withdrawn | What::Calm) {
                continue;
            }
            let Some(spec) = self.spec(&transition.alert.rule) else { continue };
            let notice = Arc::new(Notice { rule: Arc::clone(&transition.alert.rule), spec, transition });
            match &mut *self.held.lock() {
                Some(held) => {
                    held.push_back((accepted_at_unix_ns, notice));
                    let more = held.len().saturating_sub(HELD_MAX);
                    held.drain(..more);
                }
                None => self.channels.send(&notice),
            }
        }
    }
}

/// Event time passes for the rules of a pipeline, as far behind as the units before them hold rows back.
fn pass(alerts: &mut Alerts, pipeline: &Pipeline, lane: u32, position: u64, out: &mut Vec<Transition>) {
    for node in pipeline.nodes.iter().skip(pipeline.units) {
        alerts.set_failing(&node.id, matches!(node.counters.shown(), Shown::Faulted | Shown::OpenCircuit));
        let behind = pipeline.spec.lateness_ns.saturating_add(node.hold_ns);
        let mark = |triplet: &_| pipeline.watermarks.before(triplet).saturating_sub(behind);
        out.extend(alerts.advance(&node.id, lane, position, mark));
    }
}

/// Whether it was worth a line.
fn log(transition: &Transition) -> bool {
    let alert = &transition.alert;
    let labels: Vec<String> = alert.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let labels = labels.join(" ");
    let (what, level) = (what_word(transition.what), alert.level.word());
    let (rule, stream, summary, position) =
        (&alert.rule, alert.triplet.as_str(), &alert.summary, transition.position);
    match transition.what {
        What::Fired | What::Level { .. } | What::Flapping => {
            tracing::warn!(%rule, stream, labels, level, what, position, summary, "alert fires");
        }
        What::Ended(_) => {
            tracing::info!(%rule, stream, labels, level, what, position, summary, "alert is over")
        }
        What::Pending | What::Withdrawn | What::Calm => {
            tracing::debug!(%rule, stream, labels, level, what, position, summary, "alert moves");
            return false;
        }
    }
    true
}
