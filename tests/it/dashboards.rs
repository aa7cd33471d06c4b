//! The dashboards follow the rules of Grafana's own linter, and use existing metrics only.
//!
//! One of the linter's rules is not wanted: that dashboards cannot be edited.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::grafana::{Dashboard, Query, dashboards, list, substituted, text};

use crate::promql::{Catalogue, Labels, Reading, read};

/// The dashboards by uid, with their visible variables.
const PAGES: [(&str, &[&str]); 5] = [
    ("ems-exporter", &["job", "instance", "server"]),
    ("ems-overview", &["job", "instance", "server"]),
    ("ems-packaging", &["job", "instance", "server", "stream", "format"]),
    ("ems-stream", &["job", "instance", "server", "stream"]),
    ("ems-viewers-timers", &["job", "instance", "server"]),
];

/// Units of Grafana that are used.
const UNITS: [&str; 8] = ["short", "s", "bytes", "bps", "cps", "pps", "reqps", "percentunit"];

/// Stands for `$__rate_interval` where a query is parsed.
const RATE_INTERVAL: Duration = Duration::from_secs(7919);
/// Stands for `$__range` there.
const RANGE: Duration = Duration::from_secs(7907);

/// A parsed query, its variables still in the matchers.
fn parsed(expression: &str, catalogue: &Catalogue) -> Result<Reading, String> {
    let ranges = [("__rate_interval", RATE_INTERVAL), ("__range", RANGE)];
    let ranges = ranges.map(|(name, range)| (name.to_owned(), format!("{}s", range.as_secs())));
    read(&substituted(expression, &ranges), catalogue)
}

fn place(query: &Query) -> String {
    format!("{}: {}: {}: {}", query.uid, query.title, query.reference, query.expression)
}

/// The names in `{{…}}` of a legend.
fn names_in(legend: &str) -> Vec<&str> {
    legend.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap().trim()).collect()
}

#[test]
fn every_dashboard_has_its_fixed_uid_and_the_common_settings() {
    let dashboards = dashboards();
    let uids: Vec<&str> = dashboards.iter().map(Dashboard::uid).collect();
    assert_eq!(uids, PAGES.map(|(uid, _)| uid));
    let titles: BTreeSet<&str> = dashboards.iter().map(|dashboard| text(&dashboard.json, "title")).collect();
    assert_eq!(titles.len(), dashboards.len());
    for Dashboard { file, json } in &dashboards {
        assert_eq!(text(json, "uid"), file);
        assert!(text(json, "description").ends_with('.'), "{file}");
        assert_eq!(json["tags"], json!(["ems-exporter"]), "{file}");
        assert_eq!((text(json, "timezone"), text(json, "refresh")), ("browser", "30s"), "{file}");
        assert_eq!((&json["editable"], &json["schemaVersion"]), (&json!(true), &json!(38)), "{file}");
        for absent in ["__inputs", "__requires", "id", "iteration"] {
            assert_eq!(json.get(absent), None, "{file}");
        }
        let [link] = list(json, "links") else { panic!("{file} links to the others once") };
        assert_eq!((text(link, "type"), &link["tags"]), ("dashboards", &json["tags"]), "{file}");
        assert_eq!((&link["includeVars"], &link["keepTime"]), (&json!(true), &json!(true)), "{file}");
    }
}

#[test]
fn every_query_uses_the_selected_data_source() {
    let chosen = json!({"type": "prometheus", "uid": "${datasource}"});
    for dashboard in dashboards() {
        let file = &dashboard.file;
        let variables = list(&dashboard.json["templating"], "list");
        let first = &variables[0];
        assert_eq!((text(first, "name"), text(first, "type")), ("datasource", "datasource"), "{file}");
        assert_eq!((text(first, "query"), text(first, "label")), ("prometheus", "Data source"), "{file}");
        let annotations = list(&dashboard.json["annotations"], "list");
        let targets = dashboard.panels().flat_map(|panel| list(panel, "targets"));
        let users = variables[1..].iter().chain(annotations).chain(dashboard.panels()).chain(targets);
        for one in users {
            assert_eq!(one["datasource"], chosen, "{file}: {one}");
        }
        assert!(dashboard.panels().all(|panel| !list(panel, "targets").is_empty()), "{file}");
    }
}

