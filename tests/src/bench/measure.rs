//! Clocks and numbers of the benches.
//!
//! CPU time (user and system, ns) of this thread or of a whole process, memory of a process as Linux tells it, medians. Linux only.

use std::mem::MaybeUninit;

use anyhow::{Context, Result, ensure};

/// CPU time of this thread, ns.
pub fn thread_cpu_ns() -> Result<u64> {
    clock_ns(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// CPU time of a process with all its threads, those that ended too; ns.
pub fn process_cpu_ns(pid: u32) -> Result<u64> {
    let mut clock = MaybeUninit::uninit();
    // SAFETY: the pointer is good for one clockid_t, which the call writes where it returns 0.
    let status = unsafe { libc::clock_getcpuclockid(pid as libc::pid_t, clock.as_mut_ptr()) };
    ensure!(status == 0, "no CPU clock of process {pid}: has it ended?");
    // SAFETY: written, because the status is 0.
    clock_ns(unsafe { clock.assume_init() })
}

fn clock_ns(clock: libc::clockid_t) -> Result<u64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is good for one timespec.
    let status = unsafe { libc::clock_gettime(clock, &raw mut time) };
    ensure!(status == 0, "read a CPU clock: {}", std::io::Error::last_os_error());
    Ok(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// A member of `/proc/PID/status` in KiB, such as `VmHWM`, as MiB.
pub fn memory_mib(pid: u32, member: &str) -> Result<f64> {
    let status =
        std::fs::read_to_string(format!("/proc/{pid}/status")).context("read the status of the process")?;
    let line = status.lines().find_map(|line| line.strip_prefix(member)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse::<f64>().ok());
    Ok(kib.with_context(|| format!("no {member} in the status of process {pid}"))? / 1_024.0)
}

/// The value that this share of all values does not exceed (nearest rank); NaN of none.
pub fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = ((sorted.len() as f64 * share).ceil() as usize).max(1) - 1;
    sorted.get(rank.min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

pub fn median(values: &[f64]) -> f64 {
    percentile(values, 0.5)
}

/// `median (least-greatest)` with that many digits.
pub fn spread(values: &[f64], digits: usize) -> String {
    let (least, greatest) = (percentile(values, 0.0), percentile(values, 1.0));
    format!("{:.digits$} ({least:.digits$}-{greatest:.digits$})", median(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_of_the_list() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|share| percentile(&values, share)), [1.0, 2.0, 4.0, 4.0]);
        assert!(median(&[]).is_nan());
        assert_eq!(spread(&values, 1), "2.0 (1.0-4.0)");
    }

    #[test]
    fn clocks_of_this_process_go_on() {
        let before = process_cpu_ns(std::process::id()).unwrap();
        let thread = thread_cpu_ns().unwrap();
        let mut sum = 0_u64;
        while thread_cpu_ns().unwrap() < thread + 1_000_000 {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(process_cpu_ns(std::process::id()).unwrap() >= before + 1_000_000);
        assert!(memory_mib(std::process::id(), "VmHWM").unwrap() > 0.0);
    }
}
