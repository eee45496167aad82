//! Random edits of a running pipeline, none of which may change what comes out: each unit that is put in keeps all rows and the columns that are counted.
//!
//! In: a seed. Out: how many edits were made, when somebody held rows up on purpose, or the refusal that should not have been.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::client::{self, Answer};
use crate::host::TestHost;

/// Units that were put in and are there at the same time.
const INJECTED_MAX: usize = 6;
const BUSY_MAX: u32 = 600;
const BUSY_WAIT: Duration = Duration::from_millis(50);
/// How long the host may take to see a changed file.
const FILE_MAX: Duration = Duration::from_secs(30);
/// Conditions that are true for every event.
const TRUE: [&str; 4] = ["true", "n >= 0", "c = 0 or c = 1", "key != ''"];

pub struct Editor<'a> {
    host: &'a TestHost,
    random: StdRng,
    names: u32,
    /// When rows were held up by a pause.
    pub held: Vec<(Instant, Instant)>,
    /// How often each kind was done.
    pub done: Vec<(&'static str, u32)>,
}

impl<'a> Editor<'a> {
    pub fn new(host: &'a TestHost, seed: u64) -> Self {
        Self::naming_from(host, seed, 0)
    }

    /// In a host that an earlier one has edited: names are given behind this number.
    pub fn naming_from(host: &'a TestHost, seed: u64, names: u32) -> Self {
        let random = StdRng::seed_from_u64(seed);
        Self { host, random, names, held: Vec::new(), done: Vec::new() }
    }

