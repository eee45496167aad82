//! A new unit between what feeds it and those that then take from it.

use serde_json::Value;

use super::document::{Document, List};
use super::wiring::{FirstPort, Kind, Taker, Wiring};
use super::{EditError, Inject};

pub fn inject(
    document: &mut Document,
    inject: &Inject,
    first_port: FirstPort<'_>,
) -> Result<String, EditError> {
    let name = &inject.name;
    let names = document.unit_names();
    if names.contains(name) {
        let message =
            format!("there is already a unit `{name}` in `{}`; choose another name", inject.pipeline);
        return Err(EditError::Exists(message));
    }
    if name.is_empty() || inject.uses.is_empty() {
        return Err(EditError::Bad("a unit needs a `name` and a `use`, the name of a component".into()));
    }
    let mut wiring = Wiring::read(document, &inject.pipeline, first_port);
    let before = inject.before.as_ref().map(|words| words.iter().map(|word| wiring.taker(word)));
    let before = before.map(Iterator::collect::<Result<Vec<usize>, _>>).transpose()?;
    let after = after(&wiring, inject, before.as_deref(), &names)?;
    let before = match before {
        Some(before) => before,
        None => (0..wiring.takers.len()).filter(|index| takes_any(&wiring, *index, &after)).collect(),
    };
    let out = match &inject.port {
        Some(port) => format!("{name}.{port}"),
        None => name.clone(),
    };
    for index in &before {
        let Some(taker) = wiring.takers.get_mut(*index) else { continue };
        let Some(first) = taker.from.iter().position(|from| after.contains(from)) else {
            let message = format!(
                "`{}` takes nothing from {}; it takes {}",
                taker.word(),
                after.join(", "),
                taker.from.join(", ")
            );
            return Err(EditError::Bad(message));
        };
        taker.from.retain(|from| !after.contains(from));
        taker.from.insert(first.min(taker.from.len()), out.clone());
    }
    let place = place(&after, &names);
    wiring.takers.insert(place, Taker { kind: Kind::Unit, name: name.clone(), from: after.clone() });
    document.insert(List::Units, place, &members(inject)?)?;
    wiring.write(document)?;
    Ok(format!("injects {} `{name}` after `{}`", inject.uses, after.join("`, `")))
}

fn after(
    wiring: &Wiring<'_>,
    inject: &Inject,
    before: Option<&[usize]>,
    names: &[String],
) -> Result<Vec<String>, EditError> {
    let mut after: Vec<String> = match (&inject.after, before) {
        (Some(words), _) => {
            words.iter().map(|word| wiring.reference(word)).collect::<Result<_, EditError>>()?
        }
        (None, Some(before)) => {
            let feeds = before.iter().filter_map(|index| wiring.takers.get(*index));
            feeds.flat_map(|taker| taker.from.iter().cloned()).collect()
        }
        (None, None) => vec![names.last().cloned().unwrap_or_else(|| "in".to_owned())],
    };
    let mut seen = Vec::new();
    after.retain(|from| {
        !seen.contains(from) && {
            seen.push(from.clone());
            true
        }
    });
    if after.is_empty() {
        return Err(EditError::Bad("says not where: name a unit or \"in\" in `after`".into()));
    }
    Ok(after)
}

fn takes_any(wiring: &Wiring<'_>, index: usize, after: &[String]) -> bool {
    wiring.takers.get(index).is_some_and(|taker| taker.from.iter().any(|from| after.contains(from)))
}

/// Right behind the last of what feeds it.
fn place(after: &[String], names: &[String]) -> usize {
    let unit = |reference: &String| {
        let unit = reference.split_once('.').map_or(reference.as_str(), |(unit, _)| unit).to_owned();
        names.iter().position(|name| *name == unit).map(|index| index + 1)
    };
    after.iter().filter_map(unit).max().unwrap_or(0)
}

fn members(inject: &Inject) -> Result<Vec<(&'static str, Value)>, EditError> {
    let config =
        inject.config.as_ref().filter(|config| config.as_object().is_none_or(|object| !object.is_empty()));
    if config.is_some_and(|config| !config.is_object()) {
        return Err(EditError::Bad("`config` must be an object, like {\"keep\": \"ms > 100\"}".into()));
    }
    let texts = |text: &String| Value::from(text.as_str());
    let members = [
        ("name", Some(texts(&inject.name))),
        ("use", Some(texts(&inject.uses))),
        ("config", config.cloned()),
        ("on_open_circuit", inject.on_open_circuit.as_ref().map(texts)),
    ];
    Ok(members.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
}
