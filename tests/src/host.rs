//! A real `weir` for tests: its own ports below 32768, its own data folder, ended by process id.
//!
//! In: a configuration with `{http}` and `{tcp}` where the ports go. Out: a host that can be asked, given events and ended. All waits are bounded and look at a
//! condition; on failure they tell what was there instead. How it is started: [`crate::process`].

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::client::{self, Answer};
use crate::process::{Running, Weir, command, command_under, said};
pub use crate::process::{free_port, program};

const WAIT_MAX: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A running `weir`; killed when dropped.
pub struct TestHost {
    weir: Weir,
    pub http: u16,
    pub tcp: u16,
    pub folder: tempfile::TempDir,
}

/// The compiled standard components, shared by all hosts of a test run.
fn warm_cache(data: &Path) -> Result<()> {
    let shared = std::env::temp_dir().join(format!("weir-tests-cache-{}", std::process::id()));
    let ours = data.join("cache");
    if shared.is_dir() && !ours.exists() {
        copy(&shared, &ours)?;
    }
    Ok(())
}

fn keep_cache(data: &Path) -> Result<()> {
    let shared = std::env::temp_dir().join(format!("weir-tests-cache-{}", std::process::id()));
    if !shared.exists() {
        let staged = shared.with_extension(rand::random::<u32>().to_string());
        copy(&data.join("cache"), &staged)?;
        // Another test may have been faster; then its copy is as good.
        if std::fs::rename(&staged, &shared).is_err() {
            std::fs::remove_dir_all(&staged)?;
        }
    }
    Ok(())
}

/// A folder of files, with their modes: the cache's key is for its owner alone.
fn copy(from: &Path, to: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(to)?;
    for file in std::fs::read_dir(from).with_context(|| from.display().to_string())? {
        let file = file?;
        std::fs::copy(file.path(), to.join(file.file_name()))?;
    }
    Ok(())
}

impl TestHost {
    pub fn start(config: &str) -> Result<Self> {
        Self::start_in(config, tempfile::tempdir()?)
    }

    /// Goes on with what is in the folder, on new ports.
    pub fn start_in(config: &str, folder: tempfile::TempDir) -> Result<Self> {
        Self::start_on(config, folder, (free_port()?, free_port()?))
    }

    /// The same on ports that were given before: then nothing about the configuration changes.
    pub fn start_on(config: &str, folder: tempfile::TempDir, ports: (u16, u16)) -> Result<Self> {
        Self::start_under(&[], config, folder, ports)
    }

    /// By another program, which becomes `weir` in the end.
    pub fn start_under(
        under: &[String],
        config: &str,
        folder: tempfile::TempDir,
        ports: (u16, u16),
    ) -> Result<Self> {
        let data = folder.path().join("data");
        warm_cache(&data)?;
        let mut command = command_under(under, folder.path(), true)?;
        let weir = Weir::start_by(&mut command, config, folder.path(), ports)?;
        keep_cache(&data)?;
        Ok(Self { http: weir.http_port, tcp: weir.tcp_port, weir, folder })
    }

    /// The end of what it wrote to standard error.
    pub fn log(&self) -> String {
        said(self.folder.path())
    }

    pub fn pid(&self) -> u32 {
        self.weir.process.pid()
    }

    pub fn is_alive(&mut self) -> bool {
        matches!(self.weir.process.ended_within(Duration::ZERO), Ok(None))
    }

    pub fn get(&self, path: &str) -> Result<Answer> {
        client::request(self.http, "GET", path, &[], b"")
    }

    pub fn json(&self, path: &str) -> Result<Value> {
        let answer = self.get(path)?;
        serde_json::from_slice(&answer.body).with_context(|| format!("{path}: {}", answer.text()))
    }

    pub fn post(&self, path: &str, body: &[u8]) -> Result<Answer> {
        client::request(self.http, "POST", path, &[("content-type", "application/x-ndjson")], body)
    }

    pub fn put(&self, path: &str, body: &str) -> Result<Answer> {
        client::request(self.http, "PUT", path, &[("content-type", "application/toml")], body.as_bytes())
    }

