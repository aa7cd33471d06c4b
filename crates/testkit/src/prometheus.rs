//! A real Prometheus, one that scrapes an exporter every second unless it is configured otherwise.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::alertmanager::listening_on;
use crate::http::{self, block_on, encoded};
use crate::now;
use crate::process::Process;
use crate::programs;
use crate::wait::{holds, wait_for};

/// A running Prometheus.
#[derive(Debug)]
pub struct Prometheus {
    process: Process,
    address: SocketAddr,
    _folder: TempDir,
}

/// Labels of a series, its name under `__name__`.
pub type Labels = BTreeMap<String, String>;

/// A series with its samples: Unix seconds and values.
pub type Series = (Labels, Vec<(f64, f64)>);

impl Prometheus {
    /// Starts one that has scraped `exporter` before this returns.
    pub fn scraping(exporter: SocketAddr) -> Self {
        Self::configured(
            &format!(
                "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
                 scrape_configs:\n- {{job_name: ems, static_configs: [{{targets: ['{exporter}']}}]}}\n"
            ),
            &[],
        )
    }

    /// Starts one with a configuration and copies of files beside it; it has scraped before this returns.
    pub fn configured(text: &str, beside: &[&Path]) -> Self {
        let folder = TempDir::new().expect("its folder can be used");
        let config = folder.path().join("prometheus.yml");
        fs::write(&config, text).expect("its folder can be used");
        for file in beside {
            fs::copy(file, folder.path().join(file.file_name().expect("its folder can be used")))
                .expect("its folder can be used");
        }
        let mut command = programs::command("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .args(["--web.listen-address=127.0.0.1:0", "--log.level=debug"]);
        let mut process = Process::start(&mut command);
        let address = process.wait_for_output(listening_on);
        let prometheus = Self { process, address, _folder: folder };
        prometheus.wait_for_scrape_after(0.0);
        prometheus
    }

    /// The result of an instant query now.
    pub fn now(&self, query: &str) -> Vec<(Labels, f64)> {
        let answer = self.query("query", &[("query", query)]);
        answer.into_iter().map(|(labels, samples)| (labels, samples[0].1)).collect()
    }

    /// Every scraped sample of the series that a selector matches.
    pub fn scraped(&self, selector: &str) -> Vec<Series> {
        self.query("query", &[("query", &format!("{selector}[1h]"))])
    }

    /// The samples of those series that were scraped after a moment.
    pub fn scraped_after(&self, selector: &str, seconds: f64) -> Vec<Series> {
        let window = (now() - seconds).ceil() as u64 + 1;
        let mut all = self.query("query", &[("query", &format!("{selector}[{window}s]"))]);
        for (_, samples) in &mut all {
            samples.retain(|(at, _)| *at > seconds);
        }
        all
    }

    /// The result of a range query with a step of one second.
    pub fn each_second(&self, query: &str, from: f64, to: f64) -> Vec<Series> {
        let (from, to) = (from.to_string(), to.to_string());
        self.query("query_range", &[("query", query), ("start", &from), ("end", &to), ("step", "1")])
    }

    /// Waits until a scrape that began after a moment has succeeded and is stored.
    pub fn wait_for_scrape_after(&self, seconds: f64) {
        wait_for("the next scrape", || {
            let up = self.scraped_after("up", seconds);
            let after = |(at, up): &(f64, f64)| *at > seconds && *up == 1.0;
            let samples = up.first().map(|(_, samples)| samples.clone()).unwrap_or_default();
            holds(samples.iter().any(after), samples)
        });
    }

    /// Fails if it could not use a page. A scrape that timed out only shows how busy the machine is.
    pub fn assert_pages_accepted(&self) {
        let log = self.process.output();
        let failed = |line: &&str| {
            line.contains("Append failed")
                || line.contains("Scrape failed") && !line.contains("context deadline exceeded")
        };
        assert_eq!(log.lines().find(failed), None);
    }

    /// Its rules, each with its health and with the alerts that it has raised, as the API gives them.
    pub fn rules(&self) -> Vec<Value> {
        let groups = self.api("rules", &[]).expect("Prometheus lists its rules")["groups"].take();
        list(&groups).iter().flat_map(|group| list(&group["rules"])).cloned().collect()
    }

    fn query(&self, endpoint: &str, parameters: &[(&str, &str)]) -> Vec<Series> {
        let data = self
            .api(endpoint, parameters)
            .unwrap_or_else(|error| panic!("{endpoint} {parameters:?}: {error}"));
        list(&data["result"]).iter().map(series).collect()
    }

    /// The `data` of the answer of an endpoint of its API.
    ///
    /// # Errors
    /// Fails with the `error` of the answer.
    pub fn api(&self, endpoint: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let query: Vec<String> =
            parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let path = format!("/api/v1/{endpoint}?{}", query.join("&"));
        let answer = wait_for("Prometheus to be ready", || {
            let answer = block_on(http::get(self.address, &path, &[])).map_err(|error| error.to_string())?;
            if answer.status == 503 { Err(answer.text().to_owned()) } else { Ok(answer) }
        });
        let mut answer = answer.json();
        if answer["status"] == "success" {
            Ok(answer["data"].take())
        } else {
            Err(answer["error"].to_string())
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("Prometheus gives a list")
}

fn series(series: &Value) -> Series {
    let labels = series["metric"].as_object().expect("a series has labels");
    let labels = labels.iter().map(|(name, value)| (name.clone(), text(value).to_owned()));
    let samples = match series["values"].as_array() {
        Some(samples) => samples.iter().map(sample).collect(),
        None => vec![sample(&series["value"])],
    };
    (labels.collect(), samples)
}

fn sample(pair: &Value) -> (f64, f64) {
    let number = text(&pair[1]).parse().expect("a value is a number");
    (pair[0].as_f64().expect("a sample has a time"), number)
}

fn text(value: &Value) -> &str {
    value.as_str().expect("Prometheus gives a text")
}
