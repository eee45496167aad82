//! The work of the units that part, keep, take apart and add to rows, as a person would write it in Rust, over the same Arrow columns and key numbers.
//!
//! No component, no state outside, no checks: arrays by key number, one pass over the rows, results in vectors.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt32Type};
use arrow_array::{Array, ArrayRef, DictionaryArray, Float64Array, Int64Array, StringArray};
use arrow_schema::DataType;
use serde::Deserialize;
use weir_core::unit::Input;

fn column<'a>(input: &'a Input, name: &str) -> Result<&'a ArrayRef> {
    let column = input.columns.iter().find(|column| &*column.name == name);
    Ok(&column.with_context(|| format!("no column {name}"))?.array)
}

pub fn doubles<'a>(input: &'a Input, name: &str) -> Result<&'a [f64]> {
    let column = column(input, name)?.as_primitive_opt::<Float64Type>();
    Ok(column.with_context(|| format!("{name} has no doubles"))?.values())
}

pub fn integers<'a>(input: &'a Input, name: &str) -> Result<&'a [i64]> {
    let column = column(input, name)?.as_primitive_opt::<Int64Type>();
    Ok(column.with_context(|| format!("{name} has no integers"))?.values())
}

fn names<'a>(input: &'a Input, name: &str) -> Result<(&'a [u32], &'a StringArray)> {
    let column = column(input, name)?.as_dictionary_opt::<UInt32Type>();
    let column = column.with_context(|| format!("{name} has no categories"))?;
    Ok((column.keys().values(), column.values().as_string_opt().context("no names")?))
}

/// The text of each row, whatever it lies in.
fn each_text(input: &Input, name: &str, mut call: impl FnMut(&str) -> Result<()>) -> Result<()> {
    let array = column(input, name)?;
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().iter().flatten().try_for_each(call),
        DataType::Utf8View => array.as_string_view().iter().flatten().try_for_each(call),
        _ => {
            let (codes, names) = names(input, name)?;
            codes.iter().try_for_each(|code| call(names.value(*code as usize)))
        }
    }
}

/// Rows with an error, rows that are slow, and the rest.
pub fn split(input: &Input) -> Result<()> {
    let (status, latency) = (integers(input, "status")?, doubles(input, "latency_ms")?);
    let mut ports: [Vec<u32>; 3] = Default::default();
    for (row, (status, latency)) in (0..).zip(status.iter().zip(latency)) {
        let [errors, slow, rest] = &mut ports;
        let port = if *status >= 500 {
            errors
        } else if *latency > 90.0 {
            slow
        } else {
            rest
        };
        port.push(row);
    }
    black_box(ports);
    Ok(())
}

/// Times by key: the first event of each within ten minutes.
pub fn dedup(newest: &mut [i64], input: &Input) -> Result<()> {
    let mut mask = Vec::with_capacity(input.rows());
    for (key, time) in input.keys.iter().zip(input.time.iter()) {
        let newest = newest.get_mut(*key as usize).context("a key over the count")?;
        let is_first = time.saturating_sub(*newest) >= 600_000_000_000;
        if is_first {
            *newest = *time;
        }
        mask.push(u8::from(is_first));
    }
    black_box(mask);
    Ok(())
}

/// The first event of each key and then every tenth.
pub fn one_in_ten(counts: &mut [u64], input: &Input) -> Result<()> {
    let mut mask = Vec::with_capacity(input.rows());
    for key in input.keys.iter() {
        let count = counts.get_mut(*key as usize).context("a key over the count")?;
        mask.push(u8::from(count.is_multiple_of(10)));
        *count += 1;
    }
    black_box(mask);
    Ok(())
}

/// Whole rows by key, as bytes, let go a hundred at a time.
pub fn buffer(held: &mut [(u32, Vec<u8>)], input: &Input) -> Result<()> {
    let mut out = Vec::new();
    for (row, key) in input.keys.iter().enumerate() {
        let (count, bytes) = held.get_mut(*key as usize).context("a key over the count")?;
        bytes.extend(input.time.get(row).copied().unwrap_or(0).to_le_bytes());
        for column in &input.columns {
            put(&column.array, row, bytes);
        }
        *count += 1;
        if *count == 100 {
            *count = 0;
            out.push(std::mem::take(bytes));
        }
    }
    black_box(out);
    Ok(())
}

