//! Source `host`: this machine, every second.
//!
//! In: what the operating system says. Out: one batch for each of the streams `host/local/{cpu,memory,load,disk,network,process}`, all with
//! the same event time (now). Columns: cpu {core "0".. and "all", busy_percent}, memory {used_bytes, total_bytes, available_bytes,
//! swap_used_bytes}, load {one, five, fifteen}, disk {device, read_bytes_per_s, written_bytes_per_s, used_bytes, total_bytes}, network
//! {interface, received_bytes_per_s, sent_bytes_per_s}, process {running, total}; bytes and percents as f64, counts as u64. A rate is over
//! the time since the last reading, so the first reading gives cpu, disk and network nothing. A measurement that cannot be had is left out,
//! never zero. Limits: [`ROWS_MAX`] devices or interfaces each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow_buffer::ScalarBuffer;
use sysinfo::{
    DiskRefreshKind, Disks, Networks, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System,
};
use weir_core::batch::Incoming;
use weir_core::triplet::Triplet;

use super::{Outlet, StartError};

/// Rows of one reading; a machine with more network interfaces than this has them made by containers.
const ROWS_MAX: usize = 256;

pub(super) fn start(outlet: &Outlet) -> Result<JoinHandle<()>, StartError> {
    let own = outlet.clone();
    super::spawn(outlet, "", move || async move {
        let mut machine = Machine::new();
        super::every_second(own, move |outlet| {
            outlet.send(machine.read(&outlet.name, outlet.accept.now_unix_ns()));
        })
        .await;
    })
}

/// What must be remembered from one reading to the next.
struct Machine {
    system: Option<System>,
    disks: Option<Disks>,
    networks: Option<Networks>,
    /// When the last reading was; none before the first.
    last: Option<Instant>,
}

impl Machine {
    fn new() -> Self {
        Self {
            system: System::new().ok(),
            disks: Disks::new().ok(),
            networks: Networks::new().ok(),
            last: None,
        }
    }

    fn read(&mut self, source: &Arc<str>, now_unix_ns: i64) -> Vec<Incoming> {
        let at = Instant::now();
        let elapsed_s = self.last.replace(at).map(|last| at.duration_since(last).as_secs_f64());
        let elapsed_s = elapsed_s.filter(|elapsed_s| *elapsed_s > 0.0);
        let readings = [
            self.cpu(elapsed_s.is_some()),
            self.memory(),
            load(),
            self.disk(elapsed_s),
            self.network(elapsed_s),
            self.process(),
        ];
        readings.into_iter().flatten().filter_map(|reading| reading.batch(source, now_unix_ns)).collect()
    }

    fn cpu(&mut self, has_last: bool) -> Option<Reading> {
        let system = self.system.as_mut()?;
        system.refresh_cpu_usage();
        if !has_last || system.cpus().is_empty() {
            return None;
        }
        let mut core: Vec<String> =
            (0..system.cpus().len().min(ROWS_MAX)).map(|core| core.to_string()).collect();
        let mut busy: Vec<f64> =
            system.cpus().iter().take(ROWS_MAX).map(|cpu| f64::from(cpu.usage())).collect();
        core.push("all".to_owned());
        busy.push(f64::from(system.global_cpu_usage()));
        Some(Reading { stream: "cpu", columns: vec![("core", texts(core)), ("busy_percent", f64s(busy))] })
    }

    fn memory(&mut self) -> Option<Reading> {
        let system = self.system.as_mut()?;
        system.refresh_memory();
        if system.total_memory() == 0 {
            return None;
        }
        let columns = [
            ("used_bytes", system.used_memory()),
            ("total_bytes", system.total_memory()),
            ("available_bytes", system.available_memory()),
            ("swap_used_bytes", system.used_swap()),
        ];
        let columns = columns.map(|(name, bytes)| (name, f64s(vec![bytes as f64])));
        Some(Reading { stream: "memory", columns: columns.into() })
    }

    fn disk(&mut self, elapsed_s: Option<f64>) -> Option<Reading> {
        let disks = self.disks.as_mut()?;
        disks.refresh_specifics(true, DiskRefreshKind::nothing().with_storage().with_io_usage());
        let elapsed_s = elapsed_s?;
        // A device that is mounted in several places is one device.
        let mut devices = BTreeMap::new();
        for disk in disks.iter().filter(|disk| disk.total_space() > 0) {
            let usage = disk.usage();
            let total = disk.total_space();
            let used = total.saturating_sub(disk.available_space());
            let row = [
                usage.read_bytes as f64 / elapsed_s,
                usage.written_bytes as f64 / elapsed_s,
                used as f64,
                total as f64,
            ];
            devices.entry(disk.name().to_string_lossy().into_owned()).or_insert(row);
        }
        Reading::of_rows(
            "disk",
            "device",
            ["read_bytes_per_s", "written_bytes_per_s", "used_bytes", "total_bytes"],
            devices,
        )
    }

