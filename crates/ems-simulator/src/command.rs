//! A command as the server reads it from a line of text, and the answer to it.

use super::value::{Map, Value, map, text};
use std::borrow::Cow;

/// One command with its parameters, in the order in which they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    /// The name as written; the server does not mind the case.
    pub(crate) name: Vec<u8>,
    /// Names and values; a comma without an escape makes several texts of a value.
    pub(crate) parameters: Vec<(Vec<u8>, Vec<Vec<u8>>)>,
}

impl Command {
    /// A command with the text values of a map.
    pub(crate) fn new(name: &str, parameters: &Map) -> Self {
        let parameters = parameters.iter().filter_map(|(name, value)| {
            let Value::Text(text) = value else { return None };
            Some((name.as_bytes().to_vec(), vec![text.clone()]))
        });
        Self { name: name.as_bytes().to_vec(), parameters: parameters.collect() }
    }

    /// Every command of a text: the end of a line ends a command, and what follows is another one.
    pub(crate) fn all(text: &[u8]) -> Vec<Self> {
        text.split(|byte| matches!(byte, b'\r' | b'\n'))
            .filter(|line| !line.is_empty())
            .map(Self::read)
            .collect()
    }

    fn read(line: &[u8]) -> Self {
        let mut words = split(line, b' ').into_iter().filter(|word| !word.is_empty());
        let name = words.next().map(plain).unwrap_or_default();
        let parameters = words.map(|word| {
            let mut sides = split(word, b'=').into_iter();
            let key = sides.next().unwrap_or_default();
            let value = word.get(key.len() + 1..).unwrap_or_default();
            (plain(key), split(value, b',').into_iter().map(plain).collect())
        });
        Self { name, parameters: parameters.collect() }
    }

    /// The name in lower case, by which commands are known.
    pub(crate) fn known_as(&self) -> String {
        String::from_utf8_lossy(&self.name).to_ascii_lowercase()
    }

    /// The value of a parameter; the last one counts.
    pub(crate) fn argument(&self, name: &str) -> Option<&[Vec<u8>]> {
        let mut newest_first = self.parameters.iter().rev();
        let (_, texts) = newest_first.find(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes()))?;
        Some(texts)
    }

    /// The members of the event about the command; without parameters there is no such member.
    pub(crate) fn members(&self) -> Map {
        let mut members = map([("command", text(&self.name))]);
        if !self.parameters.is_empty() {
            let parameters = self.parameters.iter().map(|(name, texts)| (key(name), value(texts)));
            members.extend(map([("parameters", Value::Map(parameters.collect()))]));
        }
        members
    }

    /// The variables of the caller's own, which the server keeps and repeats.
    pub(crate) fn variables(&self) -> Map {
        let own = self.parameters.iter().filter(|(name, _)| name.starts_with(b"_") || name.starts_with(b"$"));
        own.map(|(name, texts)| (key(name), value(texts))).collect()
    }
}

fn value(texts: &[Vec<u8>]) -> Value {
    match texts {
        [one] => text(one),
        many => Value::List(many.iter().map(text).collect()),
    }
}

fn key(name: &[u8]) -> Cow<'static, str> {
    Cow::Owned(String::from_utf8_lossy(name).into_owned())
}

/// The parts between separators that no backslash stands before.
fn split(text: &[u8], separator: u8) -> Vec<&[u8]> {
    let (mut parts, mut start, mut escaped) = (Vec::new(), 0, false);
    for (position, &byte) in text.iter().enumerate() {
        if escaped {
            escaped = false;
        } else if byte == b'\\' {
            escaped = text.get(position + 1).is_some_and(|next| ESCAPED.contains(next));
        } else if byte == separator {
            parts.push(&text[start..position]);
            start = position + 1;
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The bytes that a backslash escapes; before any other byte it stands for itself.
const ESCAPED: &[u8] = b" \\=,";

fn plain(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match bytes.peek() {
            Some(next) if byte == b'\\' && ESCAPED.contains(next) => {}
            Some(_) | None => {
                out.push(byte);
                continue;
            }
        }
        out.extend(bytes.next());
    }
    out
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) accepted: bool,
    /// A sentence for people.
    pub(crate) description: Vec<u8>,
    /// The requested or created objects.
    pub(crate) data: Value,
    /// The caller's own mark of the command.
    pub(crate) response_id: Option<Vec<u8>>,
}

impl Answer {
    pub(crate) fn success(description: impl AsRef<[u8]>, data: Value) -> Self {
        Self { accepted: true, description: description.as_ref().to_vec(), data, response_id: None }
    }

    pub(crate) fn failure(description: impl AsRef<[u8]>) -> Self {
        Self {
            accepted: false,
            description: description.as_ref().to_vec(),
            data: Value::Null,
            response_id: None,
        }
    }

    /// The members of the answer, the same on the wire and in the event.
    pub(crate) fn members(&self) -> Map {
        let mut members = map([
            ("data", self.data.clone()),
            ("description", text(&self.description)),
            ("status", text(if self.accepted { "SUCCESS" } else { "FAIL" })),
        ]);
        members.extend(self.response_id.iter().map(|id| ("responseId".into(), text(id))));
        members
    }
}

#[cfg(test)]
mod tests {
    use super::Command;

    fn one(name: &str, value: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
        (name.as_bytes().to_vec(), vec![value.to_vec()])
    }

    fn read(text: &[u8]) -> Command {
        let mut all = Command::all(text);
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    #[test]
    fn escapes_take_the_meaning_from_separators_and_from_themselves() {
        let command = read(b"record localStreamName=a\\ b\\=c\\,d\\\\ pathToFile=x=y\\z\\");
        assert_eq!(command.name, b"record");
        assert_eq!(
            command.parameters,
            [one("localStreamName", b"a b=c,d\\"), one("pathToFile", b"x=y\\z\\")]
        );
    }

    #[test]
    fn a_comma_makes_a_list_and_a_space_ends_a_value() {
        let command = read(b"createHLSStream  localStreamNames=a,b\\,c groupName=two words empty=");
        let many = vec![b"a".to_vec(), b"b,c".to_vec()];
        assert_eq!(
            command.parameters,
            [
                (b"localStreamNames".to_vec(), many),
                one("groupName", b"two"),
                one("words", b""),
                one("empty", b"")
            ]
        );
    }

    #[test]
    fn the_end_of_a_line_begins_another_command() {
        let all = Command::all(b"version a=b\r\nshutdownServer\nquit");
        let names: Vec<&[u8]> = all.iter().map(|command| command.name.as_slice()).collect();
        assert_eq!(names, [&b"version"[..], b"shutdownServer", b"quit"]);
    }

    #[test]
    fn names_are_found_in_any_case_and_the_last_value_counts() {
        let command = read(b"x ID=1 id=2 _tag=t $FOO=bar");
        assert_eq!(command.argument("iD"), Some(&[b"2".to_vec()][..]));
        let variables = command.variables();
        assert_eq!(variables.keys().collect::<Vec<_>>(), ["$FOO", "_tag"]);
    }
}