    /// One edit. What cannot be done now (nothing to remove) becomes an injection.
    pub fn step(&mut self) -> Result<()> {
        let injected: Vec<String> = self.injected()?;
        let any = injected.choose(&mut self.random).cloned();
        let kind = match (self.random.random_range(0..20), any) {
            (0..6, _) if injected.len() < INJECTED_MAX => self.inject()?,
            (0..9, Some(unit)) => self.remove(&unit)?,
            (9..12, Some(unit)) => self.set(&unit)?,
            (12..14, Some(unit)) => self.replace(&unit)?,
            (14..16, any) => self.pause(any)?,
            (16, _) => self.whole()?,
            (17, _) => self.file()?,
            (18..20, _) => self.undo()?,
            _ => self.inject()?,
        };
        match self.done.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => self.done.push((kind, 1)),
        }
        Ok(())
    }

    /// Units that were put in.
    fn injected(&self) -> Result<Vec<String>> {
        let shown = self.host.json("/api/pipelines/edit")?;
        let names = shown["units"].as_array().context("no units")?.iter();
        let names = names.filter_map(|unit| unit["name"].as_str());
        Ok(names.filter(|name| name.starts_with("x-")).map(str::to_owned).collect())
    }

    fn inject(&mut self) -> Result<&'static str> {
        self.names += 1;
        let name = format!("x-{}", self.names);
        let shown = self.host.json("/api/pipelines/edit")?;
        // Behind anything that leads to the counting units, and before all or one of those that it feeds.
        let units = shown["units"].as_array().context("no units")?.iter();
        let places = units.filter(|unit| unit["ports"][0]["to"].as_array().is_some_and(|to| !to.is_empty()));
        let mut places: Vec<(String, Value)> = places
            .filter(|unit| unit["name"] != "sums" && unit["name"] != "watch")
            .map(|unit| {
                (unit["name"].as_str().unwrap_or_default().to_owned(), unit["ports"][0]["to"].clone())
            })
            .collect();
        places.push(("in".to_owned(), json!([])));
        let (after, to) = places.choose(&mut self.random).cloned().context("no place")?;
        let mut body = json!({ "name": name, "after": after });
        if self.random.random_bool(0.3)
            && let Some(one) = to.as_array().and_then(|to| to.choose(&mut self.random))
        {
            body["before"] = one.clone();
        }
        let (uses, config) = self.component();
        (body["use"], body["config"]) = (uses.into(), config);
        self.ask("POST", "/api/pipelines/edit/units", &body)?;
        Ok("inject")
    }

    /// A component that lets everything through.
    fn component(&mut self) -> (&'static str, Value) {
        if self.random.random_bool(0.5) {
            let keep = TRUE.choose(&mut self.random).copied().unwrap_or("true");
            return ("filter", json!({ "keep": keep }));
        }
        let factor = self.random.random_range(1..100);
        ("transform", json!({ "set": { "extra": format!("n * {factor}") } }))
    }

    fn remove(&mut self, unit: &str) -> Result<&'static str> {
        self.ask("DELETE", &format!("/api/pipelines/edit/units/{unit}"), &Value::Null)?;
        Ok("remove")
    }

    fn set(&mut self, unit: &str) -> Result<&'static str> {
        let shown = self.host.json("/api/pipelines/edit")?;
        let units = shown["units"].as_array().context("no units")?;
        let uses = units.iter().find(|known| known["name"] == unit).map(|unit| unit["use"].clone());
        let config = loop {
            let (component, config) = self.component();
            if uses.as_ref().is_some_and(|uses| uses == component) {
                break config;
            }
        };
        self.ask("PATCH", &format!("/api/pipelines/edit/units/{unit}"), &json!({ "config": config }))?;
        Ok("set")
    }

    fn replace(&mut self, unit: &str) -> Result<&'static str> {
        let (uses, config) = self.component();
        let body = json!({ "use": uses, "config": config });
        self.ask("PATCH", &format!("/api/pipelines/edit/units/{unit}"), &body)?;
        Ok("replace")
    }

    /// The pipeline or a unit of it for a moment, sometimes with an edit in between.
    fn pause(&mut self, unit: Option<String>) -> Result<&'static str> {
        let what = match unit.filter(|_| self.random.random_bool(0.7)) {
            Some(unit) => format!("/api/pipelines/edit/units/{unit}"),
            None => "/api/pipelines/edit".to_owned(),
        };
        let begin = Instant::now();
        self.ask("POST", &format!("{what}/pause"), &Value::Null)?;
        std::thread::sleep(Duration::from_millis(self.random.random_range(10..200)));
        let edits = self.random.random_bool(0.3);
        if edits {
            self.inject()?;
        }
        self.ask("POST", &format!("{what}/start"), &Value::Null)?;
        // What waited comes out after the start, in its own time.
        self.held.push((begin, Instant::now() + Duration::from_millis(500)));
        Ok(if edits { "pause with an edit" } else { "pause" })
    }

    /// The running text with a comment, and a second pipeline that comes and goes.
    fn whole(&mut self) -> Result<&'static str> {
        let text = self.changed_text()?;
        self.retry(|host| host.put("/api/configuration", &text))?;
        Ok("whole")
    }

    fn changed_text(&mut self) -> Result<String> {
        const SIDE: &str = "\n[[pipeline]]\nname = \"side\"\nfrom = [\"proof/edit/event\"]\n[[pipeline.unit]]\nname = \"all\"\nuse = \"filter\"\nconfig = { keep = \"c = 1\" }\n";
        let text = self.host.get("/api/configuration")?.text();
        let text = match text.split_once(SIDE) {
            Some((before, after)) => format!("{before}{after}"),
            None => format!("{text}{SIDE}"),
        };
        self.names += 1;
        let rest = text.lines().filter(|line| !line.starts_with("# change ")).collect::<Vec<_>>().join("\n");
        Ok(format!("# change {}\n{rest}\n", self.names))
    }

    /// The watched file is written, as an editor does it.
    fn file(&mut self) -> Result<&'static str> {
        // What runs becomes what the file says, so that there is no conflict.
        let running = self.host.get("/api/configuration")?.text();
        self.write(&running)?;
        self.wait_file("in-sync")?;
        let text = self.changed_text()?;
        self.write(&text)?;
        let until = Instant::now() + FILE_MAX;
        while self.host.get("/api/configuration")?.text() != text {
            if Instant::now() > until {
                bail!("the changed file was not taken: {}", self.host.get("/api/configuration/file")?.text());
            }
            std::thread::sleep(BUSY_WAIT);
        }
        Ok("file")
    }

    fn write(&self, text: &str) -> Result<()> {
        let folder = self.host.folder.path();
        std::fs::write(folder.join("weir.toml.new"), text)?;
        Ok(std::fs::rename(folder.join("weir.toml.new"), folder.join("weir.toml"))?)
    }

    fn wait_file(&self, state: &str) -> Result<()> {
        let until = Instant::now() + FILE_MAX;
        loop {
            let seen = self.host.json("/api/configuration/file")?;
            if seen["state"] == state {
                return Ok(());
            }
            if Instant::now() > until {
                bail!("the file is not {state} but {seen}");
            }
            std::thread::sleep(BUSY_WAIT);
        }
    }

    fn undo(&mut self) -> Result<&'static str> {
        let list = self.host.json("/api/configuration/revisions")?;
        let older = list["revisions"].as_array().context("no revisions")?.len().min(6);
        let steps = self.random.random_range(1..6).min(older.saturating_sub(1));
        let to = &list["revisions"][steps]["revision"];
        self.ask("POST", &format!("/api/configuration/undo?to={to}"), &Value::Null)?;
        Ok("undo")
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<()> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = [("content-type", "application/json")];
        self.retry(|host| client::request(host.http, method, path, &headers, body.as_bytes()))
            .with_context(|| format!("{method} {path} {body}"))
    }

    /// Asks again where earlier changes still wait for the flow.
    fn retry(&self, ask: impl Fn(&TestHost) -> Result<Answer>) -> Result<()> {
        for _ in 0..BUSY_MAX {
            let answer = ask(self.host)?;
            match answer.status {
                200..300 => return Ok(()),
                503 => std::thread::sleep(BUSY_WAIT),
                _ => bail!("refused with {}: {}", answer.status, answer.text()),
            }
        }
        bail!("the host was busy for too long")
    }
}