fn put(array: &ArrayRef, row: usize, bytes: &mut Vec<u8>) {
    match array.data_type() {
        DataType::Float64 => bytes.extend(array.as_primitive::<Float64Type>().value(row).to_le_bytes()),
        DataType::Int64 => bytes.extend(array.as_primitive::<Int64Type>().value(row).to_le_bytes()),
        DataType::Utf8 => bytes.extend(array.as_string::<i32>().value(row).as_bytes()),
        DataType::Utf8View => bytes.extend(array.as_string_view().value(row).as_bytes()),
        _ => {
            let Some(texts) = array.as_dictionary_opt::<UInt32Type>() else { return };
            let code = texts.keys().value(row) as usize;
            bytes.extend(texts.values().as_string::<i32>().value(code).as_bytes());
        }
    }
}

#[derive(Deserialize)]
struct Took {
    status: i64,
    took_ms: f64,
}

/// Two members of an object.
pub fn parse_json(input: &Input) -> Result<()> {
    let (mut status, mut took) = (Vec::new(), Vec::new());
    each_text(input, "json", |text| {
        let parsed: Took = serde_json::from_str(text)?;
        status.push(parsed.status);
        took.push(parsed.took_ms);
        Ok(())
    })?;
    black_box((Int64Array::from(status), Float64Array::from(took)));
    Ok(())
}

/// Two of the pairs `key=value`.
pub fn parse_pairs(input: &Input) -> Result<()> {
    let (mut status, mut levels) = (Vec::new(), Vec::new());
    each_text(input, "line", |text| {
        for (key, value) in text.split(' ').filter_map(|pair| pair.split_once('=')) {
            match key {
                "status" => status.push(value.parse::<i64>()?),
                "level" => levels.push(value.to_owned()),
                _ => {}
            }
        }
        Ok(())
    })?;
    black_box((Int64Array::from(status), StringArray::from(levels)));
    Ok(())
}

/// Path and one parameter of a URL.
pub fn parse_url(input: &Input) -> Result<()> {
    let (mut paths, mut pages) = (Vec::new(), Vec::new());
    each_text(input, "url", |text| {
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let path = place.find('/').and_then(|at| place.get(at..)).unwrap_or("/");
        let page = query.split('&').find_map(|pair| pair.strip_prefix("page="));
        paths.push(path.to_owned());
        pages.push(page.map_or(Ok(0), str::parse::<i64>)?);
        Ok(())
    })?;
    black_box((StringArray::from(paths), Int64Array::from(pages)));
    Ok(())
}

/// A team by path, looked up once for each name.
pub fn enrich(teams: &HashMap<String, String>, input: &Input) -> Result<()> {
    let Ok((codes, names)) = names(input, "path") else {
        let mut found = Vec::new();
        each_text(input, "path", |path| {
            found.push(teams.get(path).map(String::as_str));
            Ok(())
        })?;
        black_box(StringArray::from(found));
        return Ok(());
    };
    let teams: StringArray = names.iter().map(|name| teams.get(name.unwrap_or_default())).collect();
    if teams.is_empty() {
        bail!("no names");
    }
    let codes = arrow_array::UInt32Array::from(codes.to_vec());
    black_box(DictionaryArray::<UInt32Type>::try_new(codes, Arc::new(teams))?);
    Ok(())
}

/// A type by path, made once for each name where there are names.
pub fn types(input: &Input) -> Result<()> {
    let plain = |c: char| match c {
        '.' | '_' | '-' => c,
        _ if c.is_ascii_alphanumeric() => c.to_ascii_lowercase(),
        _ => '-',
    };
    let Ok((codes, names)) = names(input, "path") else {
        let mut types: Vec<String> = Vec::new();
        each_text(input, "path", |path| {
            types.push(path.chars().map(plain).collect());
            Ok(())
        })?;
        black_box(StringArray::from(types));
        return Ok(());
    };
    let types = names.iter().map(|name| Some(name?.chars().map(plain).collect::<String>()));
    let types: StringArray = types.collect();
    let codes = arrow_array::UInt32Array::from(codes.to_vec());
    black_box(DictionaryArray::<UInt32Type>::try_new(codes, Arc::new(types))?);
    Ok(())
}

/// A smoothed mean by key.
pub fn smooth(states: &mut [f64], input: &Input) -> Result<()> {
    for (key, value) in input.keys.iter().zip(doubles(input, "latency_ms")?) {
        let state = states.get_mut(*key as usize).context("a key over the count")?;
        *state = *state * 0.9 + value * 0.1;
    }
    Ok(())
}
