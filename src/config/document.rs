//! A YAML document whose members are read one by one, so that all its faults are found and not only the first.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Error, Spanned};

/// A place in the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    line: u64,
    column: u64,
}

impl Place {
    /// The beginning of the document.
    pub const START: Self = Self { line: 1, column: 1 };

    fn of<T>(spanned: &Spanned<T>) -> Self {
        Self { line: spanned.referenced.line(), column: spanned.referenced.column() }
    }

    /// A fault at this place.
    pub fn fault(self, key: &str, wrong: &str) -> Fault {
        Fault { place: self, key: key.to_owned(), wrong: wrong.to_owned() }
    }
}

/// A fault: its place, what is wrong, and what would be right. Faults sort by their place.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// A value of any kind. Numbers and truth values keep their spelling, since a text may be wanted.
#[derive(Debug)]
pub enum Node {
    /// No value.
    Null,
    /// True or false, and its spelling.
    Bool(bool, String),
    /// The spelling of a number.
    Number(String),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Spanned<Self>>),
    /// The members of a section.
    Map(Vec<(Spanned<String>, Spanned<Self>)>),
}

impl Node {
    /// The kind of the value, for messages.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "empty",
            Self::Bool(..) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a section",
        }
    }

    /// The spelling of a single value.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Bool(_, text) | Self::Number(text) | Self::Text(text) => Some(text),
            Self::Null | Self::List(_) | Self::Map(_) => None,
        }
    }
}

