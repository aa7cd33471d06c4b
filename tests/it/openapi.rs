//! `docs/openapi.yml` against real answers: it describes all that is answered, and nothing else.

use std::collections::BTreeMap;

use ems_exporter::query::List;
use serde_json::{Map, Value};
use strum::VariantArray;

use crate::query::{busy, json_of};

/// The document.
pub struct Document(Value);

/// A schema with all that it is composed of.
#[derive(Default)]
struct Flat<'d> {
    properties: BTreeMap<&'d str, &'d Value>,
    required: Vec<&'d str>,
}

impl Document {
    pub fn read() -> Self {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.yml");
        Self(serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
    }

    fn resolve<'d>(&'d self, schema: &'d Value) -> &'d Value {
        match schema.get("$ref").and_then(Value::as_str) {
            Some(place) => self.0.pointer(place.trim_start_matches('#')).unwrap_or_else(|| panic!("{place}")),
            None => schema,
        }
    }

    pub fn schema(&self, name: &str) -> &Value {
        self.0.pointer(&format!("/components/schemas/{name}")).unwrap_or_else(|| panic!("no schema {name}"))
    }

    fn paths(&self) -> &Map<String, Value> {
        self.0["paths"].as_object().unwrap()
    }

    fn flatten<'d>(&'d self, schema: &'d Value, into: &mut Flat<'d>) {
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.flatten(self.resolve(part), into);
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        into.properties
            .extend(properties.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema)));
        let required = schema.get("required").and_then(Value::as_array);
        into.required.extend(required.into_iter().flatten().filter_map(Value::as_str));
    }

    /// What of `value` the schema does not say, or says otherwise.
    pub fn faults(&self, schema: &Value, value: &Value, place: &str) -> Vec<String> {
        let schema = self.resolve(schema);
        if let Some(choices) = schema.get("oneOf").and_then(Value::as_array) {
            let fit = choices.iter().filter(|choice| self.faults(choice, value, place).is_empty()).count();
            return if fit == 1 { Vec::new() } else { vec![format!("{place}: {value} fits {fit} choices")] };
        }
        let types: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one],
            Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
                return vec![format!("{place}: the schema has no type")];
            }
        };
        if !types.iter().any(|one| is_of(one, value)) {
            return vec![format!("{place}: {value} is not {}", types.join(" or "))];
        }
        let mut faults = Vec::new();
        if let Some(values) = schema.get("enum").and_then(Value::as_array)
            && !values.contains(value)
        {
            faults.push(format!("{place}: {value} is not in the list"));
        }
        for (at, item) in value.as_array().into_iter().flatten().enumerate() {
            faults.extend(self.faults(&schema["items"], item, &format!("{place}[{at}]")));
        }
        if let Some(object) = value.as_object() {
            let mut flat = Flat::default();
            self.flatten(schema, &mut flat);
            for name in flat.required.iter().filter(|name| !object.contains_key(**name)) {
                faults.push(format!("{place}.{name} is missing"));
            }
            for (name, value) in object {
                let place = format!("{place}.{name}");
                match flat.properties.get(name.as_str()).copied().or(schema.get("additionalProperties")) {
                    Some(schema) => faults.extend(self.faults(schema, value, &place)),
                    None => faults.push(format!("{place} is not in the schema")),
                }
            }
        }
        faults
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("{other} is no type"),
    }
}

#[tokio::test]
async fn every_answer_is_described_to_the_last_field() {
    let document = Document::read();
    let exporter = busy().await;
    for list in List::VARIANTS.iter().copied() {
        let path = format!("/api/v1/{}", list.name());
        let answer = json_of(&exporter, &path).await;
        assert_ne!(answer["data"], Value::Array(Vec::new()), "{path} has something to check");
        let content = &document.paths()[&path]["get"]["responses"]["200"]["content"];
        let faults = document.faults(&content["application/json"]["schema"], &answer, &path);
        assert_eq!(faults, Vec::<String>::new());
    }
}

#[tokio::test]
async fn every_path_is_described_and_every_described_path_is_there() {
    let document = Document::read();
    let mut described: Vec<&str> = document.paths().keys().map(String::as_str).collect();
    let mut there: Vec<String> =
        List::VARIANTS.iter().map(|list| format!("/api/v1/{}", list.name())).collect();
    there.extend(["/api/v1/feed".to_owned(), "/api/v1/openapi.yml".to_owned()]);
    described.sort_unstable();
    there.sort_unstable();
    assert_eq!(described, there);
    let exporter = busy().await;
    for path in described.iter().filter(|path| !path.ends_with("/feed")) {
        let answer = exporter.get(path).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {answer}");
        let kinds = document.paths()[*path]["get"]["responses"]["200"]["content"].as_object().unwrap();
        let kind = kinds.keys().next().unwrap();
        assert!(answer.contains(&format!("content-type: {kind}\r\n")), "{path}: {answer}");
    }
    let served = exporter.get("/api/v1/openapi.yml").await;
    let served: Value = serde_saphyr::from_str(served.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(served, document.0);
}

#[tokio::test]
async fn parameters_are_those_that_are_described() {
    let document = Document::read();
    let exporter = busy().await;
    for list in List::VARIANTS.iter().copied() {
        let path = format!("/api/v1/{}", list.name());
        let parameters = document.paths()[&path]["get"]["parameters"].as_array().unwrap();
        let described: Vec<&str> =
            parameters.iter().map(|one| document.resolve(one)["name"].as_str().unwrap()).collect();
        for (name, value) in [("server", "ems"), ("stream", "cam"), ("limit", "5"), ("offset", "1")] {
            let answer = exporter.get(&format!("{path}?{name}={value}")).await;
            assert_eq!(answer.starts_with("HTTP/1.1 200"), described.contains(&name), "{path} {name}");
        }
    }
}

#[test]
fn the_check_finds_deviations() {
    let document = Document::read();
    let check = |value: Value| document.faults(document.schema("Lagged"), &value, "it");
    assert_eq!(check(serde_json::json!({"lost": "changes", "missed": 3})), Vec::<String>::new());
    assert_eq!(
        check(serde_json::json!({"lost": "all", "missed": "3", "more": 1})),
        [
            "it.lost: \"all\" is not in the list",
            "it.missed: \"3\" is not integer",
            "it.more is not in the schema"
        ]
    );
    assert_eq!(check(serde_json::json!({"lost": "changes"})), ["it.missed is missing"]);
    let timer = serde_json::json!({"set": {}, "gone": [1]});
    let faults = document.faults(&document.schema("Snapshot")["properties"]["timers"], &timer, "it");
    assert_eq!(faults, ["it.gone[0]: 1 is not string"]);
}
