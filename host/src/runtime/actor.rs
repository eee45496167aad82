//! A flow as an actor: its queue, its body, and the rule that one worker at a time runs it.
//!
//! Records go into the queue under the log's lock, in the order of the log. Whoever finds the actor unscheduled schedules it; a worker then runs up to a slice of
//! [`SLICE`] and gives way. After a fault the actor goes to the recovery thread for a while, so that flows without faults do not wait
//! for its bisection. When the configuration changes at a position, actors that do not survive hand their units' state over when they reach it
//! (see [`Handoff`]), and their successors begin right after it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use weir_core::config::LagSpec;
use weir_core::flow::{Flow, Outcome};
use weir_core::record::{Command, Payload, Record};
use weir_core::triplet::Selector;

use super::checkpoint::capture::Round;
use super::handoff::{Handoff, Rest};
use super::overs::{Overs, Wanted};
use super::queue::Queue;

/// A worker gives way after this long.
const SLICE: Duration = Duration::from_millis(5);
/// Records without a fault after which a flow leaves the recovery thread.
const CALM_RECORDS: u32 = 256;

/// What a slice asks of the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing to do until a record comes.
    Rest,
    /// More to do: to the end of the line.
    Again,
}

pub struct Actor {
    /// Name of the flow and, with lanes, the lane.
    pub name: Arc<str>,
    pub lane: u32,
    /// Names of its pipelines.
    pub pipelines: Vec<Arc<str>>,
    pub queue: Mutex<Queue>,
    body: Mutex<Body>,
    scheduled: AtomicBool,
    pub in_recovery: AtomicBool,
    /// A checkpoint that it is asked for.
    asked: Mutex<Option<Arc<Round>>>,
    /// What comes before this offset is in it already.
    from: AtomicU64,
    /// What it wants, and whether the sources of that must wait.
    wanted: Arc<Wanted>,
    overs: Arc<Overs>,
}

enum Body {
    /// Its units' state is still with its predecessors.
    Waiting,
    Running {
        flow: Box<Flow>,
        calm: u32,
    },
    /// Handed over.
    Gone,
}

/// What a flow may do now.
enum Look {
    Free,
    Held,
    /// Held, and a change of the configuration ends it.
    Leaves(u64, Arc<Handoff>),
}

/// Where the effects of a record go.
pub trait Commit {
    fn commit(&self, flow: &Flow, record: &Record, effects: weir_core::flow::effects::Effects);
    /// All that a checkpoint needs of a flow that has everything it was given before `from`, but for the records and rows that it left out.
    fn capture(&self, flow: &Flow, lane: u32, from: u64, skipped: [u64; 2], round: &Round);
    /// A flow that panicked: the host's own mistake. `name` has the lane.
    fn panicked(&self, name: &str, flow: &Flow, record: &Record);
}

impl Actor {
    pub fn new(
        name: Arc<str>,
        lane: u32,
        pipelines: Vec<Arc<str>>,
        lag: LagSpec,
        selectors: Vec<Selector>,
        overs: Arc<Overs>,
    ) -> Self {
        Self {
            name,
            lane,
            pipelines,
            queue: Mutex::new(Queue::new(lag)),
            body: Mutex::new(Body::Waiting),
            scheduled: AtomicBool::new(false),
            in_recovery: AtomicBool::new(false),
            asked: Mutex::default(),
            from: AtomicU64::new(0),
            wanted: Wanted::new(selectors),
            overs,
        }
    }

    /// Gives the actor its flow, and what its predecessor could not run; from now on it can run.
    pub fn begin(&self, flow: Flow, rest: Rest) {
        {
            let mut queue = self.queue.lock();
            queue.put_before(rest.records);
            queue.skipped_records += rest.skipped_records;
            queue.skipped_rows += rest.skipped_rows;
        }
        *self.body.lock() = Body::Running { flow: Box::new(flow), calm: CALM_RECORDS };
    }

    /// A flow that came back from a checkpoint: what it knows it passes over.
    pub fn pass_until(&self, from: u64) {
        self.from.store(from, Ordering::Release);
    }

    pub fn wants(&self, offset: u64) -> bool {
        offset >= self.from.load(Ordering::Acquire)
    }

    /// To be answered once the records before the round's position are done. The caller schedules it.
    pub fn ask(&self, round: Arc<Round>) {
        *self.asked.lock() = Some(round);
    }

    /// Between two records.
    fn answer(&self, flow: &Flow, commit: &dyn Commit) {
        let mut asked = self.asked.lock();
        let Some(round) = &*asked else { return };
        let (from, skipped) = {
            let queue = self.queue.lock();
            let from = round.from(queue.first_offset(), queue.held);
            (from, [queue.skipped_records, queue.skipped_rows])
        };
        if let Some(from) = from {
            let round = Arc::clone(round);
            *asked = None;
            drop(asked);
            commit.capture(flow, self.lane, from, skipped, &round);
        }
    }

    fn is_asked(&self) -> bool {
        self.asked.lock().is_some()
    }

    /// Puts a record into the queue. True: the caller must schedule the actor.
    pub fn push(&self, record: Arc<Record>) -> bool {
        let over = {
            let mut queue = self.queue.lock();
            queue.ageless = self.overs.replaying.load(Ordering::Relaxed);
            queue.push(record);
            queue.is_over()
        };
        self.set_over(over);
        self.claim()
    }

    /// True for the one who has to put it into the line.
    pub fn claim(&self) -> bool {
        !self.scheduled.swap(true, Ordering::AcqRel)
    }

