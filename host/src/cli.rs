//! The command line: what can be asked of `weir`, and who answers.
//!
//! In: arguments and environment (`WEIR_LOG`, XDG folders). Results go to standard output, everything else to standard error. A closed pipe behind
//! standard output ends the program in peace. One file for each command.

use std::io::{ErrorKind, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use tracing_subscriber::EnvFilter;
use weir_core::triplet::Triplet;

use condition::Condition;
use show::Format;
use top::Sort;

mod ask;
mod check;
mod codec;
mod condition;
mod config;
mod dead;
mod folder;
mod inspect;
mod journal;
mod manual;
mod metric;
mod paths;
mod pipeline;
mod remote;
mod run;
mod send;
mod show;
mod signals;
mod state;
mod stream;
mod tail;
mod top;

const EXAMPLES: &str = "\
Examples:
  weir run                        all on loopback, page at http://127.0.0.1:7070
  weir run --config weir.toml --data ./data
  weir check --config weir.toml   all problems at once, with line and fix
  weir inspect my_filter.wasm     what a component is, wants and may
  weir pipeline ls                what runs, and how fast
  weir pipeline inject cpu/hot --use filter --set keep='busy_percent > 90' --after cores --branch
  weir stream ls                  which events come, and how many
  weir metric add slow --from 'shop/*/request' --where 'ms > 500' --key page
  weir config undo                back to the configuration before
  weir tail host/local/cpu        events as they come, one JSON object per line
  weir top                        what each unit costs, live
  weir dead ls                    rows that units could not take; `replay` gives them back
  weir journal verify             whether the log on disk is as it was written
  weir state ls                   checkpoint and snapshots of the state
  echo '{\"ms\":12}' | weir send my/dev/click
  echo '{\"type\":\"click\",\"ms\":12}' | nc -N 127.0.0.1 7171

Environment:
  WEIR_LOG          log level on standard error: error, warn, info, debug, trace
  XDG_CONFIG_HOME   weir/weir.toml there is used where there is no ./weir.toml
  XDG_DATA_HOME     weir/ there is the default folder for data

Exit codes: 0 done, 1 failed or refused, 2 wrong usage, 3 another change came first, 130 ended by a second Ctrl-C";

/// Where the built-in configuration listens.
const SERVER: &str = "http://127.0.0.1:7070";

const TAIL_EXAMPLES: &str = "\
Examples:
  weir tail host/local/cpu
  weir tail shop/prod/request --where 'ms > 100 and page != \"/health\"' --format logfmt
  weir tail shop/prod/request -n 1000 --no-follow --format table
  weir tail shop/prod/request --template '{time} {page}: {ms} ms'
  weir tail weather/prod/report --codec weather.wasm > reports.txt";

const CODEC_EXAMPLES: &str = "\
Examples:
  weir codec check weather.wasm --sample reports.txt
  weir codec check telemetry.wasm --sample pass.bin --config '{\"scale\": 0.0625}'
  weir codec check json --sample events.ndjson";

const SEND_EXAMPLES: &str = "\
Examples:
  echo '{\"ms\":12}' | weir send my/dev/click
  tail -F access.ndjson | weir send shop/prod/request
  weir send --tcp 127.0.0.1:7171 < events.ndjson

Exit codes: 0 all accepted (over TCP: all taken), 1 something was rejected or the host is not there";

const TOP_EXAMPLES: &str = "\
Examples:
  weir top
  weir top --sort memory --every 5s
  weir top --once --json | jq '.units[] | select(.faults_total > 0)'";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  weir completions bash > ~/.local/share/bash-completion/completions/weir
  weir completions zsh > ~/.zfunc/_weir
  weir completions fish > ~/.config/fish/completions/weir.fish";

/// Events in, through sandboxed WebAssembly units, to a moving graph.
#[derive(Parser)]
#[command(name = "weir", version, after_help = EXAMPLES, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs until SIGTERM or Ctrl-C, then drains; a second Ctrl-C ends at once.
    Run(RunArguments),
    /// Checks a configuration without running it: all problems at once.
    Check(CheckArguments),
    /// Says what a component is, what it wants and what it may.
    Inspect(InspectArguments),
    /// Prints the newest events of a stream, then new ones as they come, one JSON object per line.
    #[command(after_help = TAIL_EXAMPLES)]
    Tail(TailArguments),
    /// Checks whether a codec keeps the laws of all codecs: cut anywhere the same, nothing hostile is a fault, what is written is read again.
    #[command(subcommand, after_help = CODEC_EXAMPLES)]
    Codec(CodecCommand),
    /// Sends standard input to a running host and says what became of it.
    #[command(after_help = SEND_EXAMPLES)]
    Send(SendArguments),
    /// Shows what each unit of a running host does and costs, again and again.
    #[command(after_help = TOP_EXAMPLES)]
    Top(TopArguments),
    /// Prints the completions of a shell.
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions { shell: Shell },
    /// Writes the man pages into a folder.
    #[command(after_help = "Examples:\n  weir man ~/.local/share/man/man1")]
    Man {
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Looks at the pipelines of a running host and edits them under load.
    Pipeline(pipeline::PipelineArguments),
    /// The streams of a running host and their columns.
    Stream(stream::StreamArguments),
    /// Metrics of a running host: makes, tries, shows and removes them under load.
    Metric(metric::MetricArguments),
    /// The configuration of a running host: revisions, diff, undo, export.
    Config(config::ConfigArguments),
    /// Rows that units could not take: looked at, given to the repaired unit, dropped.
    Dead(dead::DeadArguments),
    /// The journal of a data folder, also while a host runs on it: segments, records, events, damage.
    Journal(journal::JournalArguments),
    /// The state of a data folder: checkpoint and snapshots, entries, export, import, damage.
    State(state::StateArguments),
    /// Standard input: a component. Standard output: its machine code. For `weir run` itself.
    #[command(hide = true)]
    CompileComponent,
}

#[derive(Args)]
struct RunArguments {
    /// Configuration; else ./weir.toml, else weir/weir.toml in the user's configuration folder, else the built-in one.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder for what must outlive the program, instead of the configured one; made where it is missing.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Whether a restart goes on where this run ends, instead of what is configured; "false" keeps everything in memory.
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set)]
    durable: Option<bool>,
    /// Address of API, page and HTTP ingest, instead of the configured one. Loopback only.
    #[arg(long, value_name = "ADDR", value_parser = loopback)]
    listen: Option<SocketAddr>,
}

