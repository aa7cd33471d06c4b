//! The facts that are compared, from a simulated server's truth and from a scrape.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ems_exporter::exposition::bounded;
use ems_simulator::{OutputFormat, Truth};

use testkit::exporter::samples;
use testkit::prometheus::Series;

/// Numbers by description, without those that are 0.
pub(crate) type Facts = BTreeMap<String, f64>;

/// Prefix of facts about open objects, which a lost event makes wrong.
const OPEN: &str = "open: ";

/// The facts of a simulated server.
pub(crate) fn of_truth(truth: &Truth) -> Facts {
    let mut facts = Facts::new();
    let mut add = |fact: String, number: u64| {
        if number > 0 {
            *facts.entry(fact).or_default() += number as f64;
        }
    };
    add("up".to_owned(), u64::from(truth.running));
    add("restarts".to_owned(), truth.starts - 1);
    add(format!("{OPEN}streams in"), truth.streams.len() as u64);
    for name in truth.streams.keys() {
        add(format!("{OPEN}stream {}", shown(name)), 1);
    }
    add(format!("{OPEN}streams out play"), truth.players.values().sum());
    add(format!("{OPEN}streams out push"), truth.pushes.values().sum());
    for output in &truth.outputs {
        let format = label(output.format);
        add(format!("{OPEN}streams out {format}"), 1);
        add(format!("{OPEN}outputs {format}"), 1);
        add(
            format!("{OPEN}output {}", place(format, group(format, &output.group), &shown(&output.stream))),
            1,
        );
    }
    add(format!("{OPEN}timers"), truth.timers.len() as u64);
    for timer in &truth.timers {
        if let Some(period) = timer.period {
            add(format!("{OPEN}timer {} has the period", timer.id), period);
        }
    }
    add("timers triggered".to_owned(), truth.timers_triggered);
    add(format!("{OPEN}sessions"), truth.sessions.len() as u64);
    for chunks in &truth.chunks_closed {
        let format = label(chunks.format);
        let place = place(format, group(format, &chunks.group), &shown(&chunks.stream));
        add(format!("chunks closed {place} {:?}", chunks.track), chunks.closed);
    }
    for (event, number) in &truth.emitted {
        let lost = truth.lost.get(event).copied().unwrap_or(0);
        add(format!("event {event}"), number - lost);
    }
    facts
}

/// The facts of each scrape of one server's series, by the time at which the scrape began.
pub(crate) fn of_scrapes(series: &[Series]) -> BTreeMap<u64, Facts> {
    let mut scrapes: BTreeMap<u64, Facts> = BTreeMap::new();
    for (labels, samples) in series {
        let of = |name: &str| labels.get(name).map_or("", String::as_str);
        let place = place(of("format"), of("group"), of("stream"));
        let mut alone = false;
        let fact = match of("__name__") {
            "ems_up" => "up".to_owned(),
            "ems_server_restarts_total" => "restarts".to_owned(),
            "ems_stream_up" => format!("{OPEN}stream {}", of("stream")),
            "ems_streams" => match (of("direction"), of("purpose")) {
                // Streams of a few milliseconds that serve the server itself.
                (_, "internal") => continue,
                ("in", "publish" | "pull") => format!("{OPEN}streams in"),
                (direction, purpose) => format!("{OPEN}streams {direction} {purpose}"),
            },
            "ems_outputs" => format!("{OPEN}outputs {}", of("format")),
            "ems_chunk_last_closed_timestamp_seconds" => {
                alone = true;
                format!("{OPEN}output {place}")
            }
            "ems_timers" => format!("{OPEN}timers"),
            "ems_timer_period_seconds" => format!("{OPEN}timer {} has the period", of("timer")),
            "ems_timers_triggered_total" => "timers triggered".to_owned(),
            "ems_sessions" => format!("{OPEN}sessions"),
            "ems_chunks_closed_total" => format!("chunks closed {place} {:?}", of("track")),
            "ems_events_total" => format!("event {}", of("event")),
            _ => continue,
        };
        for (at, value) in samples {
            // Prometheus keeps whole milliseconds.
            let facts = scrapes.entry((at * 1000.0).round() as u64).or_default();
            if alone {
                facts.insert(fact.clone(), 1.0);
            } else if *value != 0.0 {
                *facts.entry(fact.clone()).or_default() += value;
            }
        }
    }
    scrapes
}

/// The open objects of a page of metrics.
pub(crate) fn open_by_page(page: &str, server: &str) -> Facts {
    let samples = samples(page);
    let samples = samples.iter().map(|(series, value)| {
        let (name, mut rest) = series.split_once('{').unwrap_or((series, ""));
        let mut labels = BTreeMap::from([("__name__".to_owned(), name.to_owned())]);
        while let Some((label, after)) = rest.split_once("=\"") {
            let end = after.match_indices('"').find(|(at, _)| !escaped(&after[..*at])).unwrap().0;
            let value = after[..end].replace("\\n", "\n").replace("\\\"", "\"").replace("\\\\", "\\");
            labels.insert(label.trim_start_matches(',').to_owned(), value);
            rest = &after[end + 1..];
        }
        (labels, vec![(0.0, *value)])
    });
    let of_server = |(labels, _): &Series| labels.get("server").is_some_and(|name| name == server);
    let series: Vec<Series> = samples.filter(of_server).collect();
    let facts = of_scrapes(&series).into_values().next().unwrap_or_default();
    only_open(facts)
}

/// Whether an odd number of backslashes stands at the end of `text`.
fn escaped(text: &str) -> bool {
    text.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Removes counts.
pub(crate) fn only_open(mut facts: Facts) -> Facts {
    facts.retain(|fact, _| fact.starts_with(OPEN));
    facts
}

/// Removes open objects.
pub(crate) fn without_open(mut facts: Facts) -> Facts {
    facts.retain(|fact, _| !fact.starts_with(OPEN));
    facts
}

/// Every fact in which the two differ, a line each.
pub(crate) fn difference(truth: &Facts, scrape: &Facts) -> String {
    let all: std::collections::BTreeSet<&String> = truth.keys().chain(scrape.keys()).collect();
    let of = |facts: &Facts, fact: &str| facts.get(fact).copied().unwrap_or(0.0);
    let lines = all.into_iter().filter(|fact| of(truth, fact) != of(scrape, fact));
    lines
        .map(|fact| format!("{fact}: {} in truth, {} scraped\n", of(truth, fact), of(scrape, fact)))
        .collect()
}

/// The group as a label: a recording has none, and shows the type of its file instead.
fn group<'g>(format: &str, group: &'g str) -> &'g str {
    if format == "record" { "flv" } else { group }
}

fn place(format: &str, group: &str, stream: &str) -> String {
    format!("{format} {group:?} {stream:?}")
}

/// A name as it stands in a label.
fn shown(name: &str) -> Cow<'_, str> {
    bounded(Cow::Borrowed(name))
}

fn label(format: OutputFormat) -> &'static str {
    match format {
        OutputFormat::Hls => "hls",
        OutputFormat::Hds => "hds",
        OutputFormat::Dash => "dash",
        OutputFormat::Mss => "mss",
        OutputFormat::Record => "record",
    }
}
