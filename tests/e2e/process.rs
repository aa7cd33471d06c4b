//! A process that ends with its test, and whose output is kept to be looked at.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use crate::waiting::wait_for;

/// A running process.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    output: PathBuf,
}

impl Process {
    /// Starts a program whose output goes to a file in `folder`; `package` is where to get it.
    pub(crate) fn start(command: &mut Command, package: &str, folder: &Path) -> Self {
        let name = name(command);
        let output = folder.join("output");
        let file = File::create(&output).expect("the output's file can be made");
        let again = file.try_clone().expect("the output's file can be shared");
        let started = command.stdin(Stdio::null()).stdout(file).stderr(again).spawn();
        let child = started.unwrap_or_else(|error| panic!("{}", missing(&name, package, error.kind())));
        Self { name, child, output }
    }

    /// All that it has written so far.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.output).expect("the output can be read")).into_owned()
    }

    /// Waits for something in the output.
    pub(crate) fn wait_for_output<T>(&mut self, within: Duration, find: impl Fn(&str) -> Option<T>) -> T {
        wait_for(&format!("what {} should say", self.name), within, || {
            let output = self.output();
            let found = find(&output);
            if found.is_none()
                && let Some(status) = self.child.try_wait().expect("the process can be asked")
            {
                panic!("{} ended too early with {status}:\n{output}", self.name);
            }
            found
        })
    }

    /// Sends SIGINT, as Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        self.signal("INT");
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status().expect("sh runs");
        assert!(sent.success(), "{} could not be sent {signal}", self.name);
    }

    /// Waits for the end.
    pub(crate) fn wait(&mut self, within: Duration) -> ExitStatus {
        wait_for(&format!("the end of {}", self.name), within, || {
            self.child.try_wait().expect("the process can be asked")
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- what {} said:\n{}", self.name, self.output());
        }
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs a program to its end with `input`; `package` is where to get it.
pub(crate) fn run(command: &mut Command, package: &str, input: &[u8]) -> Output {
    let name = name(command);
    let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = started.unwrap_or_else(|error| panic!("{}", missing(&name, package, error.kind())));
    let mut stdin = child.stdin.take().expect("the input is a pipe");
    let input = input.to_vec();
    // Beside the reading of its output, so that neither waits for the other. A program that reads nothing is no failure.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("the process ends");
    writer.join().expect("the input is written");
    output
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn missing(name: &str, package: &str, kind: ErrorKind) -> String {
    format!("the program {name} cannot be run ({kind}): install {package}, or let tests/all do it")
}