#[derive(Args)]
struct CheckArguments {
    /// Configuration; else the one that `weir run` would take.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A warning fails too (exit code 1): an unused port, a selector that nothing matches, a key without an end.
    #[arg(long)]
    deny_warnings: bool,
}

#[derive(Args)]
struct InspectArguments {
    /// A component.
    #[arg(value_name = "FILE.wasm")]
    file: PathBuf,
    /// As one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct TailArguments {
    /// application/environment/type
    stream: Triplet,
    /// Address of the running host.
    #[arg(long, value_name = "URL", default_value = SERVER)]
    server: String,
    /// How many past events to begin with, at most 1000.
    #[arg(short = 'n', long = "events", value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=1000))]
    events: u32,
    /// Ends after the past events instead of waiting for new ones.
    #[arg(long)]
    no_follow: bool,
    /// Only events for which this expression is true, such as 'ms > 100'.
    #[arg(long = "where", value_name = "EXPRESSION", value_parser = Condition::parse)]
    condition: Option<Condition>,
    /// How events are written.
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
    /// A line for each event, with {field}, {time} and {position} in it; {{ is a brace.
    #[arg(long, value_name = "TEXT", required_if_eq("format", "template"))]
    template: Option<String>,
    /// Events as messages of this codec instead: a component's path, written one behind the other.
    #[arg(long, value_name = "FILE.wasm", conflicts_with_all = ["format", "template"])]
    codec: Option<String>,
    /// Configuration of that codec.
    #[arg(long, value_name = "JSON", requires = "codec")]
    codec_config: Option<String>,
}

impl TailArguments {
    /// A template says its format.
    fn format(&self) -> Format {
        if self.template.is_some() { Format::Template } else { self.format }
    }
}

#[derive(Subcommand)]
enum CodecCommand {
    /// Reads a sample in many ways and says whether all of them gave the same.
    #[command(after_help = CODEC_EXAMPLES)]
    Check(CodecCheckArguments),
}

#[derive(Args)]
struct CodecCheckArguments {
    /// A component's path, or a built-in one.
    #[arg(value_name = "CODEC")]
    codec: String,
    /// Bytes that it reads, at most 64 KiB; some of them should be no events.
    #[arg(long, value_name = "FILE")]
    sample: PathBuf,
    /// Its configuration.
    #[arg(long, value_name = "JSON")]
    config: Option<String>,
    /// The stream of events that do not name their own.
    #[arg(long, value_name = "TRIPLET", default_value = "my/dev/event")]
    stream: Triplet,
}

#[derive(Args)]
struct SendArguments {
    /// application/environment/type
    #[arg(required_unless_present = "tcp", conflicts_with = "tcp")]
    stream: Option<Triplet>,
    /// Address of the running host.
    #[arg(long, value_name = "URL", default_value = SERVER)]
    server: String,
    /// To a source of kind tcp at this address instead; the events name their stream themselves.
    #[arg(long, value_name = "ADDR", value_parser = loopback)]
    tcp: Option<SocketAddr>,
    /// What standard input is.
    #[arg(long, value_enum, default_value_t = InputCodec::Json)]
    codec: InputCodec,
    /// All of standard input is one body, at most 5 MiB, instead of lines.
    #[arg(long)]
    whole: bool,
}

/// Codecs that an HTTP source knows by their content type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum InputCodec {
    Json,
    Msgpack,
    Logfmt,
    /// That of the source.
    Source,
}

