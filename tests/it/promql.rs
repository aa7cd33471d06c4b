//! What a PromQL query reads and gives, measured by the catalogue of metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ems_exporter::exposition::Kind;
use ems_exporter::metrics::{self, ExporterMetrics};
use promql_parser::label::Matcher;
use promql_parser::parser::{self, Expr, LabelModifier, VectorMatchCardinality, VectorSelector};

use crate::support::at;

pub type Labels = BTreeSet<String>;

/// Labels that Prometheus adds to everything it scrapes.
const SCRAPED: [&str; 2] = ["job", "instance"];

/// The series that a page can hold: by name, whether they count up, and their labels.
pub struct Catalogue(BTreeMap<String, (bool, Labels)>);

impl Catalogue {
    pub fn new() -> Self {
        let mut series = BTreeMap::new();
        for metric in metrics::catalogue(&ExporterMetrics::new(at(0.0)).unwrap()) {
            let mut labels: Labels = metric.labels.into_iter().collect();
            labels.extend(SCRAPED.map(str::to_owned));
            if metric.kind == Kind::Histogram {
                for suffix in ["_sum", "_count", "_bucket"] {
                    if suffix == "_bucket" {
                        labels.insert("le".to_owned());
                    }
                    series.insert(format!("{}{suffix}", metric.name), (true, labels.clone()));
                }
            } else {
                series.insert(metric.name, (metric.kind == Kind::Counter, labels));
            }
        }
        Self(series)
    }
}

