//! `weir codec check`: whether a codec keeps the laws of all codecs, for those who write one.
//!
//! In: the name of a built-in codec or a component, its configuration, and a sample of bytes that it reads. Out: one line of what was done; or which law was
//! broken and where, with exit code 1. A sample has at most [`SAMPLE_BYTES_MAX`].

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use parking_lot::Mutex;
use serde_json::Value;
use weir::units::codec::laws::{self, Report};
use weir::units::codec::{CodecMaker, ComponentDecoder, WasmCodec};
use weir_core::codec::{Decode, Defaults, decoder};

use super::{CodecCheckArguments, print};

/// Each cut reads it anew.
const SAMPLE_BYTES_MAX: u64 = 64 << 10;

/// The codec's own name for where its events come from; it stands in its log lines.
const SOURCE: &str = "codec";

pub fn check(arguments: &CodecCheckArguments) -> anyhow::Result<ExitCode> {
    let named = || arguments.sample.display().to_string();
    let bytes = std::fs::metadata(&arguments.sample).with_context(named)?.len();
    if bytes > SAMPLE_BYTES_MAX {
        bail!("{}: has {bytes} bytes; a sample has at most {SAMPLE_BYTES_MAX}", named());
    }
    let sample = std::fs::read(&arguments.sample).with_context(named)?;
    let mut defaults = Defaults::new(SOURCE);
    defaults.triplet = Some(arguments.stream.clone());
    let uses = &arguments.codec;
    if decoder(uses).is_some() {
        let mut make = || decoder(uses).unwrap_or_else(|| unreachable!("it was there just now"));
        let report = laws::check(&mut make, &defaults, &sample).map_err(anyhow::Error::msg)?;
        print(&told(&report, "built in"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let maker = maker(uses, arguments.config.as_deref())?;
    let codec = Arc::new(Mutex::new(WasmCodec::new(maker.clone())));
    let mut make = || -> Box<dyn Decode> { Box::new(ComponentDecoder::new(Arc::clone(&codec))) };
    let report = laws::check(&mut make, &defaults, &sample).map_err(anyhow::Error::msg)?;
    let mut writer = WasmCodec::new(maker);
    let written = laws::written(&mut writer, &mut *make(), &defaults, &sample).map_err(anyhow::Error::msg)?;
    let written =
        written.map_or("only reads".to_owned(), |rows| format!("{rows} rows written and read again"));
    print(&told(&report, &written))?;
    Ok(ExitCode::SUCCESS)
}

/// A codec that is a component; what is wrong with it or its configuration is the error.
pub fn maker(uses: &str, config: Option<&str>) -> anyhow::Result<CodecMaker> {
    let config: Value = serde_json::from_str(config.unwrap_or("{}"))
        .with_context(|| "the codec's configuration is not JSON; write it as in '{\"scale\": 2}'")?;
    let components = weir::app::components(None)?;
    CodecMaker::new(&components, &SOURCE.into(), uses, &config).map_err(|wrong| {
        let one = |(pointer, message): (Option<String>, String)| match pointer.filter(|at| !at.is_empty()) {
            Some(pointer) => format!("configuration {pointer}: {message}"),
            None => message,
        };
        anyhow::Error::msg(wrong.into_iter().map(one).collect::<Vec<_>>().join("\n"))
    })
}

fn told(report: &Report, more: &str) -> String {
    let Report { rows, rejected, cuts, changed } = report;
    format!(
        "good: {rows} rows, {rejected} rejected; the same cut at {cuts} places; {changed} changed samples without a fault; {more}"
    )
}
