//! A browser that does what a test says.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// Debian's browser.
const CHROMIUM: &str = "/usr/bin/chromium";

/// A browser with one page.
#[derive(Debug)]
pub(crate) struct Browser {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Browser {
    /// Starts a browser and opens the page of the exporter at `address`.
    pub(crate) fn at(address: SocketAddr) -> Self {
        assert!(
            Path::new(CHROMIUM).exists(),
            "{CHROMIUM} is missing: install chromium, or let tests/all do it"
        );
        let modules = modules();
        let package = modules.join("node_modules/playwright-core/package.json");
        assert!(package.exists(), "{} is missing: let tests/all install it with npm", package.display());
        let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/driver.mjs");
        let mut command = Command::new("node");
        command.arg(driver).arg(modules).arg(CHROMIUM).stdin(Stdio::piped()).stdout(Stdio::piped());
        let started = command.spawn();
        let mut child = started.unwrap_or_else(|error| {
            panic!("the program node cannot be run ({error}): install nodejs, or let tests/all do it")
        });
        let input = child.stdin.take().expect("the input is a pipe");
        let output = BufReader::new(child.stdout.take().expect("the output is a pipe"));
        let mut browser = Self { child, input, output };
        browser.run(&format!("await page.goto('http://{address}/')"));
        browser
    }

    /// Runs the body of an async function of `page`, `context` and `takeComplaints`.
    pub(crate) fn run(&mut self, script: &str) -> Value {
        let line = format!("{}\n", json!(script));
        self.input.write_all(line.as_bytes()).expect("the driver listens");
        let mut answer = String::new();
        self.output.read_line(&mut answer).expect("the driver answers");
        assert!(!answer.is_empty(), "the driver ended in the middle of:\n{script}");
        let answer: Value = serde_json::from_str(&answer).expect("the driver answers in JSON");
        if let Some(error) = answer.get("error") {
            panic!("{}\n--- in\n{script}", error.as_str().unwrap_or_default());
        }
        answer["value"].clone()
    }

    /// What an expression is worth in the page.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        self.run(&format!("return await page.evaluate(() => ({expression}))"))
    }

    /// What an expression is worth in the page, as text.
    pub(crate) fn text(&mut self, expression: &str) -> String {
        self.value(expression).as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression is true in the page.
    pub(crate) fn until(&mut self, expression: &str) {
        self.run(&format!("await page.waitForFunction(() => ({expression}), null, {{ polling: 50 }})"));
    }

    /// Fails if the browser has complained of anything.
    pub(crate) fn assert_content(&mut self) {
        assert_eq!(self.run("return takeComplaints()"), json!([]), "the browser complains");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser goes with its driver.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Where `tests/all` puts the packages of `package.json`.
fn modules() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder").join("browser")
}

/// The texts of the first cells of a table's rows, as an expression.
pub(crate) fn names(table: &str) -> String {
    format!(
        "[...document.querySelectorAll('#{table} tbody th .name:first-child')].map((name) => name.textContent)"
    )
}

/// Posts events to the exporter, each on a line of its own.
pub(crate) fn post(address: SocketAddr, events: &[Value]) {
    let body = events.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let mut stream = TcpStream::connect(address).expect("the exporter listens");
    let length = body.len();
    write!(stream, "POST /events HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}").expect("it reads");
    let mut status = String::new();
    BufReader::new(stream).read_line(&mut status).expect("it answers");
    assert!(status.contains(" 200 "), "{status}");
}

/// The creation of an inbound stream.
pub(crate) fn stream(id: u64, name: &str) -> Value {
    event(id, "inStreamCreated", &json!({ "uniqueId": id, "type": "INR", "name": name }))
}

/// The creation of an HLS output.
pub(crate) fn output(id: u64, name: &str) -> Value {
    let settings = json!({
        "chunkLength": 4, "groupName": "g", "localStreamName": name, "targetFolder": format!("/srv/{id}"),
    });
    let payload = json!({ "uniqueId": id, "type": "OFHLS", "name": name, "hlsSettings": settings });
    event(id, "outStreamCreated", &payload)
}

fn event(id: u64, name: &str, payload: &Value) -> Value {
    let mut payload = payload.clone();
    payload["PID"] = json!(7);
    payload["creationTimestamp"] = json!(crate::simulated::now() * 1000.0);
    json!({ "id": id, "processId": 7, "timestamp": crate::simulated::now() as u64, "type": name, "payload": payload })
}
