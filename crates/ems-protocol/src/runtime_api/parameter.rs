//! The parameters of a call, as the server reads them: `key=value` pairs, separated by single spaces.

use std::fmt::Write;

/// The longest line of parameters, in bytes; the server drops a connection that sends 16 KiB.
const LONGEST: usize = 8 << 10;

/// The marks that the server's own parser puts in place of escaped characters, and replaces where a value holds them.
const MARKS: [&str; 4] = ["#space#", "#slash#", "#equal#", "#coma#"];

/// A parameter's value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// One text; numbers are written as their digits, booleans as 1 or 0.
    Text(String),
    /// Several texts, which the server reads as an array.
    List(Vec<String>),
}

impl Value {
    /// A boolean: the server takes the word `true` for 0.
    pub fn truth(truth: bool) -> Self {
        Self::Text(if truth { "1" } else { "0" }.to_owned())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Text(number.to_string())
    }
}

/// A parameter.
pub type Parameter = (String, Value);

/// Why parameters are not sent. No value is part of it: values may hold secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    /// The server would take what follows for another command.
    #[error("the value of {0} holds a control character, which could run another command")]
    Control(String),
    /// The server would replace the mark, and so read another value.
    #[error("the value of {0} holds {1}, which the server would replace: it would address another stream")]
    Mark(String, &'static str),
    /// It would not be read as a name.
    #[error("{0:?} is not a valid parameter name: use letters, digits, _ and $")]
    Name(String),
    /// More bytes than the server may take.
    #[error("the parameters have {0} bytes, more than {LONGEST}")]
    Long(usize),
}

/// Encodes parameters as one line.
pub fn encode(parameters: &[Parameter]) -> Result<String, Unsendable> {
    let mut line = String::new();
    for (name, value) in parameters {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_$".contains(&byte);
        if name.is_empty() || !name.bytes().all(known) {
            return Err(Unsendable::Name(name.clone()));
        }
        let separator = if line.is_empty() { "" } else { " " };
        let texts = match value {
            Value::Text(text) => std::slice::from_ref(text),
            Value::List(texts) => texts,
        };
        // Writing to a string does not fail.
        if write!(line, "{separator}{name}=").is_err() {
            continue;
        }
        for (at, text) in texts.iter().enumerate() {
            if text.contains(char::is_control) {
                return Err(Unsendable::Control(name.clone()));
            }
            if let Some(mark) = MARKS.into_iter().find(|mark| text.contains(mark)) {
                return Err(Unsendable::Mark(name.clone(), mark));
            }
            if at > 0 {
                line.push(',');
            }
            escape(text, &mut line);
        }
    }
    if line.len() > LONGEST {
        return Err(Unsendable::Long(line.len()));
    }
    Ok(line)
}

fn escape(text: &str, into: &mut String) {
    for character in text.chars() {
        if matches!(character, '\\' | ' ' | '=' | ',') {
            into.push('\\');
        }
        into.push(character);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str, value: &str) -> Parameter {
        (name.to_owned(), value.into())
    }

    #[test]
    fn separators_in_values_are_escaped() {
        let hostile = text("localStreamName", r"a b=c,d\e");
        assert_eq!(encode(&[hostile]).as_deref(), Ok(r"localStreamName=a\ b\=c\,d\\e"));
        let names = Value::List(vec!["a,b".to_owned(), "c".to_owned()]);
        let list = [("localStreamNames".to_owned(), names), text("groupName", "")];
        assert_eq!(encode(&list).as_deref(), Ok(r"localStreamNames=a\,b,c groupName="));
        assert_eq!(encode(&[text("name", "Zürich \u{1f3a5}")]).as_deref(), Ok("name=Zürich\\ \u{1f3a5}"));
    }

    #[test]
    fn values_that_would_run_another_command_are_not_sent() {
        for hostile in ["a\nshutdownServer", "a\rb", "a\0", "\u{85}"] {
            let encoded = encode(&[text("id", "1"), text("localStreamName", hostile)]);
            assert_eq!(encoded, Err(Unsendable::Control("localStreamName".to_owned())), "{hostile:?}");
        }
        for (hostile, mark) in [
            ("cam_#space#_y", "#space#"),
            ("_#equal#_x", "#equal#"),
            ("a_#slash#_b", "#slash#"),
            ("a_#coma#_b", "#coma#"),
        ] {
            let list = Value::List(vec!["cam".to_owned(), hostile.to_owned()]);
            let refused = Err(Unsendable::Mark("localStreamNames".to_owned(), mark));
            assert_eq!(encode(&[("localStreamNames".to_owned(), list)]), refused);
        }
        assert!(encode(&[text("localStreamName", "cam #1# space_#2")]).is_ok());
        for name in ["", "a b", "a=b", "a\nb"] {
            assert_eq!(encode(&[text(name, "1")]), Err(Unsendable::Name(name.to_owned())));
        }
        let long = "x".repeat(LONGEST);
        assert_eq!(encode(&[text("id", &long)]), Err(Unsendable::Long(LONGEST + 3)));
    }
}
