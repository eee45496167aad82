//! Checks of what a `[[rule]]` says of its alerts, and of the `[[channel]]` sections.
//!
//! In: durations, counts and texts as written. Out: [`AlertSpec`], [`ChannelSpec`]. Channels send to plain `http` addresses that stand here and to no others; an
//! address has a host, a port and a path, no user name, and is at most [`URL_BYTES_MAX`] long.

use std::sync::Arc;

use serde_json::Value;

use super::check::Check;
use super::near::hint;
use super::raw::{self, At};
use super::{AlertSpec, ChannelKind, ChannelSpec, HttpUrl, LABELS_MAX, Place};
use crate::alerts::{Flap, Policy};
use crate::unit::Level;

const URL_BYTES_MAX: usize = 2_048;
const TEXT_BYTES_MAX: usize = 1_024;
const FLAP_CHANGES: i64 = 6;
const FLAP_CHANGES_MAX: i64 = 100;
const FLAP_WITHIN: &str = "15m";
const FORGET: &str = "1d";
const TIMEOUT: &str = "10s";
const TIMEOUT_NS_MAX: i64 = 60_000_000_000;
const GIVE_UP_AFTER: &str = "1h";

pub fn alerts(check: &Check<'_>, raw: &raw::Rule, channels: &[raw::Channel]) -> AlertSpec {
    let place = &raw.place;
    let policy = Policy {
        for_ns: check.duration_ns(place, "for", raw.for_.as_ref(), "0s"),
        keep_firing_ns: check.duration_ns(place, "keep_firing", raw.keep_firing.as_ref(), "0s"),
        flap: flap(check, place, &raw.flap),
        forget_ns: check.duration_ns(place, "forget", raw.forget.as_ref(), FORGET),
    };
    AlertSpec {
        policy,
        labels: texts(check, place, "labels", &raw.labels),
        annotations: texts(check, place, "annotations", &raw.annotations),
        channels: raw.channels.as_ref().map(|names| known(check, place, names, channels)),
    }
}

fn flap(check: &Check<'_>, place: &Place, raw: &raw::Flap) -> Flap {
    let (changes, line) =
        raw.changes.as_ref().map_or((FLAP_CHANGES, 0), |changes| (changes.value, changes.line));
    if changes != 0 && !(3..=FLAP_CHANGES_MAX).contains(&changes) {
        let message = format!("is {changes}; write a number from 3 to {FLAP_CHANGES_MAX}, or 0 for never");
        check.problem(place, "flap.changes", line, message);
    }
    Flap {
        changes: u32::try_from(changes).unwrap_or(0),
        within_ns: check.duration_ns(place, "flap.within", raw.within.as_ref(), FLAP_WITHIN),
    }
}

/// Names and texts of `labels = { team = "web" }`.
fn texts(check: &Check<'_>, place: &Place, member: &str, value: &Value) -> Vec<(Arc<str>, String)> {
    let entries = value.as_object().into_iter().flatten();
    let mut texts = Vec::new();
    for (name, value) in entries {
        match value.as_str() {
            Some(text) if text.len() <= TEXT_BYTES_MAX => texts.push((name.as_str().into(), text.to_owned())),
            Some(_) => {
                let message = format!("is longer than {TEXT_BYTES_MAX} bytes");
                check.problem(place, &format!("{member}.{name}"), 0, message);
            }
            None => check.problem(place, &format!("{member}.{name}"), 0, "is no text; put it into quotes"),
        }
    }
    if texts.len() > LABELS_MAX {
        check.problem(
            place,
            member,
            0,
            format!("has {} entries; at most {LABELS_MAX} are allowed", texts.len()),
        );
    }
    texts
}