#[test]
fn variables_are_multi_value_and_each_depends_on_the_previous_one() {
    let catalogue = Catalogue::new();
    for (dashboard, (_, seen)) in dashboards().iter().zip(PAGES) {
        let file = &dashboard.file;
        for variable in &list(&dashboard.json["templating"], "list")[1..] {
            let wanted = json!([true, true, ".+", 2]);
            let is =
                json!(
                    [variable["multi"], variable["includeAll"], variable["allValue"], variable["refresh"],]
                );
            assert_eq!(is, wanted, "{file}: {variable}");
            assert!(!text(variable, "label").is_empty(), "{file}: {variable}");
        }
        let variables = dashboard.variables();
        let names: Vec<&str> = variables.iter().map(|variable| variable.name.as_str()).collect();
        assert_eq!(names[..4], ["job", "instance", "server", "stream"], "{file}");
        let shown = variables.iter().filter(|variable| !variable.hidden);
        let shown: Vec<&str> = shown.map(|variable| variable.name.as_str()).collect();
        assert_eq!(shown, seen, "{file}");
        for (number, variable) in variables.iter().enumerate() {
            assert_eq!(variable.label, variable.name, "{file}");
            let reading = parsed(&variable.selector, &catalogue).unwrap();
            let [selector] = &*reading.selectors else { panic!("{file}: {}", variable.selector) };
            assert!(selector.labels.contains(&variable.label), "{file}: {}", variable.selector);
            // The format does not depend on the stream: it is chosen beside it.
            for former in &names[..number.min(3)] {
                assert!(selector.chosen_by(former), "{file}: {} does not depend on {former}", variable.name);
            }
        }
        let queries = dashboard.queries();
        for name in shown {
            let used = queries.iter().any(|query| query.expression.contains(&format!("${name}")));
            assert!(used, "{file}: nothing depends on {name}");
        }
    }
}

#[test]
fn every_panel_has_a_title_description_and_unit() {
    for dashboard in dashboards() {
        let mut titles = BTreeSet::new();
        for panel in dashboard.panels() {
            let title = format!("{}: {}", dashboard.file, text(panel, "title"));
            assert!(!text(panel, "title").is_empty() && titles.insert(title.clone()), "{title} comes twice");
            assert!(text(panel, "description").ends_with('.'), "{title} has no description");
            let defaults = &panel["fieldConfig"]["defaults"];
            assert!(UNITS.contains(&text(defaults, "unit")), "{title} has no unit");
            assert!(!text(defaults, "noValue").is_empty(), "{title} has no text for want of data");
            assert!(!list(&defaults["thresholds"], "steps").is_empty(), "{title} has no thresholds");
            for query in dashboard.queries_of(panel) {
                assert!(
                    panel["type"] == "stat" || !query.legend.is_empty(),
                    "{} has no legend",
                    place(&query)
                );
            }
        }
        assert!(titles.len() > 10, "{} has lost its panels", dashboard.file);
    }
}

#[test]
fn panels_fill_the_width_and_do_not_overlap() {
    for dashboard in dashboards() {
        let mut taken = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for panel in list(&dashboard.json, "panels") {
            let title = format!("{}: {}", dashboard.file, text(panel, "title"));
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}");
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
            // At 1400 pixels a column is 56 pixels wide.
            assert!(w >= 3 && x + w <= 24, "{title}");
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                assert!(taken.insert(cell), "{title} overlaps another panel");
            }
        }
        let bottom = taken.iter().map(|(_, y)| y + 1).max().unwrap();
        assert_eq!(taken.len() as u64, 24 * bottom, "{} has gaps", dashboard.file);
    }
}

#[test]
fn queries_use_metrics_and_labels_of_the_catalogue_and_depend_on_the_variables() {
    let catalogue = Catalogue::new();
    for dashboard in dashboards() {
        let page_has_streams = dashboard.variables().iter().any(|one| one.name == "stream" && !one.hidden);
        for query in dashboard.queries().into_iter().chain(dashboard.annotations()) {
            let reading = parsed(&query.expression, &catalogue);
            let reading = reading.unwrap_or_else(|fault| panic!("{}: {fault}", place(&query)));
            assert!(!reading.selectors.is_empty(), "{}", place(&query));
            for selector in &reading.selectors {
                for variable in ["job", "instance", "server", "stream"] {
                    let needed = match variable {
                        "job" | "instance" => true,
                        // A master playlist has no stream, and is shown beside those that have one.
                        "stream" => {
                            page_has_streams && !selector.metrics[0].starts_with("ems_playlist_updates")
                        }
                        other => selector.labels.contains(other),
                    } && selector.labels.contains(variable);
                    let fine = !needed || selector.chosen_by(variable);
                    assert!(fine, "{}: {} disregards {variable}", place(&query), selector.metrics[0]);
                }
            }
        }
    }
}

#[test]
fn counters_are_shown_as_rates_over_the_right_interval() {
    let catalogue = Catalogue::new();
    for dashboard in dashboards() {
        for panel in dashboard.panels() {
            for query in dashboard.queries_of(panel) {
                let reading = parsed(&query.expression, &catalogue).unwrap();
                for selector in &reading.selectors {
                    let fine = match selector.range {
                        None => !selector.counts,
                        Some(("rate" | "increase", RATE_INTERVAL)) => selector.counts,
                        Some(("increase", RANGE)) => {
                            selector.counts && text(panel, "description").contains("the time range shown")
                        }
                        Some(_) => false,
                    };
                    assert!(fine, "{}: {selector:?}", place(&query));
                }
            }
        }
        for query in dashboard.annotations() {
            let reading = parsed(&query.expression, &catalogue).unwrap();
            let fine = reading.selectors.iter().all(|one| one.range == Some(("increase", RATE_INTERVAL)));
            assert!(fine, "{}", place(&query));
        }
    }
}

