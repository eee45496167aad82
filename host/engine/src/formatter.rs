//! An instance of a formatter: series or events to a chart.
//!
//! In: a request with columns. Out: a checked [`Chart`]. A formatter is pure, so the instance makes itself anew after a fault or a failure; the
//! answer of that call is the fault or the failure all the same. A Rust formatter needs microseconds, a Python one a millisecond.

use crate::bindings::given;
use crate::bindings::made::exports::weir::plugin::rendering;
use crate::check::OutputLimits;
use crate::check::chart::{Chart, chart};
use crate::component::{Component, Step};
use crate::fault::{Fault, FaultKind};
use crate::guest::{Access, Call, Guest, LogSink, Moment, Served};
use crate::imports::LogLevel;
use crate::limits::Limits;
use crate::unit::{Answer, rounded, settle};

pub struct FormatterInstance {
    component: Component,
    limits: Limits,
    /// Shared with each instance that is made.
    log: std::sync::Arc<parking_lot::Mutex<LogSink>>,
    live: Option<(Guest, rendering::Guest)>,
}

impl FormatterInstance {
    pub fn new(component: &Component, log: LogSink, limits: Limits) -> Result<Self, Fault> {
        let log = std::sync::Arc::new(parking_lot::Mutex::new(log));
        let mut formatter = Self { component: component.clone(), limits, log, live: None };
        formatter.live = Some(formatter.instantiate()?);
        Ok(formatter)
    }

    pub fn render(&mut self, request: &given::Request<'_>) -> Answer<Chart> {
        let (mut guest, rendering) = match self.live.take() {
            Some(live) => live,
            None => self.instantiate()?,
        };
        let start = rounded(request.start);
        let request = given::Request { start, end: rounded(request.end), ..*request };
        let moment = Moment { now_unix_ns: request.end, ..Moment::default() };
        let call =
            Call { name: "render", access: Access::LogOnly, deadline_ms: self.limits.deadline_ms, moment };
        let answer = guest.call(call, |store| rendering.call_render(store, request))?;
        let answer = settle(&mut guest, "render", answer, 0, &OutputLimits::default(), chart)?;
        if !guest.is_spent() {
            self.live = Some((guest, rendering));
        }
        Ok(answer)
    }

    pub fn memory_bytes(&self) -> usize {
        self.live.as_ref().map_or(0, |(guest, _)| guest.memory_bytes())
    }

    fn instantiate(&self) -> Result<(Guest, rendering::Guest), Fault> {
        let Step::Formatter(indices) = self.component.step() else {
            let text = format!("a {} is no formatter", self.component.world().as_str());
            return Err(Fault::new("instantiate", FaultKind::Host, text));
        };
        let log = std::sync::Arc::clone(&self.log);
        let sink: LogSink = Box::new(move |level: LogLevel, line: &str| (log.lock())(level, line));
        let (mut guest, instance) = Guest::new(&self.component, &self.limits, Served::Log(sink))?;
        let rendering = guest.lookup("weir:plugin/rendering", |store| indices.load(store, &instance))?;
        Ok((guest, rendering))
    }
}
