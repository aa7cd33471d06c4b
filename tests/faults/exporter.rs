//! A running exporter, and what its clients do.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// How long a condition may take to come true on a machine that is busy with other things.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(40);

pub struct Exporter {
    child: Child,
    pub address: SocketAddr,
}

impl Exporter {
    pub fn start(flags: &[&str]) -> Self {
        Self::after("", flags)
    }

    /// Starts it in a shell that does something before.
    pub fn after(before: &str, flags: &[&str]) -> Self {
        let mut child = Command::new("sh")
            .args(["-c", &format!("{before}\nexec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_ems-exporter")])
            .args(["--web.listen-address", "127.0.0.1:0", "--log.format", "json"])
            .args(flags)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert_ne!(lines.read_line(&mut line).unwrap(), 0, "the exporter has not started");
            let told: serde_json::Value = serde_json::from_str(&line).unwrap();
            if let Some(address) = told["address"].as_str() {
                break address.parse().unwrap();
            }
        };
        // Ends with the exporter.
        std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
        Self { child, address }
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits until it has ended.
    pub async fn ended(&mut self, within: Duration) -> ExitStatus {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the exporter has not ended within {within:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// How much memory it has, in bytes.
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// How many file descriptors it has open.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    pub async fn connect(&self) -> TcpStream {
        timeout(DEFAULT_TIMEOUT, TcpStream::connect(self.address)).await.unwrap().unwrap()
    }

    /// Sends a request that asks to close, and reads all that comes.
    pub async fn ask(&self, request: &[u8]) -> String {
        self.try_ask(request).await.unwrap()
    }

    pub async fn try_ask(&self, request: &[u8]) -> std::io::Result<String> {
        let mut stream = self.connect().await;
        let mut answer = Vec::new();
        let exchange = async {
            stream.write_all(request).await?;
            stream.read_to_end(&mut answer).await
        };
        let exchanged = timeout(DEFAULT_TIMEOUT, exchange).await.unwrap();
        match exchanged {
            // Answered before it had read all, and closed.
            Err(error) if answer.is_empty() => Err(error),
            Ok(_) | Err(_) => Ok(String::from_utf8_lossy(&answer).into_owned()),
        }
    }

    pub async fn get(&self, path: &str) -> String {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await
    }

    pub async fn post(&self, body: &[u8]) -> String {
        self.ask(&post(body)).await
    }

    /// The values of the page by series.
    pub async fn page(&self) -> BTreeMap<String, f64> {
        let answer = self.get("/metrics").await;
        let (head, page) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let samples = page.lines().filter(|line| !line.starts_with('#'));
        samples
            .map(|line| {
                let (series, value) = line.rsplit_once(' ').unwrap();
                (series.to_owned(), value.parse().unwrap())
            })
            .collect()
    }

    pub async fn value(&self, series: &str) -> f64 {
        self.page().await.get(series).copied().unwrap_or_else(|| panic!("there is no {series}"))
    }

    /// Waits until the value of a series is right.
    pub async fn until(&self, series: &str, right: impl Fn(f64) -> bool) {
        let deadline = Instant::now() + DEFAULT_TIMEOUT;
        loop {
            let value = self.value(series).await;
            if right(value) {
                return;
            }
            assert!(Instant::now() < deadline, "{series} is still {value}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asserts that nothing that was received is unaccounted for, and returns how much it was.
    pub async fn account(&self) -> f64 {
        let page = self.page().await;
        let sum = |part: &str| sum(&page, &format!("ems_exporter_events_{part}_total{{"));
        let received = sum("received");
        assert_eq!(received, sum("applied") + sum("duplicate") + sum("rejected") + sum("dropped"));
        received
    }
}

/// The sum of all series that start so.
pub fn sum(page: &BTreeMap<String, f64>, start: &str) -> f64 {
    page.iter().filter(|(series, _)| series.starts_with(start)).map(|(_, value)| value).sum()
}

/// A request with an event.
pub fn post(body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("POST /events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// An event of a number.
pub fn timer(id: usize) -> Vec<u8> {
    let event = format!(
        r#"{{"id":{id},"payload":{{"PID":1,"timerId":9,"triggerCount":{id},"value":3}},"processId":1,"timestamp":1795364096,"type":"timerTriggered"}}"#
    );
    event.into_bytes()
}

/// An event that opens a stream.
pub fn stream(id: usize, name: &str) -> Vec<u8> {
    let payload = serde_json::json!({
        "PID": 1, "uniqueId": id, "type": "INR", "name": name, "creationTimestamp": 1_795_364_000_000.25,
        "queryTimestamp": 1_795_364_001_000.0, "upTime": 2000.0,
        "audio": {"codec": "AUNK", "bytesCount": 0, "packetsCount": 0, "droppedPacketsCount": 0},
        "video": {"codec": "VUNK", "bytesCount": 0, "packetsCount": 0, "droppedPacketsCount": 0},
    });
    let event = serde_json::json!({
        "id": id, "payload": payload, "processId": 1, "timestamp": 1_795_364_000, "type": "inStreamCreated"
    });
    event.to_string().into_bytes()
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // Already gone where the test has stopped it.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