    /// Sends lines over one TCP connection and closes it.
    pub fn send(&self, lines: &str) -> Result<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.tcp))?;
        stream.write_all(lines.as_bytes())?;
        stream.shutdown(std::net::Shutdown::Write)?;
        Ok(())
    }

    /// Looks at `path` until `good` says so.
    pub fn wait(&self, path: &str, good: impl Fn(&Value) -> bool) -> Result<Value> {
        let until = Instant::now() + WAIT_MAX;
        loop {
            let seen = self.json(path)?;
            if good(&seen) {
                return Ok(seen);
            }
            if Instant::now() > until {
                bail!("{path} did not become as expected; it is {seen:#}\nlog:\n{}", self.log());
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// One counter of one unit.
    pub fn unit(&self, id: &str, counter: &str) -> Result<u64> {
        Ok(find_unit(&self.json("/api/pipelines")?, id).and_then(|unit| unit[counter].as_u64()).unwrap_or(0))
    }

    pub fn wait_unit(&self, id: &str, counter: &str, wanted: u64) -> Result<()> {
        let reached = |seen: &Value| {
            find_unit(seen, id).and_then(|unit| unit[counter].as_u64()).is_some_and(|value| value >= wanted)
        };
        self.wait("/api/pipelines", reached).with_context(|| format!("{id} {counter} >= {wanted}")).map(drop)
    }

    /// Points of a metric as (labels, time, values by field), sorted; NaN and missing are left out.
    pub fn points(&self, metric: &str) -> Result<Vec<Point>> {
        let answer = self.json(&format!("/api/series/points?metric={metric}"))?;
        Ok(points_of(&answer))
    }

    pub fn wait_points(&self, metric: &str, good: impl Fn(&[Point]) -> bool) -> Result<Vec<Point>> {
        let path = format!("/api/series/points?metric={metric}");
        self.wait(&path, |answer| good(&points_of(answer))).map(|answer| points_of(&answer))
    }

    pub fn signal(&mut self, signal: i32) -> Result<()> {
        self.weir.process.signal(signal)
    }

    /// Begins a start in the folder and kills it in the middle.
    pub fn crash_at_start(folder: tempfile::TempDir, after: Duration) -> Result<tempfile::TempDir> {
        let mut process = Running::start(&mut command(folder.path(), true)?)?;
        std::thread::sleep(after);
        process.signal(libc::SIGKILL)?;
        anyhow::ensure!(process.ended_within(WAIT_MAX)?.is_some(), "a killed process goes on");
        Ok(folder)
    }

    /// Ends it in peace and gives the folder.
    pub fn end_in_peace(mut self) -> Result<tempfile::TempDir> {
        self.signal(libc::SIGTERM)?;
        let status = self.wait_end()?;
        anyhow::ensure!(status.success(), "weir ended with {status}:\n{}", self.log());
        Ok(self.folder)
    }

    /// SIGTERM, and how it ended.
    pub fn end(mut self) -> Result<ExitStatus> {
        self.signal(libc::SIGTERM)?;
        self.wait_end()
    }

    /// SIGKILL, as a crash would: nothing is said, nothing is flushed. Gives the folder, to start again in it.
    pub fn crash(mut self) -> Result<tempfile::TempDir> {
        self.signal(libc::SIGKILL)?;
        self.wait_end()?;
        Ok(self.folder)
    }

    pub fn wait_end(&mut self) -> Result<ExitStatus> {
        match self.weir.process.ended_within(WAIT_MAX)? {
            Some(status) => Ok(status),
            None => bail!("weir did not end within {WAIT_MAX:?}:\n{}", self.log()),
        }
    }

    /// Resident memory now, bytes (proc(5)).
    pub fn rss_bytes(&self) -> Result<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/statm", self.pid()))?;
        let pages: u64 = text.split_whitespace().nth(1).context("statm")?.parse()?;
        Ok(pages * 4096)
    }
}

/// One point of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    pub labels: Vec<(String, String)>,
    pub time_unix_ns: i64,
    pub values: Vec<(String, f64)>,
}

impl Point {
    pub fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub fn value(&self, field: &str) -> Option<f64> {
        self.values.iter().find(|(known, _)| known == field).map(|(_, value)| *value)
    }
}

/// Of an answer with series.
pub fn points_of(answer: &Value) -> Vec<Point> {
    let mut points = Vec::new();
    for series in answer["series"].as_array().into_iter().flatten() {
        let mut labels: Vec<(String, String)> = series["labels"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect();
        labels.sort();
        for (row, time) in series["time_unix_ns"].as_array().into_iter().flatten().enumerate() {
            let mut values: Vec<(String, f64)> = series["values"]
                .as_object()
                .into_iter()
                .flatten()
                .filter_map(|(field, values)| Some((field.clone(), values[row].as_f64()?)))
                .collect();
            values.sort_by(|left, right| left.0.cmp(&right.0));
            points.push(Point { labels: labels.clone(), time_unix_ns: time.as_i64().unwrap_or(0), values });
        }
    }
    points.sort_by(|left, right| (&left.labels, left.time_unix_ns).cmp(&(&right.labels, right.time_unix_ns)));
    points
}

fn find_unit<'a>(pipelines: &'a Value, id: &str) -> Option<&'a Value> {
    let pipelines = pipelines["pipelines"].as_array()?;
    pipelines
        .iter()
        .filter_map(|pipeline| pipeline["units"].as_array())
        .flatten()
        .find(|unit| unit["id"] == *id)
}