    fn network(&mut self, elapsed_s: Option<f64>) -> Option<Reading> {
        let networks = self.networks.as_mut()?;
        networks.refresh(true);
        let elapsed_s = elapsed_s?;
        let rows = networks.iter().map(|(interface, network)| {
            let rates = [network.received() as f64 / elapsed_s, network.transmitted() as f64 / elapsed_s];
            (interface.to_string_lossy().into_owned(), rates)
        });
        Reading::of_rows("network", "interface", ["received_bytes_per_s", "sent_bytes_per_s"], rows.collect())
    }

    fn process(&mut self) -> Option<Reading> {
        let system = self.system.as_mut()?;
        system.refresh_processes_specifics(ProcessesToUpdate::All, true, ProcessRefreshKind::nothing());
        let total = system.processes().len();
        if total == 0 {
            return None;
        }
        let running =
            system.processes().values().filter(|process| process.status() == ProcessStatus::Run).count();
        let columns = [("running", running), ("total", total)]
            .map(|(name, n)| (name, Arc::new(UInt64Array::from(vec![n as u64])) as ArrayRef));
        Some(Reading { stream: "process", columns: columns.into() })
    }
}

fn load() -> Option<Reading> {
    let load = System::load_average().ok()?;
    let columns = [("one", load.one), ("five", load.five), ("fifteen", load.fifteen)];
    Some(Reading { stream: "load", columns: columns.map(|(name, value)| (name, f64s(vec![value]))).into() })
}

/// One stream's rows.
struct Reading {
    stream: &'static str,
    columns: Vec<(&'static str, ArrayRef)>,
}

impl Reading {
    /// One row for each name, sorted by name. None where there is no row.
    fn of_rows<const N: usize>(
        stream: &'static str,
        label: &'static str,
        fields: [&'static str; N],
        rows: BTreeMap<String, [f64; N]>,
    ) -> Option<Self> {
        if rows.is_empty() {
            return None;
        }
        let mut names = Vec::with_capacity(rows.len());
        let mut values: [Vec<f64>; N] = std::array::from_fn(|_| Vec::with_capacity(rows.len()));
        for (name, row) in rows.into_iter().take(ROWS_MAX) {
            names.push(name);
            values.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
        }
        let mut columns = vec![(label, texts(names))];
        columns.extend(fields.into_iter().zip(values.map(f64s)));
        Some(Self { stream, columns })
    }

    fn batch(self, source: &Arc<str>, now_unix_ns: i64) -> Option<Incoming> {
        let triplet = Triplet::new("host", "local", self.stream).ok()?;
        let columns = RecordBatch::try_from_iter(self.columns).ok()?;
        let time = ScalarBuffer::from(vec![now_unix_ns; columns.num_rows()]);
        Some(Incoming { triplet, source: source.clone(), time, columns })
    }
}

fn texts(values: Vec<String>) -> ArrayRef {
    Arc::new(StringArray::from(values))
}

fn f64s(values: Vec<f64>) -> ArrayRef {
    Arc::new(Float64Array::from(values))
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;

    use super::*;

    fn streams(batches: &[Incoming]) -> Vec<String> {
        batches.iter().map(|batch| batch.triplet.to_string()).collect()
    }

    #[test]
    fn the_first_reading_has_no_rates_and_the_second_has() {
        let mut machine = Machine::new();
        let first = streams(&machine.read(&"host".into(), 1));
        assert_eq!(first, ["host/local/memory", "host/local/load", "host/local/process"]);
        let second = machine.read(&"host".into(), 2);
        let names = streams(&second);
        assert!(names.contains(&"host/local/cpu".to_owned()), "{names:?}");
        assert!(names.contains(&"host/local/network".to_owned()), "{names:?}");
        for batch in &second {
            assert_eq!(batch.columns.num_rows(), batch.rows());
            assert!(batch.time.iter().all(|time| *time == 2));
        }
    }

    #[test]
    fn cpu_has_a_row_for_each_core_and_one_for_all() {
        let mut machine = Machine::new();
        machine.read(&"host".into(), 1);
        let batches = machine.read(&"host".into(), 2);
        let cpu = batches.iter().find(|batch| batch.triplet.event_type() == "cpu").unwrap();
        let core = cpu.columns.column(0).as_any().downcast_ref::<StringArray>().unwrap();
        assert_eq!(core.value(core.len() - 1), "all");
        assert_eq!(core.len(), machine.system.as_ref().unwrap().cpus().len() + 1);
    }

    #[test]
    fn a_reading_without_rows_is_left_out() {
        assert!(Reading::of_rows("disk", "device", ["used_bytes"], BTreeMap::new()).is_none());
    }
}
