//! A unit goes, and its neighbours are joined.
//!
//! Who took its first port takes what fed it; who took another port loses that. Where something would then take nothing it is in use: the removal is refused,
//! or, where asked for, that goes too (with the charts of a metric that goes).

use super::EditError;
use super::document::{Document, List};
use super::wiring::{FirstPort, Kind, Taker, Wiring};

pub fn remove(
    document: &mut Document,
    unit: &str,
    drop: bool,
    first_port: FirstPort<'_>,
) -> Result<String, EditError> {
    document.unit(unit)?;
    let pipeline = document.pipeline_name();
    let mut wiring = Wiring::read(document, &pipeline, first_port);
    let mut gone: Vec<Taker> = Vec::new();
    let mut going = vec![wiring.taker(unit)?];
    while let Some(index) = going.pop() {
        let taker = wiring.takers.remove(index);
        if taker.kind == Kind::Unit {
            join(&mut wiring, &taker);
        }
        erase(document, &taker);
        gone.push(taker);
        let empty =
            |taker: &Taker| taker.from.is_empty() || (taker.kind == Kind::Rule && taker.from.len() > 1);
        let lost: Vec<String> = wiring.takers.iter().filter(|taker| empty(taker)).map(Taker::word).collect();
        if !lost.is_empty() && !drop {
            let message = format!(
                "{} takes a port of `{unit}` that nothing else has; let it take something else first, or remove it too (drop=true)",
                lost.join(", ")
            );
            return Err(EditError::InUse(message));
        }
        going = wiring.takers.iter().position(empty).into_iter().collect();
    }
    wiring.write(document)?;
    let words: Vec<String> = gone.iter().map(|taker| format!("`{}`", taker.word())).collect();
    Ok(format!("removes {}", words.join(", ")))
}

/// In place of the removed unit its feeders, each once; in place of its other ports nothing.
fn join(wiring: &mut Wiring<'_>, gone: &Taker) {
    let other = format!("{}.", gone.name);
    for taker in &mut wiring.takers {
        let mut from: Vec<String> = Vec::with_capacity(taker.from.len());
        for reference in std::mem::take(&mut taker.from) {
            let joined = if reference == gone.name { gone.from.clone() } else { vec![reference] };
            for reference in joined {
                if !reference.starts_with(&other) && !from.contains(&reference) {
                    from.push(reference);
                }
            }
        }
        taker.from = from;
    }
}

fn erase(document: &mut Document, taker: &Taker) {
    let list = match taker.kind {
        Kind::Unit => List::Units,
        Kind::Series => List::Series,
        Kind::Stream => List::Streams,
        Kind::Rule => List::Rules,
    };
    erase_all(document, list, list.naming(), &taker.name);
    if taker.kind == Kind::Series {
        erase_all(document, List::Charts, "metric", &taker.name);
    }
}

/// All sections of a list whose member says `name`.
fn erase_all(document: &mut Document, list: List, member: &str, name: &str) {
    let is_it = |document: &Document| document.list(list).iter().position(|entry| entry.text(member) == name);
    // One less each time.
    for _ in 0..document.list(list).len() {
        if let Some(index) = is_it(document) {
            document.remove(list, index);
        }
    }
}
