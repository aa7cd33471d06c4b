//! A browser that runs the scripts of a test: Chromium, driven by `tests/browser/driver.mjs` in Node.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use crate::{programs, repository};

/// A browser with one page.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Browser {
    /// Starts a browser and opens the page of the exporter at `address`.
    pub fn at(address: SocketAddr) -> Self {
        let program = programs::find("chromium").expect("the test requires chromium");
        let mut command = programs::command("node");
        command.arg(repository().join("tests/browser/driver.mjs"));
        command.arg(programs::browser_modules()).arg(program).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("node cannot be run: {error}"));
        let input = child.stdin.take().expect("the input is a pipe");
        let output = BufReader::new(child.stdout.take().expect("the output is a pipe"));
        let mut browser = Self { child, input, output };
        browser.run(&format!("await page.goto('http://{address}/')"));
        browser
    }

    /// Runs the body of an async function of `page`, `context` and `takeErrors`.
    pub fn run(&mut self, script: &str) -> Value {
        let line = format!("{}\n", json!(script));
        self.input.write_all(line.as_bytes()).expect("the driver reads its input");
        let mut answer = String::new();
        self.output.read_line(&mut answer).expect("the driver answers");
        assert!(!answer.is_empty(), "the driver ended while it ran:\n{script}");
        let answer: Value = serde_json::from_str(&answer).expect("the driver answers in JSON");
        if let Some(error) = answer.get("error") {
            panic!("{}\n--- in\n{script}", error.as_str().unwrap_or_default());
        }
        answer["value"].clone()
    }

    /// The value of an expression in the page.
    pub fn value(&mut self, expression: &str) -> Value {
        self.run(&format!("return await page.evaluate(() => ({expression}))"))
    }

    /// The value of an expression in the page, as text.
    pub fn text(&mut self, expression: &str) -> String {
        self.value(expression).as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression is true in the page.
    pub fn until(&mut self, expression: &str) {
        self.run(&format!("await page.waitForFunction(() => ({expression}), null, {{ polling: 50 }})"));
    }

    /// Fails if the browser has reported any error.
    pub fn assert_no_errors(&mut self) {
        assert_eq!(self.run("return takeErrors()"), json!([]), "errors in the browser");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser ends with its driver.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
