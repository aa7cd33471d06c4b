//! A process that ends with its test, and whose output is kept.

use std::fs;
use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, kill_process, setrlimit};

pub use rustix::process::Signal;

use crate::wait::wait_for;

/// Raises the limit of open files of this process, and so of those that it starts, to its maximum. The usual one,
/// 1024, is too small for tests with many connections.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
        .expect("a limit can be raised to its maximum");
}

/// A running process.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    output: Arc<Mutex<Vec<u8>>>,
    /// Ends when the last process that writes has ended.
    reading: JoinHandle<()>,
}

impl Process {
    /// Starts a program.
    pub fn start(command: &mut Command) -> Self {
        let name = name(command);
        let (mut reader, writer) = io::pipe().expect("a pipe can be made");
        let again = writer.try_clone().expect("the pipe can be shared");
        let started = command.stdin(Stdio::null()).stdout(writer).stderr(again).spawn();
        let child = started.unwrap_or_else(|error| panic!("{name} cannot be run: {error}"));
        // The command holds its ends of the pipe, which must close with the process.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let output = Arc::<Mutex<Vec<u8>>>::default();
        let reading = thread::spawn({
            let output = Arc::clone(&output);
            move || {
                let mut bytes = [0; 1 << 16];
                while let Ok(count @ 1..) = reader.read(&mut bytes) {
                    lock(&output).extend_from_slice(&bytes[..count]);
                }
            }
        });
        Self { name, child, output, reading }
    }

    /// Its number.
    pub fn id(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Its output so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&lock(&self.output)).into_owned()
    }

    /// Waits for something in the output.
    pub fn wait_for_output<T>(&mut self, find: impl Fn(&str) -> Option<T>) -> T {
        wait_for(&format!("the expected output of {}", self.name), || {
            // Checked first: all output of an ended process is there.
            let ended = self.reading.is_finished();
            let output = self.output();
            let found = find(&output);
            assert!(found.is_some() || !ended, "{} ended too early:\n{output}", self.name);
            found.ok_or(output)
        })
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.id(), signal).expect("the process takes signals");
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        self.child.kill().expect("the process can be killed");
        self.child.wait().expect("the process ends");
    }

    /// Waits for the end.
    pub fn wait(&mut self) -> ExitStatus {
        wait_for(&format!("the end of {}", self.name), || {
            self.child.try_wait().expect("the process can be waited for").ok_or_else(|| self.output())
        })
    }

    /// The bytes in a line of `/proc/PID/status`, such as `VmRSS`.
    pub fn bytes(&self, line: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let value = status.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(':'));
        let value = value.and_then(|value| value.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        value.expect("the line gives kilobytes") * 1024
    }

    /// How many file descriptors it has open.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("it runs").count()
    }

    /// The CPU time that it has used, in hundredths of a second.
    pub fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it runs");
        let (_, after_name) = stat.rsplit_once(") ").expect("the name stands in parentheses");
        after_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- output of {}:\n{}", self.name, self.output());
        }
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs a program to its end with `input`.
pub fn run(command: &mut Command, input: &[u8]) -> Output {
    let name = name(command);
    let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = started.unwrap_or_else(|error| panic!("{name} cannot be run: {error}"));
    let mut stdin = child.stdin.take().expect("the input is a pipe");
    let input = input.to_vec();
    // On a thread of its own, so that neither pipe blocks the other. A program that reads no input is not a failure.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("the process ends");
    writer.join().expect("the input is written");
    output
}

/// Runs a program to its end, which must be a success; returns its standard output.
pub fn run_successfully(command: &mut Command, input: &[u8]) -> String {
    let output = run(command, input);
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{command:?}: {}\n{stdout}{stderr}", output.status);
    stdout
}

fn lock(output: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    output.lock().expect("no thread has panicked with it")
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}
