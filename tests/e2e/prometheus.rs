//! A real Prometheus, one that scrapes an exporter every second unless it is configured otherwise.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::http::{self, encoded};
use crate::process::Process;
use crate::waiting::{SOON, wait_for};

/// A running Prometheus.
#[derive(Debug)]
pub(crate) struct Prometheus {
    _process: Process,
    address: SocketAddr,
    _folder: TempDir,
}

/// Labels of a series, its name under `__name__`.
pub(crate) type Labels = BTreeMap<String, String>;

/// A series with its samples: Unix seconds and values.
pub(crate) type Series = (Labels, Vec<(f64, f64)>);

impl Prometheus {
    /// Starts one that has scraped `exporter` before this returns.
    pub(crate) fn scraping(exporter: SocketAddr) -> Self {
        Self::configured(
            &format!(
                "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
                 scrape_configs:\n- {{job_name: ems, static_configs: [{{targets: ['{exporter}']}}]}}\n"
            ),
            &[],
        )
    }

    /// Starts one with a configuration and copies of files beside it; it has scraped before this returns.
    pub(crate) fn configured(text: &str, beside: &[&Path]) -> Self {
        let folder = TempDir::new().unwrap();
        let config = folder.path().join("prometheus.yml");
        fs::write(&config, text).unwrap();
        for file in beside {
            fs::copy(file, folder.path().join(file.file_name().unwrap())).unwrap();
        }
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .args(["--web.listen-address=127.0.0.1:0", "--log.level=info"]);
        let mut process = Process::start(&mut command, "the Debian package prometheus", folder.path());
        let address = process.wait_for_output(SOON, |output| {
            let (_, rest) = output.split_once("msg=\"Listening on\" address=")?;
            rest.split_whitespace().next()?.parse().ok()
        });
        let prometheus = Self { _process: process, address, _folder: folder };
        wait_for("the first scrape", SOON, || {
            let up = prometheus.ask("query", &[("query", "up == 1")]);
            (!up.is_empty()).then_some(())
        });
        prometheus
    }

    /// What an instant query gives at this moment.
    pub(crate) fn now(&self, query: &str) -> Vec<(Labels, f64)> {
        let answer = self.ask("query", &[("query", query)]);
        answer.into_iter().map(|(labels, samples)| (labels, samples[0].1)).collect()
    }

    /// Every sample that was scraped of the series that a selector picks, as it was scraped.
    pub(crate) fn scraped(&self, selector: &str) -> Vec<Series> {
        self.ask("query", &[("query", &format!("{selector}[1h]"))])
    }

    /// What a query gave at each second of a span.
    pub(crate) fn each_second(&self, query: &str, from: f64, to: f64) -> Vec<Series> {
        let (from, to) = (from.to_string(), to.to_string());
        self.ask("query_range", &[("query", query), ("start", &from), ("end", &to), ("step", "1")])
    }

    /// Waits until a scrape has begun after a moment and is stored.
    pub(crate) fn wait_for_scrape_after(&self, seconds: f64) {
        wait_for("the next scrape", SOON, || {
            let scraped = self.scraped("up");
            scraped.iter().flat_map(|(_, samples)| samples).any(|(at, _)| *at > seconds).then_some(())
        });
    }

    /// Fails if any scrape has failed.
    pub(crate) fn assert_every_scrape_succeeded(&self) {
        let up = self.scraped("up");
        let [(_, samples)] = &*up else { panic!("one target is scraped, not {up:?}") };
        // The first ones may have come before the exporter listened; it always does here.
        assert!(samples.iter().all(|(_, up)| *up == 1.0), "some scrapes failed: {samples:?}");
        let targets = self.data("targets");
        let target = &targets["activeTargets"][0];
        assert_eq!((&target["health"], &target["lastError"]), (&"up".into(), &"".into()), "{targets}");
    }

    /// Its rules, each with its health and with the alerts that it has raised, as the API gives them.
    pub(crate) fn rules(&self) -> Vec<Value> {
        let groups = self.data("rules")["groups"].take();
        groups
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|group| group["rules"].as_array().unwrap())
            .cloned()
            .collect()
    }

    fn ask(&self, what: &str, parameters: &[(&str, &str)]) -> Vec<Series> {
        let query: Vec<String> =
            parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let data = self.data(&format!("{what}?{}", query.join("&")));
        data["result"].as_array().unwrap().iter().map(series).collect()
    }

    /// What the API answers to a path.
    fn data(&self, path: &str) -> Value {
        let path = format!("/api/v1/{path}");
        let answer = wait_for("Prometheus to be ready", Duration::from_secs(20), || {
            let answer = http::get(self.address, &path, "").ok()?;
            (answer.status != 503).then_some(answer)
        });
        let mut answer: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].take()
    }
}

fn series(series: &Value) -> Series {
    let labels = series["metric"].as_object().unwrap();
    let labels = labels.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
    let samples = match series["values"].as_array() {
        Some(samples) => samples.iter().map(sample).collect(),
        None => vec![sample(&series["value"])],
    };
    (labels.collect(), samples)
}

fn sample(pair: &Value) -> (f64, f64) {
    (pair[0].as_f64().unwrap(), pair[1].as_str().unwrap().parse().unwrap())
}
