//! Entries of the bench `units`: units that part, keep, take apart and add to rows, and the rules.

use serde_json::json;

use super::entries::Entry;
use crate::bench::native::{rules, units};

pub const PARTING: &[Entry] = &[
    Entry {
        name: "split",
        uses: "split",
        config: || {
            let port = |name: &str, when: &str| json!({ "name": name, "when": when });
            json!({ "ports": [port("errors", "status >= 500"), port("slow", "latency_ms > 90")] })
        },
        native: |_| Box::new(units::split),
    },
    Entry {
        name: "buffer",
        uses: "buffer",
        config: || json!({ "keys": ["user"], "capacity": 100 }),
        native: |keys| {
            let mut held = vec![(0, Vec::new()); keys];
            Box::new(move |input| units::buffer(&mut held, input))
        },
    },
    Entry {
        name: "sample one in",
        uses: "sample",
        config: || json!({ "keys": ["user"], "one_in": 10 }),
        native: |keys| {
            let mut counts = vec![0; keys];
            Box::new(move |input| units::one_in_ten(&mut counts, input))
        },
    },
    Entry {
        name: "dedup",
        uses: "dedup",
        config: || json!({ "keys": ["user"], "within": "10m" }),
        native: |keys| {
            let mut newest = vec![i64::MIN; keys];
            Box::new(move |input| units::dedup(&mut newest, input))
        },
    },
    Entry {
        name: "parse json",
        uses: "parse",
        config: || json!({ "column": "json", "as": "json", "fields": { "status": "s64", "took_ms": "f64" } }),
        native: |_| Box::new(units::parse_json),
    },
    Entry {
        name: "parse key=value",
        uses: "parse",
        config: || json!({ "column": "line", "as": "key_value", "fields": { "status": "s64", "level": "text" } }),
        native: |_| Box::new(units::parse_pairs),
    },
    Entry {
        name: "parse url",
        uses: "parse",
        config: || json!({ "column": "url", "as": "url", "prefix": "url.", "fields": { "path": "text", "query.page": "s64" } }),
        native: |_| Box::new(units::parse_url),
    },
    Entry {
        name: "enrich",
        uses: "enrich",
        config: || json!({ "keys": ["path"], "add": { "team": "text" }, "table": { "file": super::TEAMS } }),
        native: |_| {
            let teams = super::teams();
            let pairs = teams.lines().skip(1).filter_map(|line| line.split_once(','));
            let teams = pairs.map(|(path, team)| (path.to_owned(), team.to_owned())).collect();
            Box::new(move |input| units::enrich(&teams, input))
        },
    },
    Entry {
        name: "rebroadcast",
        uses: "rebroadcast",
        config: || json!({ "to": ["audit", "billing"], "type": "path" }),
        native: |_| Box::new(units::types),
    },
];

pub const RULES: &[Entry] = &[
    Entry {
        name: "threshold",
        uses: "threshold",
        config: || json!({ "column": "latency_ms", "keys": ["user"], "warning": 90, "critical": 99 }),
        native: |keys| {
            let mut levels = rules::Levels::of(keys);
            Box::new(move |input| levels.judge(input, 90.0, 99.0).map(drop))
        },
    },
    Entry {
        name: "absent",
        uses: "absent",
        config: || json!({ "keys": ["user"], "warning": "30s", "critical": "5m" }),
        native: |keys| {
            let mut newest = rules::Newest::of(keys);
            Box::new(move |input| newest.note(input))
        },
    },
    Entry {
        name: "change",
        uses: "change",
        config: || json!({ "column": "latency_ms", "keys": ["user"], "critical": 20 }),
        native: |keys| {
            let mut cusum = rules::Cusum::of(keys);
            Box::new(move |input| cusum.take(input).map(drop))
        },
    },
    Entry {
        name: "ratio",
        uses: "ratio",
        config: || json!({ "of": "status >= 500", "window": "1m", "warning": 0.5, "critical": 0.9, "keys": ["user"] }),
        native: |keys| {
            let mut ratio = rules::Ratio::of(keys);
            Box::new(move |input| ratio.add(input))
        },
    },
];
