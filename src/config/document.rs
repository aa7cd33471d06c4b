//! A YAML document that is read key by key, so that all its faults are found and not the first.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// A place in the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    line: u64,
    column: u64,
}

impl Place {
    fn of<T>(spanned: &Spanned<T>) -> Self {
        Self { line: spanned.referenced.line(), column: spanned.referenced.column() }
    }

    /// A fault at this place.
    pub fn fault(self, key: &str, wrong: &str) -> Fault {
        Fault { place: self, key: key.to_owned(), wrong: wrong.to_owned() }
    }
}

/// Something wrong, where, and what would be right.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    place: Place,
    key: String,
    wrong: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place: Place { line, column }, key, wrong } = self;
        write!(f, "{line}:{column}: {key}")?;
        if !key.is_empty() {
            f.write_str(" ")?;
        }
        f.write_str(wrong)
    }
}

/// A value of any kind.
#[derive(Debug)]
enum Node {
    Null,
    Bool(bool),
    Whole(i64),
    Real(f64),
    Text(String),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<String>, Spanned<Self>)>),
}

impl Node {
    const fn what(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Whole(_) | Self::Real(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a section",
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Null)
            }
            fn visit_none<E>(self) -> Result<Node, E> {
                Ok(Node::Null)
            }
            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
                Node::deserialize(deserializer)
            }
            fn visit_bool<E>(self, truth: bool) -> Result<Node, E> {
                Ok(Node::Bool(truth))
            }
            fn visit_i64<E>(self, whole: i64) -> Result<Node, E> {
                Ok(Node::Whole(whole))
            }
            fn visit_u64<E>(self, whole: u64) -> Result<Node, E> {
                Ok(Node::Whole(i64::try_from(whole).unwrap_or(i64::MAX)))
            }
            fn visit_f64<E>(self, real: f64) -> Result<Node, E> {
                Ok(Node::Real(real))
            }
            fn visit_str<E>(self, text: &str) -> Result<Node, E> {
                Ok(Node::Text(text.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Node::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
                let mut map = Vec::new();
                while let Some(member) = members.next_entry()? {
                    map.push(member);
                }
                Ok(Node::Map(map))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// A value as it may be given to a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Plain {
    /// A text.
    Text(String),
    /// A number, as its digits.
    Number(String),
    /// True or false.
    Truth(bool),
    /// Several of these.
    List(Vec<Self>),
}

impl Plain {
    fn of(node: Node) -> Option<Self> {
        Some(match node {
            Node::Bool(truth) => Self::Truth(truth),
            Node::Whole(whole) => Self::Number(whole.to_string()),
            Node::Real(real) => Self::Number(real.to_string()),
            Node::Text(text) => Self::Text(text),
            Node::List(items) => {
                let one = |item: Spanned<Node>| match Self::of(item.value) {
                    Some(Self::List(_)) | None => None,
                    Some(one @ (Self::Text(_) | Self::Number(_) | Self::Truth(_))) => Some(one),
                };
                Self::List(items.into_iter().map(one).collect::<Option<_>>()?)
            }
            Node::Null | Node::Map(_) => return None,
        })
    }
}

/// The members of one section that have not been read yet.
#[derive(Debug)]
pub struct Section {
    path: String,
    place: Place,
    members: Vec<(Spanned<String>, Spanned<Node>)>,
    known: Vec<&'static str>,
}

impl Section {
    /// Reads a whole document. An empty one is a section without members.
    pub fn root(text: &str, faults: &mut Vec<Fault>) -> Option<Self> {
        let start = Place { line: 1, column: 1 };
        let node = match serde_saphyr::from_str::<Option<Spanned<Node>>>(text) {
            Ok(node) => node,
            Err(error) => {
                let place =
                    error.location().map_or(start, |at| Place { line: at.line(), column: at.column() });
                let error = error.without_snippet().to_string();
                let sentence = error.lines().next().unwrap_or_default();
                faults.push(place.fault("", &format!("this is no YAML: {sentence}")));
                return None;
            }
        };
        match node {
            None => Some(Self { path: String::new(), place: start, members: Vec::new(), known: Vec::new() }),
            Some(node) => Self::of(String::new(), node, faults),
        }
    }

    fn of(path: String, node: Spanned<Node>, faults: &mut Vec<Fault>) -> Option<Self> {
        let place = Place::of(&node);
        match node.value {
            Node::Map(members) => Some(Self { path, place, members, known: Vec::new() }),
            Node::Null => Some(Self { path, place, members: Vec::new(), known: Vec::new() }),
            node @ (Node::Bool(_) | Node::Whole(_) | Node::Real(_) | Node::Text(_) | Node::List(_)) => {
                faults.push(place.fault(&path, &format!("is {}, not a section with keys", node.what())));
                None
            }
        }
    }

    /// Where the section starts.
    pub const fn place(&self) -> Place {
        self.place
    }

    /// Whether a member of this name is there and has not been read.
    pub fn has(&self, key: &str) -> bool {
        self.members.iter().any(|(name, _)| name.value == key)
    }

    fn take(&mut self, key: &'static str) -> Option<Spanned<Node>> {
        self.known.push(key);
        let at = self.members.iter().position(|(name, _)| name.value == key)?;
        Some(self.members.remove(at).1)
    }

    fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The section of this name.
    pub fn section(&mut self, key: &'static str, faults: &mut Vec<Fault>) -> Option<Self> {
        let node = self.take(key)?;
        Self::of(self.at(key), node, faults)
    }

    /// The list of sections of this name.
    pub fn sections(&mut self, key: &'static str, faults: &mut Vec<Fault>) -> Vec<Self> {
        let Some(node) = self.take(key) else {
            return Vec::new();
        };
        let (path, place) = (format!("{}[]", self.at(key)), Place::of(&node));
        match node.value {
            Node::Null => Vec::new(),
            Node::List(items) => {
                items.into_iter().filter_map(|item| Self::of(path.clone(), item, faults)).collect()
            }
            node @ (Node::Bool(_) | Node::Whole(_) | Node::Real(_) | Node::Text(_) | Node::Map(_)) => {
                faults.push(place.fault(&self.at(key), &format!("is {}, not a list", node.what())));
                Vec::new()
            }
        }
    }

    /// Reads a value if it is there and `parse` takes it; `wanted` says what would be right.
    fn value<T>(
        &mut self,
        key: &'static str,
        wanted: &str,
        into: &mut T,
        faults: &mut Vec<Fault>,
        parse: impl FnOnce(Node) -> Option<T>,
    ) {
        let Some(node) = self.take(key) else {
            return;
        };
        let place = Place::of(&node);
        match parse(node.value) {
            Some(value) => *into = value,
            None => faults.push(place.fault(&self.at(key), &format!("is not {wanted}"))),
        }
    }

    /// A duration such as `5m`.
    pub fn duration(&mut self, key: &'static str, into: &mut Duration, faults: &mut Vec<Fault>) {
        self.value(key, "a duration such as 10s or 1h 30m", into, faults, |node| match node {
            Node::Text(text) => humantime::parse_duration(&text).ok(),
            Node::Null | Node::Bool(_) | Node::Whole(_) | Node::Real(_) | Node::List(_) | Node::Map(_) => {
                None
            }
        });
    }

    /// A number between two bounds.
    pub fn number(
        &mut self,
        key: &'static str,
        least: f64,
        most: f64,
        into: &mut f64,
        faults: &mut Vec<Fault>,
    ) {
        let wanted = format!("a number from {least} to {most}");
        self.value(key, &wanted, into, faults, |node| {
            let number = match node {
                Node::Whole(whole) => whole as f64,
                Node::Real(real) => real,
                Node::Null | Node::Bool(_) | Node::Text(_) | Node::List(_) | Node::Map(_) => return None,
            };
            (least..=most).contains(&number).then_some(number)
        });
    }

    /// A whole number between two bounds.
    pub fn count(
        &mut self,
        key: &'static str,
        least: usize,
        most: usize,
        into: &mut usize,
        faults: &mut Vec<Fault>,
    ) {
        let wanted = format!("a whole number from {least} to {most}");
        self.value(key, &wanted, into, faults, |node| match node {
            Node::Whole(whole) => usize::try_from(whole).ok().filter(|count| (least..=most).contains(count)),
            Node::Null | Node::Bool(_) | Node::Real(_) | Node::Text(_) | Node::List(_) | Node::Map(_) => None,
        });
    }

    /// True or false.
    pub fn truth(&mut self, key: &'static str, into: &mut bool, faults: &mut Vec<Fault>) {
        self.value(key, "true or false", into, faults, |node| match node {
            Node::Bool(truth) => Some(truth),
            Node::Null | Node::Whole(_) | Node::Real(_) | Node::Text(_) | Node::List(_) | Node::Map(_) => {
                None
            }
        });
    }

    /// A text, with the place at which more can be found wrong with it.
    pub fn word(&mut self, key: &'static str, faults: &mut Vec<Fault>) -> Option<(String, Place)> {
        let node = self.take(key)?;
        let place = Place::of(&node);
        Some((checked(&self.at(key), node, |_| Ok(()), faults)?, place))
    }

    /// A list of texts, or one text alone, each with its place.
    pub fn words(&mut self, key: &'static str, faults: &mut Vec<Fault>) -> Vec<(String, Place)> {
        let Some(node) = self.take(key) else {
            return Vec::new();
        };
        let path = self.at(key);
        let each = |node: Spanned<Node>| {
            let place = Place::of(&node);
            Some((checked(&path, node, |_| Ok(()), faults)?, place))
        };
        several(node).into_iter().filter_map(each).collect()
    }

    /// All members that have not been read, whatever their names, as values of parameters.
    pub fn rest(self, faults: &mut Vec<Fault>) -> Vec<(String, Plain, Place)> {
        let mut values = Vec::new();
        for (name, node) in self.members {
            let (place, what) = (Place::of(&name), node.value.what());
            let path = if self.path.is_empty() {
                name.value.clone()
            } else {
                format!("{}.{}", self.path, name.value)
            };
            if let Some(plain) = Plain::of(node.value) {
                values.push((name.value, plain, place));
            } else {
                let wrong = format!("is {what}, not a text, a number, true or false, or a list of those");
                faults.push(place.fault(&path, &wrong));
            }
        }
        values
    }

    /// A text that `check` finds nothing wrong with.
    pub fn text(
        &mut self,
        key: &'static str,
        check: fn(&str) -> Result<(), &'static str>,
        into: &mut String,
        faults: &mut Vec<Fault>,
    ) {
        if let Some(node) = self.take(key)
            && let Some(text) = checked(&self.at(key), node, check, faults)
        {
            *into = text;
        }
    }

    /// A list of texts, or one text alone, each of which `check` finds nothing wrong with.
    pub fn texts(
        &mut self,
        key: &'static str,
        check: fn(&str) -> Result<(), &'static str>,
        into: &mut Vec<String>,
        faults: &mut Vec<Fault>,
    ) {
        let Some(node) = self.take(key) else {
            return;
        };
        let path = self.at(key);
        *into = several(node).into_iter().filter_map(|item| checked(&path, item, check, faults)).collect();
    }

    /// Ends the reading: what has not been read is not known.
    pub fn finish(self, faults: &mut Vec<Fault>) {
        for (name, _) in &self.members {
            let known = self.known.join(", ");
            let wrong = if self.known.contains(&name.value.as_str()) {
                "is given twice".to_owned()
            } else {
                format!("is not a known key: known here are {known}")
            };
            faults.push(Place::of(name).fault(&self.at(&name.value), &wrong));
        }
    }
}

/// The items of a list; of anything else, itself alone.
fn several(node: Spanned<Node>) -> Vec<Spanned<Node>> {
    let (referenced, defined) = (node.referenced, node.defined);
    match node.value {
        Node::List(items) => items,
        one
        @ (Node::Null | Node::Bool(_) | Node::Whole(_) | Node::Real(_) | Node::Text(_) | Node::Map(_)) => {
            vec![Spanned::new(one, referenced, defined)]
        }
    }
}

fn checked(
    path: &str,
    node: Spanned<Node>,
    check: fn(&str) -> Result<(), &'static str>,
    faults: &mut Vec<Fault>,
) -> Option<String> {
    let place = Place::of(&node);
    match node.value {
        Node::Text(text) => match check(&text) {
            Ok(()) => Some(text),
            Err(wrong) => {
                faults.push(place.fault(path, wrong));
                None
            }
        },
        node @ (Node::Null
        | Node::Bool(_)
        | Node::Whole(_)
        | Node::Real(_)
        | Node::List(_)
        | Node::Map(_)) => {
            faults.push(place.fault(path, &format!("is {}, not a text", node.what())));
            None
        }
    }
}