/// One selector of a query.
#[derive(Debug)]
pub struct Selector {
    /// The metrics that it names.
    pub metrics: Vec<String>,
    pub matchers: Vec<Matcher>,
    /// Whether any of its metrics counts up.
    pub counts: bool,
    /// All labels of its metrics.
    pub labels: Labels,
    /// The function that it stands in directly, and its range, if it has one.
    pub range: Option<(&'static str, Duration)>,
}

impl Selector {
    /// Whether it has the matcher by which a dashboard's variable chooses.
    pub fn chosen_by(&self, variable: &str) -> bool {
        self.matchers.iter().any(|matcher| {
            matcher.name == variable
                && matcher.op.to_string() == "=~"
                && matcher.value == format!("${variable}")
        })
    }
}

/// A query, taken apart.
#[derive(Debug, Default)]
pub struct Reading {
    pub selectors: Vec<Selector>,
    /// Labels that it groups or joins by.
    pub groups: Labels,
    /// Labels that its result can have.
    pub result: Labels,
}

/// Takes a query apart; says what the catalogue does not know.
pub fn read(query: &str, catalogue: &Catalogue) -> Result<Reading, String> {
    let expression = parser::parse(query)?;
    let mut reading = Reading::default();
    reading.result = walk(&expression, catalogue, &mut reading)?;
    let known: Labels = reading.selectors.iter().flat_map(|selector| selector.labels.clone()).collect();
    match reading.groups.difference(&known).next() {
        Some(label) => Err(format!("no metric in it has the label {label}")),
        None => Ok(reading),
    }
}

/// The labels that an expression's result can have.
fn walk(expression: &Expr, catalogue: &Catalogue, reading: &mut Reading) -> Result<Labels, String> {
    match expression {
        Expr::Aggregate(aggregate) => {
            let inner = walk(&aggregate.expr, catalogue, reading)?;
            let keeps = ["topk", "bottomk"].contains(&aggregate.op.to_string().as_str());
            Ok(match &aggregate.modifier {
                Some(LabelModifier::Include(by)) => {
                    let by: Labels = by.labels.iter().cloned().collect();
                    reading.groups.extend(by.clone());
                    if let Some(label) = by.difference(&inner).next() {
                        return Err(format!("what is grouped by {label} has no such label any more"));
                    }
                    by
                }
                Some(LabelModifier::Exclude(without)) => {
                    reading.groups.extend(without.labels.iter().cloned());
                    inner.into_iter().filter(|label| !without.labels.contains(label)).collect()
                }
                None if keeps => inner,
                None => Labels::new(),
            })
        }
        Expr::Binary(binary) => {
            let left = walk(&binary.lhs, catalogue, reading)?;
            let right = walk(&binary.rhs, catalogue, reading)?;
            let modifier = binary.modifier.as_ref();
            if let Some(LabelModifier::Include(on) | LabelModifier::Exclude(on)) =
                modifier.and_then(|modifier| modifier.matching.as_ref())
            {
                reading.groups.extend(on.labels.iter().cloned());
            }
            let many = modifier.is_some_and(|modifier| modifier.card == VectorMatchCardinality::ManyToMany);
            if many && binary.op.to_string() == "or" {
                return Ok(left.union(&right).cloned().collect());
            }
            Ok(if left.is_empty() { right } else { left })
        }
        Expr::Call(call) => {
            let mut labels = Labels::new();
            for argument in &call.args.args {
                if let Expr::MatrixSelector(matrix) = &**argument {
                    let range = (call.func.name, matrix.range);
                    labels.extend(select(&matrix.vs, Some(range), catalogue, reading)?);
                } else {
                    labels.extend(walk(argument, catalogue, reading)?);
                }
            }
            if call.func.name == "histogram_quantile" {
                labels.remove("le");
            }
            Ok(labels)
        }
        Expr::Paren(inner) => walk(&inner.expr, catalogue, reading),
        Expr::Unary(inner) => walk(&inner.expr, catalogue, reading),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Ok(Labels::new()),
        Expr::VectorSelector(selector) => select(selector, None, catalogue, reading),
        Expr::MatrixSelector(_) | Expr::Subquery(_) | Expr::Extension(_) => {
            Err("a range stands outside of a function, or in a subquery".to_owned())
        }
    }
}

fn select(
    selector: &VectorSelector,
    range: Option<(&'static str, Duration)>,
    catalogue: &Catalogue,
    reading: &mut Reading,
) -> Result<Labels, String> {
    let matchers = selector.matchers.matchers.clone();
    let metrics: Vec<String> = match &selector.name {
        Some(name) => vec![name.clone()],
        None => {
            let name = matchers.iter().find(|matcher| matcher.name == "__name__");
            name.ok_or("a selector names no metric")?.value.split('|').map(str::to_owned).collect()
        }
    };
    let (mut counts, mut labels) = (false, Labels::new());
    for metric in &metrics {
        let (counter, has) = catalogue.0.get(metric).ok_or(format!("there is no metric {metric}"))?;
        let absent =
            matchers.iter().find(|matcher| matcher.name != "__name__" && !has.contains(&matcher.name));
        if let Some(matcher) = absent {
            return Err(format!("{metric} has no label {}", matcher.name));
        }
        counts |= counter;
        labels.extend(has.clone());
    }
    reading.selectors.push(Selector { metrics, matchers, counts, labels: labels.clone(), range });
    Ok(labels)
}

#[test]
fn what_is_not_in_the_catalogue_is_found() {
    let catalogue = Catalogue::new();
    for (query, fault) in [
        ("ems_nothing", "there is no metric ems_nothing"),
        ("ems_up{stream=\"cam1\"}", "ems_up has no label stream"),
        ("sum by (stream) (ems_up)", "grouped by stream"),
        ("ems_up * on (stream) ems_up", "no metric in it has the label stream"),
        ("ems_chunk_interval_seconds", "there is no metric"),
        ("sum by (format) (sum by (server) (ems_outputs))", "grouped by format"),
        ("max_over_time(ems_up[5m:1m])", "subquery"),
    ] {
        let error = read(query, &catalogue).unwrap_err();
        assert!(error.contains(fault), "{query}: {error}");
    }
    let reading = read(
        "histogram_quantile(0.5, sum by (le, format) (rate(ems_chunk_interval_seconds_bucket{server=~\"$server\"}[1m])))",
        &catalogue,
    )
    .unwrap();
    assert_eq!(reading.result, Labels::from(["format".to_owned()]));
    let [selector] = &*reading.selectors else { panic!("{reading:?}") };
    assert!(selector.counts && selector.chosen_by("server") && !selector.chosen_by("job"));
    assert_eq!(selector.range, Some(("rate", Duration::from_secs(60))));
}