impl InputCodec {
    fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/x-ndjson",
            Self::Msgpack => "application/msgpack",
            Self::Logfmt => "application/logfmt",
            Self::Source => "application/octet-stream",
        }
    }
}

#[derive(Args)]
struct TopArguments {
    /// Address of the running host.
    #[arg(long, value_name = "URL", default_value = SERVER)]
    server: String,
    /// Pause between two looks.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = pause)]
    every: Duration,
    /// What comes first.
    #[arg(long, value_enum, default_value_t = Sort::Busy)]
    sort: Sort,
    /// One look, for scripts.
    #[arg(long)]
    once: bool,
    /// One JSON object for each look.
    #[arg(long)]
    json: bool,
}

fn pause(text: &str) -> Result<Duration, String> {
    let ns = weir_core::config::measure::duration_ns(text)?;
    let pause = Duration::from_nanos(ns.unsigned_abs());
    if pause < Duration::from_millis(100) { Err("at least 100ms".to_owned()) } else { Ok(pause) }
}

pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log_to_stderr();
    let result = match arguments.command {
        Command::Run(arguments) => run::run(arguments),
        Command::Check(arguments) => check::check(arguments),
        Command::Inspect(arguments) => inspect::inspect(&arguments),
        Command::Tail(arguments) => tail::tail(&arguments),
        Command::Codec(CodecCommand::Check(arguments)) => codec::check(&arguments),
        Command::Send(arguments) => send::send(&arguments),
        Command::Top(arguments) => top::top(&arguments),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { folder } => manual::man(&folder),
        Command::Pipeline(arguments) => pipeline::pipeline(arguments),
        Command::Stream(arguments) => stream::stream(arguments),
        Command::Metric(arguments) => metric::metric(arguments),
        Command::Config(arguments) => config::config(arguments),
        Command::Dead(arguments) => dead::dead(arguments),
        Command::Journal(arguments) => journal::journal(arguments),
        Command::State(arguments) => state::state(arguments),
        Command::CompileComponent => compile_component(),
    };
    match result {
        Ok(code) => code,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("weir: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn compile_component() -> anyhow::Result<ExitCode> {
    let compiled = weir_engine::compile_helper_main(std::io::stdin().lock(), std::io::stdout().lock());
    compiled.map_err(anyhow::Error::msg)?;
    Ok(ExitCode::SUCCESS)
}

fn log_to_stderr() {
    let words = std::env::var("WEIR_LOG").unwrap_or_default();
    let words = if words.trim().is_empty() { "info".to_owned() } else { words };
    let filter = EnvFilter::try_new(&words).unwrap_or_else(|error| {
        say(&format!("weir: WEIR_LOG={words} is not understood ({error}); logging at info"));
        EnvFilter::new("info")
    });
    let ansi = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi).init();
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let numeric = text.replace("localhost:", "127.0.0.1:");
    let address: SocketAddr =
        numeric.parse().map_err(|_| "write an address like 127.0.0.1:7070".to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("only loopback, as in 127.0.0.1:7070: there is no authentication yet".to_owned())
    }
}

/// A line on standard error; where that is closed there is nobody to tell.
fn say(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}

/// A line on standard output.
fn print(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{line}")?)
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn only_loopback_is_listened_on() {
        assert!(loopback("localhost:7070").is_ok_and(|address| address.port() == 7070));
        assert!(loopback("0.0.0.0:7070").is_err() && loopback("7070").is_err());
        assert!(Arguments::try_parse_from(["weir", "run", "--listen", "1.2.3.4:1"]).is_err());
        assert!(Arguments::try_parse_from(["weir", "tail", "a/b/c", "-n", "5"]).is_ok());
        assert!(Arguments::try_parse_from(["weir", "tail", "a/b/c", "-n", "1001"]).is_err());
        assert!(Arguments::try_parse_from(["weir", "send", "--tcp", "1.2.3.4:1"]).is_err());
        let inject =
            ["weir", "pipeline", "inject", "p/u", "--use", "filter", "--set", "keep=x > -1", "--after", "a"];
        assert!(Arguments::try_parse_from(inject).is_ok());
        assert!(
            Arguments::try_parse_from(["weir", "config", "undo", "--to", "3", "--if-revision", "4"]).is_ok()
        );
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let refused = |line: &str| Arguments::try_parse_from(line.split(' ')).is_err();
        assert!(refused("weir send"));
        assert!(refused("weir send a/b/c --tcp 127.0.0.1:1"));
        assert!(refused("weir tail a/b/c --where ms>"));
        assert!(refused("weir tail a/b/c --format template"));
        assert!(refused("weir tail a/b/c --codec x.wasm --format table"));
        assert!(refused("weir tail a/b/c --codec-config {}"));
        assert!(refused("weir top --every 1ms"));
        assert!(!refused("weir send --tcp 127.0.0.1:1"));
        assert!(!refused("weir tail a/b/c --where ms>1 --format table"));
    }
}
