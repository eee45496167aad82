//! One open rule over a fresh host: what [`super::Bench`] is for units.

use super::{context, host};
use crate::manifest::parse_config;
use crate::rule::{Rule, Signal};
use crate::{Batch, Complaint, Context, Extra, Failure, FailureExt, Opening, Plan};

pub struct RuleBench<R: Rule> {
    pub rule: R,
    pub plan: Plan,
    /// Of the next call; the position grows by itself.
    pub context: Context,
    extras: Vec<Extra>,
}

impl<R: Rule> RuleBench<R> {
    /// Plans and opens with a configuration in JSON; complaints become the failure "bad-config".
    pub fn open(config: &str) -> Result<Self, Failure> {
        Self::open_with(config, &[])
    }

    /// With extras of the opening, such as ("weir.unit.latency_ms", "ms").
    pub fn open_with(config: &str, extras: &[(&str, &str)]) -> Result<Self, Failure> {
        let plan = plan::<R>(config).map_err(|list| {
            let lines: Vec<String> =
                list.into_iter().map(|one| format!("{}: {}", one.path, one.message)).collect();
            Failure::fail("bad-config", lines.join("; "))
        })?;
        host(|host| {
            *host = super::Host {
                sizes: plan.tables.iter().map(|table| table.size.unwrap_or(0)).collect(),
                ..super::Host::default()
            };
        });
        let extras: Vec<Extra> = extras
            .iter()
            .map(|(name, value)| Extra { name: (*name).to_owned(), value: (*value).to_owned() })
            .collect();
        Ok(Self { rule: opened(config, &extras)?, plan, context: context(0, 0), extras })
    }

    /// A new instance over the same state, as after a trap.
    pub fn reopen(&mut self, config: &str) -> Result<(), Failure> {
        self.rule = opened(config, &self.extras)?;
        Ok(())
    }

    pub fn evaluate(&mut self, input: Batch) -> Result<Vec<Signal>, Failure> {
        self.context.position += 1;
        self.rule.evaluate(&self.context, input)
    }

    /// Moves the watermark (and the clock, if it is behind) and calls `tick` until nothing is due.
    pub fn advance(&mut self, watermark: i64) -> Result<Vec<Signal>, Failure> {
        self.context.watermark = self.context.watermark.max(watermark);
        self.context.now = self.context.now.max(watermark);
        let mut signals = Vec::new();
        loop {
            let due = host(|host| host.take_due(self.context.now, self.context.watermark));
            if due.keys.is_empty() {
                return Ok(signals);
            }
            signals.extend(self.rule.tick(&self.context, due)?);
        }
    }
}

/// The plan, or everything that is wrong with the configuration.
pub fn plan<R: Rule>(config: &str) -> Result<Plan, Vec<Complaint>> {
    R::plan(parse_config(config).map_err(|complaint| vec![complaint])?)
}

fn opened<R: Rule>(config: &str, extras: &[Extra]) -> Result<R, Failure> {
    let parsed = parse_config(config).map_err(|complaint| Failure::fail("bad-config", complaint.message))?;
    let opening = Opening {
        config: config.to_owned(),
        pipeline: "test".into(),
        name: "rule".into(),
        lane: 0,
        lanes: 1,
        seed: vec![7; 16],
        extras: extras.to_vec(),
    };
    R::open(parsed, &opening)
}