    fn set_over(&self, over: bool) {
        self.overs.set(&self.wanted, over);
    }

    /// Runs records until there are none, the slice is over, or the flow is held or gone.
    pub fn run(
        &self,
        patient: bool,
        commit: &dyn Commit,
        handoff: &dyn Fn(u64) -> Option<Arc<Handoff>>,
    ) -> Next {
        let until = Instant::now() + SLICE;
        let next = {
            let mut body = self.body.lock();
            loop {
                let Body::Running { flow, calm } = &mut *body else { break Next::Rest };
                self.answer(flow, commit);
                match self.look(flow, handoff) {
                    Look::Free => {}
                    Look::Held => {
                        self.answer(flow, commit);
                        break Next::Rest;
                    }
                    Look::Leaves(revision, handoff) => {
                        let rest = self.queue.lock().take_until(revision);
                        if let Body::Running { flow, .. } = std::mem::replace(&mut *body, Body::Gone) {
                            handoff.give(self, *flow, rest);
                        }
                        break Next::Rest;
                    }
                }
                let Some(record) = self.take() else { break Next::Rest };
                if !self.wants(record.position.offset) {
                    continue;
                }
                let retires = match &record.payload {
                    Payload::Command(Command::Configure { revision, .. }) => handoff(*revision),
                    _ => None,
                };
                if let Some(handoff) = retires.filter(|handoff| handoff.wants(self)) {
                    if let Body::Running { flow, .. } = std::mem::replace(&mut *body, Body::Gone) {
                        handoff.give(self, *flow, VecDeque::new());
                    }
                    break Next::Rest;
                }
                let taken_back = self.run_one(flow, calm, &record, patient, commit);
                if taken_back {
                    self.queue.lock().put_back(record);
                    break Next::Again;
                }
                if Instant::now() >= until {
                    break Next::Again;
                }
            }
        };
        if next == Next::Again {
            return next;
        }
        self.scheduled.store(false, Ordering::Release);
        // A record may have come after the last look and before the flag fell: then its sender saw the flag still up.
        if self.has_work() && self.claim() { Next::Again } else { Next::Rest }
    }

    /// True where a fault was met and the record must be run again by the recovery thread.
    fn run_one(
        &self,
        flow: &mut Flow,
        calm: &mut u32,
        record: &Record,
        patient: bool,
        commit: &dyn Commit,
    ) -> bool {
        let clock = super::monotonic_ns;
        // A panic in here is a bug of the host; the flow goes on with the next record, and the bug is counted and shown.
        let outcome = catch_unwind(AssertUnwindSafe(|| flow.run(record, patient, &clock)));
        let taken_back = matches!(outcome, Ok(Outcome::TakenBack(_)));
        match outcome {
            Ok(Outcome::Done(effects) | Outcome::TakenBack(effects)) => commit.commit(flow, record, effects),
            Err(_) => {
                flow.take_back();
                commit.panicked(&self.name, flow, record);
            }
        }
        *calm = if flow.faulted() { 0 } else { calm.saturating_add(1) };
        self.in_recovery.store(*calm < CALM_RECORDS, Ordering::Relaxed);
        taken_back
    }

    fn take(&self) -> Option<Arc<Record>> {
        let (record, over) = {
            let mut queue = self.queue.lock();
            let record = queue.pop();
            // Not at once when it falls below: else sources and flow would hand each other single records.
            (record, queue.is_over())
        };
        self.set_over(over);
        record
    }

    /// Whether the flow waits for an operator or a circuit; commands that would end that are obeyed at once. A flow that waits and is to end hands
    /// over at once, with what it could not run: so that what was paused for a repair runs through the repaired units.
    fn look(&self, flow: &mut Flow, handoff: &dyn Fn(u64) -> Option<Arc<Handoff>>) -> Look {
        let newest = self.queue.lock().newest_unix_ns();
        if !flow.held(newest) {
            self.queue.lock().held = false;
            return Look::Free;
        }
        let commands = self.queue.lock().ahead();
        let mut leaves = None;
        for command in &commands {
            match command {
                Command::Configure { revision, .. } => {
                    let ending = handoff(*revision).filter(|handoff| handoff.wants(self));
                    if let Some(ending) = ending {
                        leaves = Some((*revision, ending));
                        break;
                    }
                }
                command => flow.command(command),
            }
        }
        let held = flow.held(newest);
        self.queue.lock().held = held;
        if !held {
            return Look::Free;
        }
        self.set_over(false);
        match leaves.filter(|(_, handoff)| handoff.takes_rest(self)) {
            Some((revision, handoff)) => Look::Leaves(revision, handoff),
            None => Look::Held,
        }
    }

    fn has_work(&self) -> bool {
        let waits = {
            let queue = self.queue.lock();
            (!queue.is_empty() && !queue.held) || (self.is_asked() && (queue.is_empty() || queue.held))
        };
        // Locked: somebody runs it right now and will look again.
        waits && self.body.try_lock().is_some_and(|body| matches!(*body, Body::Running { .. }))
    }

    /// Whether everything that it can run has run.
    pub fn is_idle(&self) -> bool {
        !self.scheduled.load(Ordering::Acquire) && !self.has_work()
    }

    /// The end: units say good-bye, and nothing waits for this flow any more.
    pub fn close(&self) {
        self.set_over(false);
        if let Body::Running { mut flow, .. } = std::mem::replace(&mut *self.body.lock(), Body::Gone) {
            for pipeline in &mut flow.pipelines {
                for node in &mut pipeline.nodes {
                    node.unit.close();
                }
            }
        }
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        self.set_over(false);
    }
}