/// Takes the spellings of numbers and truth values from the source: the parser keeps only their values.
fn spell(node: &mut Spanned<Node>, source: &str) {
    let span = node.defined.span();
    match &mut node.value {
        Node::Bool(_, text) | Node::Number(text) => {
            let bytes = span.byte_offset().zip(span.byte_len()).and_then(|(start, length)| {
                let start = usize::try_from(start).ok()?;
                source.get(start..start + usize::try_from(length).ok()?)
            });
            if let Some(spelling) = bytes {
                spelling.trim().clone_into(text);
            }
        }
        Node::List(items) => items.iter_mut().for_each(|item| spell(item, source)),
        Node::Map(members) => members.iter_mut().for_each(|(_, member)| spell(member, source)),
        Node::Null | Node::Text(_) => {}
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
                Ok(Node::Bool(truth, truth.to_string()))
            }
            fn visit_i64<E>(self, whole: i64) -> Result<Node, E> {
                Ok(Node::Number(whole.to_string()))
            }
            fn visit_u64<E>(self, whole: u64) -> Result<Node, E> {
                Ok(Node::Number(whole.to_string()))
            }
            fn visit_f64<E>(self, real: f64) -> Result<Node, E> {
                Ok(Node::Number(real.to_string()))
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
    /// A number, as it is spelt.
    Number(String),
    /// True or false.
    Truth(bool),
    /// Several of these.
    List(Vec<Self>),
}

impl Plain {
    fn of(node: Node) -> Option<Self> {
        Some(match node {
            Node::Bool(truth, _) => Self::Truth(truth),
            Node::Number(digits) => Self::Number(digits),
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
        // A member that is given twice is a fault with its own place, beside all others.
        let options = serde_saphyr::options! { duplicate_keys: DuplicateKeyPolicy::PassThrough };
        let empty = Self { path: String::new(), place: Place::START, members: Vec::new(), known: Vec::new() };
        match serde_saphyr::from_str_with_options::<Option<Spanned<Node>>>(text, options) {
            Ok(None) => Some(empty),
            Ok(Some(mut node)) => {
                spell(&mut node, text);
                Self::of(String::new(), node, faults)
            }
            Err(error) => {
                let place = error.location().filter(|at| at.line() > 0);
                let place = place.map_or(Place::START, |at| Place { line: at.line(), column: at.column() });
                faults.push(
                    place.fault("", &format!("not valid YAML: {}", yaml_remedy(error.without_snippet()))),
                );
                None
            }
        }
    }

    fn of(path: String, node: Spanned<Node>, faults: &mut Vec<Fault>) -> Option<Self> {
        let place = Place::of(&node);
        match node.value {
            Node::Map(members) => Some(Self { path, place, members, known: Vec::new() }),
            Node::Null => Some(Self { path, place, members: Vec::new(), known: Vec::new() }),
            node @ (Node::Bool(..) | Node::Number(_) | Node::Text(_) | Node::List(_)) => {
                faults.push(place.fault(&path, &format!("is {}, not a section with keys", node.kind())));
                None
            }
        }
    }

    /// Where the section starts.
    pub const fn place(&self) -> Place {
        self.place
    }

    /// The value of a member, and where it is. From now on the key is known here.
    pub fn take(&mut self, key: &'static str) -> Option<(Node, Place)> {
        let node = self.take_spanned(key)?;
        let place = Place::of(&node);
        Some((node.value, place))
    }

    fn take_spanned(&mut self, key: &'static str) -> Option<Spanned<Node>> {
        self.known.push(key);
        let at = self.members.iter().position(|(name, _)| name.value == key)?;
        Some(self.members.remove(at).1)
    }

    /// The path of a member.
    pub fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The section of this name.
    pub fn section(&mut self, key: &'static str, faults: &mut Vec<Fault>) -> Option<Self> {
        let node = self.take_spanned(key)?;
        Self::of(self.at(key), node, faults)
    }

    /// The list of sections of this name.
    pub fn sections(&mut self, key: &'static str, faults: &mut Vec<Fault>) -> Vec<Self> {
        let Some(node) = self.take_spanned(key) else {
            return Vec::new();
        };
        let (path, place) = (format!("{}[]", self.at(key)), Place::of(&node));
        match node.value {
            Node::Null => Vec::new(),
            Node::List(items) => {
                items.into_iter().filter_map(|item| Self::of(path.clone(), item, faults)).collect()
            }
            node @ (Node::Bool(..) | Node::Number(_) | Node::Text(_) | Node::Map(_)) => {
                faults.push(place.fault(&self.at(key), &format!("is {}, not a list", node.kind())));
                Vec::new()
            }
        }
    }

    /// True or false.
    pub fn truth(&mut self, key: &'static str, into: &mut bool, faults: &mut Vec<Fault>) {
        match self.take(key) {
            Some((Node::Bool(truth, _), _)) => *into = truth,
            Some((_, place)) => faults.push(place.fault(&self.at(key), "is not true or false")),
            None => {}
        }
    }

    /// A text, with the place at which more can be found wrong with it.
    pub fn word(&mut self, key: &'static str, faults: &mut Vec<Fault>) -> Option<(String, Place)> {
        let (node, place) = self.take(key)?;
        spelt(&self.at(key), &node, place, faults).map(|text| (text, place))
    }

    /// A list of texts, or one text alone, each with its place.
    pub fn words(&mut self, key: &'static str, faults: &mut Vec<Fault>) -> Vec<(String, Place)> {
        let Some((node, place)) = self.take(key) else {
            return Vec::new();
        };
        let path = self.at(key);
        let each = |(node, place)| Some((spelt(&path, &node, place, faults)?, place));
        several(node, place).into_iter().filter_map(each).collect()
    }

    /// All members that have not been read, whatever their names, as values of parameters.
    pub fn rest(self, faults: &mut Vec<Fault>) -> Vec<(String, Plain, Place)> {
        let mut values = Vec::new();
        for (name, node) in self.members {
            let (place, kind) = (Place::of(&name), node.value.kind());
            let path = if self.path.is_empty() {
                name.value.clone()
            } else {
                format!("{}.{}", self.path, name.value)
            };
            if let Some(plain) = Plain::of(node.value) {
                values.push((name.value, plain, place));
            } else {
                let wrong = format!("is {kind}, not a text, a number, true or false, or a list of those");
                faults.push(place.fault(&path, &wrong));
            }
        }
        values
    }

    /// Drops the members that hold only what others refer to: their keys start with `x-`.
    pub fn drop_extensions(&mut self) {
        self.members.retain(|(name, _)| !name.value.starts_with("x-"));
    }

    /// Ends the reading: a member that has not been read is unknown or given twice.
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
pub fn several(node: Node, place: Place) -> Vec<(Node, Place)> {
    match node {
        Node::List(items) => {
            let placed = |item: Spanned<Node>| {
                let place = Place::of(&item);
                (item.value, place)
            };
            items.into_iter().map(placed).collect()
        }
        one @ (Node::Null | Node::Bool(..) | Node::Number(_) | Node::Text(_) | Node::Map(_)) => {
            vec![(one, place)]
        }
    }
}

/// The spelling of a single value where a text is wanted.
pub fn spelt(path: &str, node: &Node, place: Place, faults: &mut Vec<Fault>) -> Option<String> {
    let text = node.text();
    if text.is_none() {
        faults.push(place.fault(path, &format!("is {}, not a text", node.kind())));
    }
    text.map(str::to_owned)
}

/// A remedy for a document that could not be parsed, in terms of YAML.
fn yaml_remedy(error: &Error) -> &'static str {
    if matches!(error, Error::UnknownAnchor { .. }) {
        return "an alias such as *name must come after its anchor &name";
    }
    if matches!(error, Error::MultipleDocuments { .. }) {
        return "the file must hold one document: remove the line --- and what follows it";
    }
    if matches!(error, Error::MergeValueNotMapOrSeqOfMaps { .. }) {
        return "<< must refer to a section, such as <<: *name";
    }
    "check quotes, brackets and indentation near here; indent with spaces, and quote a text that holds special characters"
}
