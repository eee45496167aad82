//! Source `weir`: the program's own counters as ordinary events, every second.
//!
//! In: [`Accept::own_counters`](super::Accept::own_counters), one batch per kind of counter. Out: those batches, unchanged. A second
//! without room is left out and counted as a wait.

use std::thread::JoinHandle;

use super::{Outlet, StartError};

pub(super) fn start(outlet: &Outlet) -> Result<JoinHandle<()>, StartError> {
    let own = outlet.clone();
    super::spawn(outlet, "", move || {
        super::every_second(own, |outlet| drop(outlet.send(outlet.accept.own_counters())))
    })
}
