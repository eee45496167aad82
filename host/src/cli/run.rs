//! `weir run`: finds configuration and data folder, then runs until it is told to stop.

use std::process::ExitCode;

use super::{RunArguments, paths, signals};

pub fn run(arguments: RunArguments) -> anyhow::Result<ExitCode> {
    let signals::Signals { stop, hangups } = signals::listen()?;
    let options = weir::app::Options {
        config: paths::config_file(arguments.config),
        data: arguments.data,
        data_home: paths::data_home(),
        durable: arguments.durable,
        listen: arguments.listen,
        hangups: Some(hangups),
    };
    weir::app::run(options, stop)?;
    Ok(ExitCode::SUCCESS)
}