#[test]
fn legends_use_labels_of_the_query_result() {
    let catalogue = Catalogue::new();
    for dashboard in dashboards() {
        for query in dashboard.queries().into_iter().chain(dashboard.annotations()) {
            let reading = parsed(&query.expression, &catalogue).unwrap();
            for name in names_in(&query.legend) {
                assert!(reading.result.contains(name), "{}: no label {name} is left", place(&query));
            }
        }
    }
}

/// The headings of a table's columns, as far as they are shown.
fn headings(panel: &Value) -> BTreeSet<&str> {
    let [merge, organize] = list(panel, "transformations") else { panic!("{panel} has two steps") };
    assert_eq!((text(merge, "id"), text(organize, "id")), ("merge", "organize"));
    organize["options"]["renameByName"]
        .as_object()
        .unwrap()
        .values()
        .map(|name| name.as_str().unwrap())
        .collect()
}

#[test]
fn tables_show_or_hide_every_column_under_its_name() {
    let catalogue = Catalogue::new();
    let mut tables = 0;
    for dashboard in dashboards() {
        for panel in dashboard.panels().filter(|panel| panel["type"] == "table") {
            tables += 1;
            let title = format!("{}: {}", dashboard.file, text(panel, "title"));
            let queries = dashboard.queries_of(panel);
            let mut columns: Labels =
                queries.iter().map(|query| format!("Value #{}", query.reference)).collect();
            assert!(columns.len() > 1, "{title}: Grafana names the only value just Value");
            columns.insert("Time".to_owned());
            for query in &queries {
                assert!(query.instant, "{}", place(query));
                columns.extend(parsed(&query.expression, &catalogue).unwrap().result);
            }
            let options = &panel["transformations"][1]["options"];
            let keys = |name: &str| options[name].as_object().unwrap().keys().cloned().collect::<Labels>();
            let (shown, hidden) = (keys("renameByName"), keys("excludeByName"));
            assert!(shown.is_disjoint(&hidden), "{title}");
            assert_eq!(shown.union(&hidden).cloned().collect::<Labels>(), columns, "{title}");
            assert_eq!(keys("indexByName"), shown, "{title}");
            let headings = headings(panel);
            assert!(headings.contains(text(&panel["options"]["sortBy"][0], "displayName")), "{title}");
            for special in list(&panel["fieldConfig"], "overrides") {
                assert!(headings.contains(text(&special["matcher"], "options")), "{title}: {special}");
            }
        }
    }
    assert!(tables >= 5, "too few tables");
}

#[test]
fn links_lead_to_existing_dashboards_and_variables() {
    let dashboards = dashboards();
    let mut leads_to_stream = false;
    for dashboard in &dashboards {
        for panel in dashboard.panels() {
            let properties = list(&panel["fieldConfig"], "overrides").iter();
            let properties = properties.flat_map(|special| list(special, "properties"));
            for link in properties.filter(|one| one["id"] == "links").flat_map(|one| list(one, "value")) {
                let url = text(link, "url");
                let title = format!("{}: {}: {url}", dashboard.file, text(panel, "title"));
                let (path, query) = url.split_once('?').unwrap();
                let uid = path.strip_prefix("/d/").unwrap();
                let target = dashboards.iter().find(|other| other.uid() == uid);
                let target = target.unwrap_or_else(|| panic!("{title} leads nowhere"));
                for part in query.split('&') {
                    if let Some((variable, field)) =
                        part.strip_prefix("var-").and_then(|part| part.split_once('='))
                    {
                        let known = target.variables().iter().any(|one| one.name == variable && !one.hidden);
                        assert!(known, "{title}: {uid} has no {variable}");
                        let field = field.strip_prefix("${__data.fields.").unwrap();
                        // Names of streams hold anything.
                        let field = field.strip_suffix(":percentencode}").unwrap();
                        assert!(headings(panel).contains(field), "{title}: there is no column {field}");
                        leads_to_stream |= uid == "ems-stream" && variable == "stream";
                    } else {
                        let kept =
                            ["${datasource:queryparam}", "${job:queryparam}", "${instance:queryparam}"];
                        assert!(kept.contains(&part) || part == "${__url_time_range}", "{title}: {part}");
                    }
                }
            }
        }
    }
    assert!(leads_to_stream, "nothing leads to the page of a stream");
}

#[test]
fn every_dashboard_marks_stalls_restarts_and_actions() {
    for dashboard in dashboards() {
        let annotations = dashboard.annotations();
        for (title, metric) in [
            ("Stall", "ems_chunk_stalls_total"),
            ("Restart", "ems_server_restarts_total"),
            ("Action", "ems_exporter_actions_total"),
        ] {
            let marks = |query: &Query| query.title == title && query.expression.contains(metric);
            assert!(annotations.iter().any(marks), "{} does not mark each {title}", dashboard.file);
        }
        assert!(list(&dashboard.json["annotations"], "list").iter().all(|one| one["enable"] == true));
    }
}
