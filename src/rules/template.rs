//! Templates of parameters, compiled and checked when the configuration is read. Nothing is escaped here: characters with
//! a meaning for the server are escaped when the call is encoded.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use minijinja::value::{Serde, ValueKind};
use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};
use serde_json::{Map, Value as Json};

use crate::model::state::DerivedEvent;

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
/// The variables that hold numbers: ids in the runtime API.
const NUMBERS: [&str; 3] = ["id", "in_stream_id", "config_id"];
/// The variables that hold texts. An event of the server adds those of its own fields.
const TEXTS: [&str; 9] =
    ["stream", "server", "event", "type", "purpose", "direction", "format", "group", "track"];
/// The variables of outputs that stall together.
const OF_TOGETHER: [&str; 5] = ["scope", "name", "outputs", "server", "event"];
/// The variables of a missing stream or of the state of an input.
const OF_MISSING: [&str; 3] = ["stream", "server", "event"];
/// The similarity, from 0 to 1, from which on a name in lower case counts as a misspelt variable.
const ALIKE: f64 = 0.75;
/// Errors of templates whose detail ends with the unknown name, and the words for it.
const UNKNOWN: [(ErrorKind, &str); 4] = [
    (ErrorKind::UnknownFilter, "filter"),
    (ErrorKind::UnknownTest, "test"),
    (ErrorKind::UnknownFunction, "function"),
    (ErrorKind::UnknownMethod, "method"),
];

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
    /// Compiles a template for rules on an event, or says what is wrong with it. Where `on` is `None` the event is not
    /// known.
    pub fn compile(source: &str, on: Option<&str>) -> Result<Self, String> {
        if !source.contains('{') {
            return Ok(Self::plain(source.to_owned()));
        }
        let mut environment = ENVIRONMENT.clone();
        let invalid =
            "is not a valid template: write {{ stream }} for a value, {% if … %} … {% endif %} for a choice";
        environment.add_template_owned(NAME, source.to_owned()).map_err(|_| invalid)?;
        let template = environment.get_template(NAME).map_err(|_| invalid)?;
        let mut variables: Vec<String> = template.undeclared_variables(true).into_iter().collect();
        variables.retain(|name| environment.globals().all(|(global, _)| global != name));
        variables.sort();
        check_variables(&variables, on)?;
        check_operations(source, environment.clone(), &variables)?;
        Ok(Self { source: source.to_owned(), compiled: Some(Arc::new(Compiled { environment, variables })) })
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
        let template = environment.get_template(NAME).map_err(|_| "it is not compiled")?;
        template.render(context.value.clone()).map_err(|error| {
            let missing: Vec<&str> =
                variables.iter().map(String::as_str).filter(|path| context.lacks(path)).collect();
            if error.kind() == ErrorKind::UndefinedError && !missing.is_empty() {
                return format!("the event has no {}", missing.join(" and no "));
            }
            // The error itself may repeat a value.
            format!("a filter or an operator does not fit the values of {}", variables.join(", "))
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

fn root(path: &str) -> &str {
    path.split('.').next().unwrap_or(path)
}

/// Rejects variables that no trigger has. The fields of the server's own events are not all known; their names have no
/// underscores.
fn check_variables(variables: &[String], on: Option<&str>) -> Result<(), String> {
    let of_server = on.is_none_or(|on| !DerivedEvent::NAMES.contains(&on));
    let known = match on {
        Some("streamMissing" | "streamFrozen" | "streamExpired" | "streamResumed") => OF_MISSING.to_vec(),
        Some("outputsStalled") => OF_TOGETHER.to_vec(),
        _ => [&TEXTS[..], &NUMBERS].concat(),
    };
    for name in variables.iter().map(|path| root(path)).filter(|name| !known.contains(name)) {
        let alike = |known: &&&str| strsim::normalized_damerau_levenshtein(name, known) >= ALIKE;
        let plural = name.strip_suffix('s').is_some_and(|name| known.contains(&name));
        let misspelt = known.iter().find(alike).filter(|_| !plural && !name.contains(char::is_uppercase));
        if of_server && misspelt.is_none() && !name.trim_start_matches('_').contains('_') {
            continue;
        }
        let hint = match misspelt {
            Some(known) => format!("did you mean {known}?"),
            None if of_server => format!("known are the fields of the event, and {}", known.join(", ")),
            None => format!("known are {}", known.join(", ")),
        };
        return Err(format!("is a template with the unknown variable {name}; {hint}"));
    }
    Ok(())
}

/// Rejects filters, tests, functions and methods that do not exist or do not fit, by rendering the template with samples.
/// Fields of the event stay undefined.
fn check_operations(
    source: &str,
    mut environment: Environment<'_>,
    variables: &[String],
) -> Result<(), String> {
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    let numbers = NUMBERS.iter().map(|name| (*name, Value::from(1)));
    let samples: BTreeMap<&str, Value> =
        TEXTS.map(|name| (name, Value::from("1"))).into_iter().chain(numbers).collect();
    let Err(error) = environment.render_str(source, &samples) else {
        return Ok(());
    };
    let kind = error.kind();
    let unknown = match UNKNOWN.iter().find(|(unknown, _)| *unknown == kind) {
        Some((_, word)) => word,
        None if kind == ErrorKind::TooManyArguments
            || kind == ErrorKind::MissingArgument
            || kind == ErrorKind::InvalidOperation
                && variables.iter().all(|path| samples.contains_key(root(path))) =>
        {
            return Err("is a template with a filter or an operator that does not fit its values: id, in_stream_id and \
                        config_id are numbers, the other variables are texts".to_owned());
        }
        None => return Ok(()),
    };
    // "filter NAME is unknown" or "string has no method named NAME".
    let detail = error.detail().unwrap_or_default().trim_end_matches(" is unknown");
    let name = detail.rsplit(' ').next().unwrap_or_default();
    Err(format!(
        "is a template with the unknown {unknown} {name}: use a filter of Jinja, such as lower, replace or split"
    ))
}
