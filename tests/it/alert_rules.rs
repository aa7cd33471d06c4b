//! The alert rules, their runbook and the configurations that go with them, judged against the catalogue of metrics.
//! `tests/tools` has them judged by the programs that they are for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ems_exporter::exposition::Kind;
use ems_exporter::metrics::{self, ExporterMetrics};
use serde::Deserialize;
use testkit::promql_blocks;

use crate::support::at;

/// Labels that Prometheus gives to every series of a target.
const TARGET_LABELS: [&str; 2] = ["job", "instance"];
/// Series of Prometheus itself, and their labels.
const PROMETHEUS: &[(&str, &[&str])] = &[("up", &[]), ("ALERTS", &["alertname", "alertstate", "severity"])];

/// Fails if a query does not parse.
pub fn parse(query: &str) {
    promql_parser::parser::parse(query).unwrap_or_else(|error| panic!("{error}: {query}"));
}

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(shipped(name)).unwrap()
}

#[derive(Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
pub struct Rule {
    pub alert: String,
    pub expr: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

pub fn alerts() -> Vec<Rule> {
    let rules: Rules = serde_saphyr::from_str(&text("dashboards/prometheus/alerts.yml")).unwrap();
    rules.groups.into_iter().flat_map(|group| group.rules).collect()
}

/// The metrics and labels that queries may use.
pub struct Names(BTreeMap<String, BTreeSet<String>>);

impl Names {
    pub fn of_catalogue() -> Self {
        let mut names = BTreeMap::new();
        let mut add = |name: String, labels: &[&str]| {
            let labels = labels.iter().chain(&TARGET_LABELS).map(|label| (*label).to_owned());
            names.insert(name, labels.collect::<BTreeSet<_>>());
        };
        for metric in metrics::catalogue(&ExporterMetrics::new(at(0.0)).unwrap()) {
            let labels: Vec<&str> = metric.labels.iter().map(String::as_str).collect();
            if metric.kind == Kind::Histogram {
                add(format!("{}_bucket", metric.name), &[&labels[..], &["le"]].concat());
                add(format!("{}_sum", metric.name), &labels);
                add(format!("{}_count", metric.name), &labels);
            } else {
                add(metric.name, &labels);
            }
        }
        for (name, labels) in PROMETHEUS {
            add((*name).to_owned(), labels);
        }
        Self(names)
    }

