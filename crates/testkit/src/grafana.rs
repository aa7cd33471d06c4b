//! The dashboards as they are committed: their panels, queries, variables and annotations.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

/// A dashboard.
#[derive(Debug)]
pub struct Dashboard {
    /// The name of its file, without `.json`.
    pub file: String,
    /// All of it.
    pub json: Value,
}

/// A query of a panel, or of an annotation.
#[derive(Debug, Clone)]
pub struct Query {
    /// The dashboard's uid.
    pub uid: String,
    /// The panel's or the annotation's title.
    pub title: String,
    /// Which of the panel's queries.
    pub reference: String,
    /// The query as it stands there, with variables.
    pub expression: String,
    /// How series are named.
    pub legend: String,
    /// Whether it is an instant query.
    pub instant: bool,
}

/// A variable that is filled by a query.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// The selector whose series have the label.
    pub selector: String,
    /// The label whose values it takes.
    pub label: String,
    /// Whether it is only passed from page to page.
    pub hidden: bool,
}

/// The folder of the dashboards.
pub fn folder() -> PathBuf {
    crate::repository().join("dashboards/grafana")
}

/// All dashboards, by file name.
pub fn dashboards() -> Vec<Dashboard> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder())
        .expect("the folder is there")
        .map(|file| file.expect("it can be read").path())
        .collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let read = |file: PathBuf| Dashboard {
        json: serde_json::from_slice(&fs::read(&file).unwrap()).unwrap(),
        file: file.file_stem().unwrap().to_string_lossy().into_owned(),
    };
    files.into_iter().map(read).collect()
}

/// A member that is text; empty if it is missing.
pub fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().unwrap_or_default()
}

/// A member that is a list; empty if it is missing.
pub fn list<'v>(value: &'v Value, member: &str) -> &'v [Value] {
    value[member].as_array().map_or(&[], Vec::as_slice)
}

impl Dashboard {
    /// Its uid.
    pub fn uid(&self) -> &str {
        text(&self.json, "uid")
    }

    /// All panels but the headings of rows.
    pub fn panels(&self) -> impl Iterator<Item = &Value> {
        list(&self.json, "panels").iter().filter(|panel| panel["type"] != "row")
    }

    /// The queries of a panel.
    pub fn queries_of(&self, panel: &Value) -> Vec<Query> {
        let query = |target: &Value| Query {
            uid: self.uid().to_owned(),
            title: text(panel, "title").to_owned(),
            reference: text(target, "refId").to_owned(),
            expression: text(target, "expr").to_owned(),
            legend: text(target, "legendFormat").to_owned(),
            instant: target["instant"] == true,
        };
        list(panel, "targets").iter().map(query).collect()
    }

    /// The queries of all panels.
    pub fn queries(&self) -> Vec<Query> {
        self.panels().flat_map(|panel| self.queries_of(panel)).collect()
    }

    /// The queries of all annotations.
    pub fn annotations(&self) -> Vec<Query> {
        let query = |annotation: &Value| Query {
            uid: self.uid().to_owned(),
            title: text(annotation, "name").to_owned(),
            reference: "annotation".to_owned(),
            expression: text(annotation, "expr").to_owned(),
            legend: text(annotation, "textFormat").to_owned(),
            instant: false,
        };
        list(&self.json["annotations"], "list").iter().map(query).collect()
    }

    /// The variables that are filled by queries, in their order.
    pub fn variables(&self) -> Vec<Variable> {
        let all = list(&self.json["templating"], "list").iter();
        let variable = |variable: &Value| {
            let query = text(variable, "query").strip_prefix("label_values(").unwrap();
            let (selector, label) = query.strip_suffix(')').unwrap().rsplit_once(", ").unwrap();
            Variable {
                name: text(variable, "name").to_owned(),
                selector: selector.to_owned(),
                label: label.to_owned(),
                hidden: variable["hide"] == 2,
            }
        };
        all.filter(|variable| variable["type"] == "query").map(variable).collect()
    }
}

/// A query with values for its variables, as Grafana would send it.
pub fn substituted(query: &str, values: &[(String, String)]) -> String {
    // The longest name first, so that none is taken for the beginning of another.
    let mut values = values.to_vec();
    values.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    values.iter().fold(query.to_owned(), |query, (name, value)| query.replace(&format!("${name}"), value))
}
