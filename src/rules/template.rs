//! Templates of parameters, compiled when the configuration is read. Nothing is escaped here: characters with a meaning
//! for the server are escaped when the call is encoded.

use std::sync::{Arc, LazyLock};

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

/// The name of the only template of a compiled environment.
const NAME: &str = "parameter";

/// The text of a parameter with placeholders for fields of the event.
#[derive(Debug, Clone)]
pub struct Template {
    source: String,
    /// `None` for text without placeholders.
    compiled: Option<Arc<Compiled>>,
}

#[derive(Debug)]
struct Compiled {
    environment: Environment<'static>,
    /// The fields that the template names, sorted.
    variables: Vec<String>,
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Template {
    /// Compiles a template, or says what is wrong with it.
    pub fn compile(source: &str) -> Result<Self, String> {
        let compiled = if source.contains('{') {
            let mut environment = ENVIRONMENT.clone();
            environment.add_template_owned(NAME, source.to_owned()).map_err(|error| describe(&error))?;
            let template = environment.get_template(NAME).map_err(|error| describe(&error))?;
            let mut variables: Vec<String> = template.undeclared_variables(true).into_iter().collect();
            variables.sort();
            Some(Arc::new(Compiled { environment, variables }))
        } else {
            None
        };
        Ok(Self { source: source.to_owned(), compiled })
    }

    /// Text without placeholders.
    pub const fn plain(text: String) -> Self {
        Self { source: text, compiled: None }
    }

    /// The text with the fields of `context`, or why it cannot be rendered. No value is part of the reason.
    pub(super) fn render(&self, context: &Context) -> Result<String, String> {
        let Some(Compiled { environment, variables }) = self.compiled.as_deref() else {
            return Ok(self.source.clone());
        };
        let template = environment.get_template(NAME).map_err(|error| error.kind().to_string())?;
        template.render(context.value.clone()).map_err(|error| {
            let missing: Vec<&str> =
                variables.iter().map(String::as_str).filter(|path| context.lacks(path)).collect();
            if error.kind() == ErrorKind::UndefinedError && !missing.is_empty() {
                return format!("the event has no {}", missing.join(" and no "));
            }
            // The details of an error may repeat a value.
            error.kind().to_string()
        })
    }
}

/// The fields that templates can name.
#[derive(Debug)]
pub(super) struct Context {
    fields: Map<String, Json>,
    value: Value,
}

impl Context {
    pub(super) fn new(fields: Map<String, Json>) -> Self {
        Self { value: Value::from(Serde(&fields)), fields }
    }

    fn lacks(&self, path: &str) -> bool {
        let mut parts = path.split('.');
        let first = parts.next().and_then(|name| self.fields.get(name));
        parts.fold(first, |object, name| object.and_then(|object| object.get(name))).is_none()
    }
}

fn describe(error: &minijinja::Error) -> String {
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    format!("{}{detail}", error.kind())
}