    /// The labels of all metrics in a query, each of which must exist, as must every label that the
    /// query names.
    pub fn check(&self, query: &str) -> BTreeSet<String> {
        let tokens = tokens(query);
        let mut all = BTreeSet::new();
        for token in &tokens {
            let known = self.0.get(token.as_str());
            let ours = token.starts_with("ems_") || token.starts_with("process_");
            assert!(known.is_some() || !ours, "no metric is called {token}: {query}");
            all.extend(known.into_iter().flatten().cloned());
        }
        for (at, token) in tokens.iter().enumerate() {
            let listed =
                |close: &'static str| tokens[at + 2..].iter().take_while(move |token| *token != close);
            match tokens.get(at + 1).map(String::as_str) {
                Some("{") => {
                    let labels = &self.0.get(token).unwrap_or_else(|| panic!("{token} is unknown: {query}"));
                    for label in listed("}").filter(|token| is_word(token)) {
                        assert!(labels.contains(label), "{token} has no label {label}: {query}");
                    }
                }
                Some("(")
                    if ["by", "on", "without", "ignoring", "group_left", "group_right"]
                        .contains(&token.as_str()) =>
                {
                    for label in listed(")").filter(|token| is_word(token)) {
                        assert!(all.contains(label), "nothing here has the label {label}: {query}");
                    }
                }
                Some(_) | None => {}
            }
        }
        all
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
}

/// The words and punctuation of a query, without its strings.
fn tokens(query: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = query.chars().peekable();
    while let Some(first) = rest.next() {
        if first == '"' || first == '\'' {
            while rest.next().is_some_and(|next| next != first) {}
        } else if first.is_ascii_alphanumeric() || first == '_' {
            let mut word = String::from(first);
            while let Some(next) = rest.next_if(|next| next.is_ascii_alphanumeric() || "_:".contains(*next)) {
                word.push(next);
            }
            tokens.push(word);
        } else if !first.is_whitespace() {
            tokens.push(first.to_string());
        }
    }
    tokens
}

#[test]
fn inhibited_alerts_exist() {
    let alerts = alerts();
    let file = text("dashboards/prometheus/alertmanager.yml");
    let names: Vec<&str> = file.match_indices("Ems").map(|(at, _)| &file[at..]).collect();
    assert!(names.len() > 10, "too few alerts");
    for rest in names {
        let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap();
        let (name, rest) = rest.split_at(end);
        let found = alerts
            .iter()
            .any(|rule| rule.alert == name || (rest.starts_with(".+") && rule.alert.starts_with(name)));
        assert!(found, "alertmanager.yml names {name}, which is no alert");
    }
}

#[test]
fn every_alert_is_complete_and_uses_existing_metrics() {
    let names = Names::of_catalogue();
    for rule in alerts() {
        let name = &rule.alert;
        assert!(
            ["critical", "warning", "info"].contains(&rule.labels["severity"].as_str()),
            "{name}: severity"
        );
        let url = format!("dashboards/prometheus/RUNBOOK.md#{}", name.to_lowercase());
        assert_eq!(rule.annotations["runbook_url"], url);
        assert!(rule.annotations["description"].contains("$value"), "{name}: the description has no value");
        let labels = names.check(&rule.expr);
        for (annotation, text) in &rule.annotations {
            for (at, prefix) in text.match_indices("$labels.") {
                let label = &tokens(&text[at + prefix.len()..])[0];
                assert!(labels.contains(label), "{name}: {annotation} names the label {label}");
            }
        }
        let own = tokens(&rule.expr).iter().find_map(|token| names.0.get(token)).unwrap().clone();
        for label in ["server", "stream", "format"].into_iter().filter(|label| own.contains(*label)) {
            let is_named = rule.annotations["summary"].contains(&format!("$labels.{label}"));
            assert!(is_named, "{name}: the summary does not name {label}");
        }
    }
}

#[test]
fn alerts_and_sections_of_the_runbook_correspond() {
    let runbook = text("dashboards/prometheus/RUNBOOK.md");
    let sections: Vec<&str> = runbook.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let alerts: Vec<String> = alerts().into_iter().map(|rule| rule.alert).collect();
    assert_eq!(sections, alerts, "in the order of alerts.yml");
    for section in runbook.split("\n## ").skip(1) {
        let name = section.lines().next().unwrap();
        for part in ["**Means.**", "**Confirm.**", "```promql", "**Do.**", "**False alarms.**"] {
            assert!(section.contains(part), "{name} has no {part}");
        }
    }
    for (at, _) in runbook.match_indices("](#") {
        let anchor = runbook[at + 3..].split(')').next().unwrap();
        assert!(sections.iter().any(|section| section.to_lowercase() == anchor), "no section is {anchor}");
    }
}

#[derive(Deserialize)]
struct Tests {
    tests: Vec<Test>,
}

#[derive(Deserialize)]
struct Test {
    #[serde(default)]
    alert_rule_test: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    alertname: String,
    #[serde(default)]
    exp_alerts: Vec<serde_json::Value>,
}

#[test]
fn every_alert_has_a_firing_and_a_silent_test() {
    let tests: Tests = serde_saphyr::from_str(&text("dashboards/prometheus/alerts.test.yml")).unwrap();
    let expected: Vec<Expected> = tests.tests.into_iter().flat_map(|test| test.alert_rule_test).collect();
    for rule in alerts() {
        let of_rule = || expected.iter().filter(|expected| expected.alertname == rule.alert);
        assert!(of_rule().any(|expected| !expected.exp_alerts.is_empty()), "{} never fires", rule.alert);
        assert!(of_rule().any(|expected| expected.exp_alerts.is_empty()), "{} is never silent", rule.alert);
    }
}

#[test]
fn every_query_in_runbook_readme_and_guides_parses_and_uses_existing_metrics() {
    let names = Names::of_catalogue();
    let all = ["dashboards/prometheus/RUNBOOK.md", "README.md"].map(|page| promql_blocks(&text(page)));
    let [runbook, readme] = &all;
    assert!(runbook.len() > 40 && !readme.is_empty(), "too few queries");
    for query in all.iter().flatten() {
        names.check(query);
        parse(query);
    }
}

#[test]
#[should_panic(expected = "no metric is called ems_chunks")]
fn a_metric_that_does_not_exist_is_found() {
    Names::of_catalogue().check("rate(ems_chunks[5m])");
}

#[test]
#[should_panic(expected = "ems_outputs has no label stream")]
fn a_label_in_a_selector_that_does_not_exist_is_found() {
    Names::of_catalogue().check(r#"ems_outputs{format="hls", stream="format"}"#);
}

#[test]
#[should_panic(expected = "nothing here has the label track")]
fn a_label_in_a_clause_that_does_not_exist_is_found() {
    Names::of_catalogue().check("sum by (server, track) (ems_outputs)");
}