fn known(check: &Check<'_>, place: &Place, names: &[At<String>], channels: &[raw::Channel]) -> Vec<Arc<str>> {
    for name in names {
        if !channels.iter().any(|channel| channel.name.value == name.value) {
            let near = hint(&name.value, channels.iter().map(|channel| channel.name.value.as_str()));
            check.problem(
                place,
                "channels",
                name.line,
                format!("there is no channel `{}`{near}", name.value),
            );
        }
    }
    names.iter().map(|name| name.value.as_str().into()).collect()
}

pub fn channels(check: &Check<'_>, raw: &[raw::Channel]) -> Vec<ChannelSpec> {
    let names: Vec<(&At<String>, &Place)> =
        raw.iter().map(|channel| (&channel.name, &channel.place)).collect();
    check.distinct("channel", &names);
    raw.iter().map(|raw| channel(check, raw)).collect()
}

fn channel(check: &Check<'_>, raw: &raw::Channel) -> ChannelSpec {
    let place = &raw.place;
    if !raw.kind.value.is_empty() && raw.kind.value != "webhook" {
        let near = hint(&raw.kind.value, ["webhook"]);
        check.problem(
            place,
            "kind",
            raw.kind.line,
            format!("there is no kind of channel `{}`{near}", raw.kind.value),
        );
    }
    let url = match http_url(&raw.url.value) {
        Ok(url) => url,
        // Missing was told already.
        Err(_) if raw.url.value.is_empty() && raw.url.line == place.line => HttpUrl::default(),
        Err(message) => {
            check.problem(place, "url", raw.url.line, message);
            HttpUrl::default()
        }
    };
    let timeout_ns = check.duration_ns(place, "timeout", raw.timeout.as_ref(), TIMEOUT);
    if !(1_000_000..=TIMEOUT_NS_MAX).contains(&timeout_ns) {
        let line = raw.timeout.as_ref().map_or(0, |timeout| timeout.line);
        check.problem(place, "timeout", line, "must be from \"1ms\" to \"60s\"");
    }
    ChannelSpec {
        name: check.name(place, "name", &raw.name),
        kind: ChannelKind::Webhook { url },
        level: level(check, place, raw.level.as_ref()),
        resolved: raw.resolved.as_ref().is_none_or(|resolved| resolved.value),
        timeout_ns,
        give_up_after_ns: check.duration_ns(
            place,
            "give_up_after",
            raw.give_up_after.as_ref(),
            GIVE_UP_AFTER,
        ),
    }
}

fn level(check: &Check<'_>, place: &Place, word: Option<&At<String>>) -> Level {
    let levels = [Level::Info, Level::Warning, Level::Critical];
    let Some(word) = word else { return Level::Info };
    levels.into_iter().find(|level| level.word() == word.value).unwrap_or_else(|| {
        let near = hint(&word.value, levels.map(Level::word));
        check.problem(place, "level", word.line, format!("there is no level `{}`{near}", word.value));
        Level::Info
    })
}

fn http_url(text: &str) -> Result<HttpUrl, String> {
    let shown: String = text.chars().take(80).collect();
    if text.starts_with("https://") {
        return Err("https is not there yet; send to a proxy on this machine that speaks it".to_owned());
    }
    let fits = text.len() <= URL_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
    let Some(rest) = text.strip_prefix("http://").filter(|_| fits) else {
        return Err(format!(
            "`{}` is no address like \"http://127.0.0.1:9094/alerts\"",
            shown.escape_debug()
        ));
    };
    let cut = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(cut);
    if path.contains('#') {
        return Err("has a fragment (#), which is never sent; leave it out".to_owned());
    }
    if authority.contains('@') {
        return Err("has a user name; addresses with names and passwords are not taken".to_owned());
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            (host, port.parse().map_err(|_| format!("`{port}` is no port; write a number from 1 to 65535"))?)
        }
        _ => (authority, 80),
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if bare.is_empty() || port == 0 {
        return Err(format!("`{shown}` names no host and port"));
    }
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok(HttpUrl { host: bare.to_owned(), port, path, authority: authority.to_owned() })
}
