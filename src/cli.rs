//! Flags and subcommands. The flags of the exporter derive from [`config::keys::KEYS`](crate::config::keys::KEYS).

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::builder::{PossibleValue, Resettable, StringValueParser, TypedValueParser};
use clap::parser::ValueSource;
use clap::{
    Arg, ArgAction, ArgMatches, Args, Command as ClapCommand, CommandFactory, FromArgMatches, Parser,
    Subcommand,
};

use crate::config::key::{ConfigKey, Value, variant};
use crate::config::keys::KEYS;
use crate::config::{Config, Override, Overrides};
use ems_tail::Format;

/// The flag that names the configuration file.
const CONFIG_FILE: &str = "config.file";

/// Prometheus exporter for EvoStream Media Server (EMS) and RMS.
///
/// Receives the event notifications that the media server posts over HTTP, tracks the state of streams, chunks, timers
/// and viewers, and exposes it for Prometheus. Without a subcommand it serves.
#[derive(Parser, Debug)]
#[command(name = "ems-exporter", version, max_term_width = 100, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; serve when left out.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Flags of `serve`, which may be given without naming it.
    #[command(flatten)]
    pub serve: Serve,
}

/// The subcommands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Receive events and expose metrics (the default)
    Serve(Serve),
    /// Serve, with a simulated media server that posts to it
    #[cfg(feature = "demo")]
    Demo {
        /// Flags of the exporter.
        #[command(flatten)]
        serve: Serve,
        /// How many streams the simulated server has
        #[arg(long, value_name = "COUNT", default_value_t = 6)]
        streams: usize,
        /// How much faster than the wall clock the simulated server runs
        #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
        speed: f64,
    },
    /// Simulate a media server that posts its events over HTTP
    #[cfg(feature = "demo")]
    Simulate(Box<ems_simulator::Options>),
    /// Check flags and configuration file, report every fault, and exit with 0 if there is none
    CheckConfig(Serve),
    /// Query the health of the running exporter, and exit with 0 if it is healthy
    Healthcheck(Serve),
    /// Test rules without calling anything
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Read finished event files as fast as possible and print a summary
    Replay(Replay),
    /// Print the block for the media server's config.lua that makes it post its events here
    SinkConfig {
        /// Flags of the exporter.
        #[command(flatten)]
        serve: Serve,
        /// The name of the server: the value of the label `server`
        #[arg(long, value_name = "NAME")]
        server: Option<String>,
        /// Print the block for event files of this name in place of the one for HTTP
        #[arg(long, value_name = "PATH", conflicts_with = "server")]
        file: Option<String>,
    },
}

impl Cli {
    /// Parses arguments; an environment variable that is empty counts as unset.
    pub fn try_parse_arguments(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut command = without_empty_variables(Self::command());
        Self::from_arg_matches_mut(&mut command.try_get_matches_from_mut(arguments)?)
            .map_err(|error| error.format(&mut command))
    }
}

fn without_empty_variables(command: ClapCommand) -> ClapCommand {
    let is_empty = |arg: &Arg| arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    command
        .mut_args(|arg| if is_empty(&arg) { arg.env(Resettable::Reset) } else { arg })
        .mut_subcommands(without_empty_variables)
}

/// Flags of the exporter, and the variables that stand for them.
#[derive(Debug, Clone, Default)]
pub struct Serve {
    /// The configuration file.
    pub config_file: Option<PathBuf>,
    /// What overrides it.
    pub overrides: Overrides,
}

impl Args for Serve {
    fn augment_args(command: ClapCommand) -> ClapCommand {
        command.args(KEYS.iter().filter(|key| !key.flag.is_empty()).map(argument))
    }

    fn augment_args_for_update(command: ClapCommand) -> ClapCommand {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Serve {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for key in KEYS.iter().filter(|key| !key.flag.is_empty()) {
            let source = matches.value_source(key.flag).filter(|source| *source != ValueSource::DefaultValue);
            let Some(source) = source else { continue };
            let texts: Vec<String> = matches.get_many(key.flag).unwrap_or_default().cloned().collect();
            if key.flag == CONFIG_FILE {
                self.config_file = texts.first().map(PathBuf::from);
            } else {
                let is_variable = source == ValueSource::EnvVariable;
                self.overrides.0.push(Override { flag: key.flag, is_variable, texts });
            }
        }
        Ok(())
    }
}

/// The flag of a key, as clap knows it.
fn argument(key: &ConfigKey<Config>) -> Arg {
    let default = match key.show(&mut Config::default()) {
        _ if matches!(key.value, Value::Bool(_)) || key.flag == CONFIG_FILE => String::new(),
        value if !value.is_empty() => format!(" [default: {value}]"),
        _ if !key.default.is_empty() => format!(" [default: {}]", key.default),
        _ => String::new(),
    };
    let repeated = if key.is_list() { "; may be given more than once" } else { "" };
    let help = format!("{}{repeated}{default}", key.help);
    let arg = Arg::new(key.flag).long(key.flag).env(key.variable).help(help.clone());
    let arg = if key.details.is_empty() { arg } else { arg.long_help(format!("{help}\n\n{}", key.details)) };
    if matches!(key.value, Value::Bool(_)) {
        return arg.action(ArgAction::SetTrue).value_parser(StringValueParser::new());
    }
    let arg = arg.value_name(key.value_name);
    if let Value::Choice(names, ..) = &key.value {
        return arg.value_parser(ChoiceParser(names()));
    }
    if key.is_list() { arg.action(ArgAction::Append).value_delimiter(',') } else { arg }
}

/// Lists the names of a choice in help and completions. The configuration checks them, beside all other values.
#[derive(Clone)]
struct ChoiceParser(Vec<(&'static str, &'static str)>);

impl TypedValueParser for ChoiceParser {
    type Value = String;

    fn parse_ref(
        &self,
        command: &ClapCommand,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(|(name, meaning)| PossibleValue::new(*name).help(*meaning))))
    }
}

/// Subcommands of `rules`.
#[derive(Subcommand, Debug, Clone)]
pub enum RulesCommand {
    /// Apply the events of a file and print what each rule would do with each of them
    Test(RulesTest),
}

/// Flags of `rules test`.
#[derive(Args, Debug, Clone)]
pub struct RulesTest {
    /// YAML configuration file with the rules
    #[arg(long = "config.file", value_name = "FILE", env = "EMS_EXPORTER_CONFIG_FILE")]
    pub config_file: PathBuf,

    /// File with one or more events as the media server sends them, or derived events such as
    /// {"type":"chunkStalled","payload":{"format":"hls","group":"g","stream":"cam1"}}
    #[arg(long = "event", value_name = "FILE")]
    pub event: PathBuf,

    /// The media server that they come from [default: the first that is configured]
    #[arg(long, value_name = "NAME")]
    pub server: Option<String>,
}

/// Flags of `replay`.
#[derive(Args, Debug, Clone)]
pub struct Replay {
    /// Event files, read in the order of their first events; time runs by the events, up to the last one
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Format of the files: json, xml, text or w3c [default: found from their content]
    #[arg(long, value_name = "FORMAT", value_parser = variant::<Format>)]
    pub format: Option<Format>,

    /// Print the metrics page after these events instead of the summary
    #[arg(long)]
    pub metrics: bool,
}
