//! Templates of parameters. Nothing is escaped here: what the server would take apart is escaped
//! when the call is written.

use std::sync::LazyLock;

use minijinja::value::{Serde, ValueKind};
use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};
use serde_json::{Map, Value as Json};

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    // The server takes the word `true` for 0.
    environment.set_formatter(|out, state, value| {
        if value.kind() == ValueKind::Bool {
            let digit = Value::from(u8::from(value.is_true()));
            return minijinja::escape_formatter(out, state, &digit);
        }
        minijinja::escape_formatter(out, state, value)
    });
    environment
});

/// What is wrong with a template, if something is.
pub fn check(source: &str) -> Result<(), String> {
    ENVIRONMENT.template_from_str(source).map(|_| ()).map_err(|error| describe(&error))
}

/// What templates can name.
#[derive(Debug)]
pub(super) struct Context {
    fields: Map<String, Json>,
    value: Value,
}

impl Context {
    pub(super) fn new(fields: Map<String, Json>) -> Self {
        Self { value: Value::from(Serde(&fields)), fields }
    }

    /// The text that a template stands for, or why there is none. No value is part of the reason.
    pub(super) fn render(&self, source: &str) -> Result<String, String> {
        if !source.contains('{') {
            return Ok(source.to_owned());
        }
        ENVIRONMENT.render_str(source, self.value.clone()).map_err(|error| {
            let missing = self.missing(source);
            if error.kind() == ErrorKind::UndefinedError && !missing.is_empty() {
                return format!("the event has no {}", missing.join(" and no "));
            }
            // The details of an error may repeat a value.
            error.kind().to_string()
        })
    }

    /// The fields that a template names and the event does not have.
    fn missing(&self, source: &str) -> Vec<String> {
        let Ok(template) = ENVIRONMENT.template_from_str(source) else {
            return Vec::new();
        };
        let absent = |path: &String| {
            let mut parts = path.split('.');
            let first = parts.next().and_then(|name| self.fields.get(name));
            parts.fold(first, |object, name| object.and_then(|object| object.get(name))).is_none()
        };
        let mut missing: Vec<String> =
            template.undeclared_variables(true).into_iter().filter(absent).collect();
        missing.sort();
        missing
    }
}

fn describe(error: &minijinja::Error) -> String {
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    format!("{}{detail}", error.kind())
}
