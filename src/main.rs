//! The program: parses its arguments, runs the subcommand, ends with an exit code.

use std::io::Write;
use std::process::ExitCode;

use ems_exporter::cli::{self, Cli, Command};
use ems_exporter::commands;

/// Gives back the memory that a burst has taken, as musl's allocator does; glibc's keeps most of it.
#[cfg(target_env = "gnu")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::try_parse_arguments(std::env::args_os()).unwrap_or_else(|error| error.exit());
    let done = match cli.command {
        None => commands::serve::run(&cli.serve),
        Some(Command::Serve(flags)) => commands::serve::run(&flags),
        #[cfg(feature = "demo")]
        Some(Command::Demo { serve, streams, speed }) => commands::demo::run(&serve, streams, speed),
        #[cfg(feature = "demo")]
        Some(Command::Simulate(options)) => commands::simulate::run(*options),
        Some(Command::CheckConfig(flags)) => commands::check_config::run(&flags),
        Some(Command::Healthcheck(flags)) => commands::healthcheck::run(&flags),
        Some(Command::Rules(cli::RulesCommand::Test(flags))) => commands::rules_test::run(&flags),
        Some(Command::Replay(flags)) => commands::replay::run(&flags),
        Some(Command::SinkConfig { serve, server, file }) => {
            commands::sink_config::run(&serve, server.as_deref(), file.as_deref())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A reader that is gone must not turn a fault into a panic.
            drop(writeln!(std::io::stderr(), "ems-exporter: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
