//! A YAML document whose values are taken one by one, so that all its faults are found and not only the first.

use std::cell::RefCell;
use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Error, Location, NonFiniteFloatPolicy, Spanned};

/// The longest text of a user that a message shows, in characters.
const SHOWN: usize = 64;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 16 << 20;

/// A sentence, behind the line and column that it is about. Faults sort by their place.
type Fault = (u64, u64, String);

/// Reads a file, and lets `read` take the values of its document. Returns every fault, with its place, in their order.
pub fn load(path: &Path, read: impl FnOnce(&mut Section)) -> Vec<String> {
    // A pipe of the shell, as in `--config.file <(…)`, is no regular file.
    let piped = path.starts_with("/dev") || path.starts_with("/proc/self/fd");
    let read_file = if piped { std::fs::read(path) } else { ems_tail::regular::read(path, LARGEST) };
    let bytes = match read_file {
        Ok(bytes) => bytes,
        Err(error) => return vec![format!("{}: cannot be read: {error}", path.display())],
    };
    let faults = RefCell::default();
    match std::str::from_utf8(&bytes) {
        Ok(text) => {
            if let Some(mut root) = Section::root(text, &faults) {
                read(&mut root);
                root.finish();
            }
        }
        Err(error) => {
            let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
            return vec![format!("{}:{line}: is not UTF-8: save the file as UTF-8", path.display())];
        }
    }
    let mut faults = faults.into_inner();
    faults.sort();
    let line = |(line, column, sentence): &Fault| format!("{}:{line}:{column}: {sentence}", path.display());
    faults.iter().map(line).collect()
}

/// A text of the user as messages show it: short, on one line, and quoted where that is not a plain word.
pub fn shown(text: &str) -> String {
    let short: String = text.chars().take(SHOWN).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    let is_plain = |c: char| c.is_alphanumeric() || c.is_ascii_punctuation();
    if !short.is_empty() && short.chars().all(is_plain) { short + more } else { format!("{short:?}{more}") }
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
    Map(Members),
}

/// Members of a section.
pub type Members = Vec<(Spanned<String>, Spanned<Node>)>;

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

    const fn members(&mut self) -> Option<&mut Members> {
        if let Self::Map(members) = self { Some(members) } else { None }
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

/// A section of the document, from which the values of known keys are taken. A key is a path such as `api.url`.
#[derive(Debug)]
pub struct Section<'f> {
    path: String,
    node: Spanned<Node>,
    known: Vec<&'static str>,
    taken: Vec<(&'static str, Location)>,
    faults: &'f RefCell<Vec<Fault>>,
}

impl<'f> Section<'f> {
    /// Parses a whole document.
    fn root(text: &str, faults: &'f RefCell<Vec<Fault>>) -> Option<Self> {
        let options = serde_saphyr::options! {
            // A member that is given twice is a fault with its own place, beside all others.
            duplicate_keys: DuplicateKeyPolicy::PassThrough,
            non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        };
        match serde_saphyr::from_str_with_options::<Spanned<Node>>(text, options) {
            Ok(mut node) => {
                spell(&mut node, text);
                Self::new(String::new(), node, faults)
            }
            Err(error) => {
                let place = error.location().filter(|place| place.line() > 0);
                let (line, column) = place.map_or((1, 1), |place| (place.line(), place.column()));
                faults.borrow_mut().push((line, column, remedy(error.without_snippet()).to_owned()));
                None
            }
        }
    }

    fn new(path: String, node: Spanned<Node>, faults: &'f RefCell<Vec<Fault>>) -> Option<Self> {
        let section = Self { path, node, known: Vec::new(), taken: Vec::new(), faults };
        if matches!(section.node.value, Node::Map(_) | Node::Null) {
            return Some(section);
        }
        section.is_no_section("", &section.node);
        None
    }

    fn is_no_section(&self, key: &str, node: &Spanned<Node>) {
        let wrong = format!(" is {}, not a section with keys", node.value.kind());
        self.fault_at(node.referenced, key, &wrong);
    }

    /// Adds a fault of a key, at its place or at that of the section around it.
    pub fn fault(&self, key: &str, wrong: &str) {
        self.fault_at(self.place(key), key, &format!(" {wrong}"));
    }

    /// Adds a fault at a place; `wrong` continues the path of the key.
    pub fn fault_at(&self, place: Location, key: &str, wrong: &str) {
        let sentence = format!("{}{wrong}", self.at(key)).trim_start().to_owned();
        self.faults.borrow_mut().push((place.line(), place.column(), sentence));
    }

    fn at(&self, key: &str) -> String {
        let dot = if self.path.is_empty() || key.is_empty() { "" } else { "." };
        format!("{}{dot}{key}", self.path)
    }

    /// How many faults the document has so far.
    pub fn faults(&self) -> usize {
        self.faults.borrow().len()
    }

    /// Whether the value of a key has been taken.
    pub fn has(&self, key: &str) -> bool {
        self.taken.iter().any(|(taken, _)| *taken == key)
    }

    fn place(&self, key: &str) -> Location {
        let taken = self.taken.iter().find(|(taken, _)| *taken == key).map(|(_, place)| *place);
        taken
            .or_else(|| Some(self.find(key).or(self.find(around(key)))?.referenced))
            .unwrap_or(self.node.referenced)
    }

    fn find(&self, key: &str) -> Option<&Spanned<Node>> {
        key.split('.').filter(|part| !part.is_empty()).try_fold(&self.node, |node, part| {
            let Node::Map(members) = &node.value else { return None };
            members.iter().find(|(name, _)| name.value == part).map(|(_, node)| node)
        })
    }

    /// Whether the section that holds a key is there.
    pub fn has_around(&self, key: &str) -> bool {
        self.find(around(key)).is_some_and(|node| matches!(node.value, Node::Map(_) | Node::Null))
    }

    /// Takes a value. From now on the key is known.
    fn take(&mut self, key: &'static str) -> Option<Spanned<Node>> {
        self.known.push(key);
        let mut members = self.node.value.members()?;
        let last = key.rsplit('.').next()?;
        for part in around(key).split('.').filter(|part| !part.is_empty()) {
            members = members.iter_mut().find(|(name, _)| name.value == part)?.1.value.members()?;
        }
        let (_, node) = members.remove(members.iter().position(|(name, _)| name.value == last)?);
        self.taken.push((key, node.referenced));
        Some(node)
    }

    /// Takes a value, or the items of a list.
    pub fn values(&mut self, key: &'static str, is_list: bool) -> Vec<Spanned<Node>> {
        match self.take(key) {
            Some(Spanned { value: Node::List(items), .. }) if is_list => items,
            node => node.into_iter().collect(),
        }
    }

    /// Takes a list of sections.
    pub fn sections(&mut self, key: &'static str) -> Vec<Self> {
        match self.take(key).map(|node| node.value) {
            None | Some(Node::Null) => Vec::new(),
            Some(Node::List(items)) => items
                .into_iter()
                .filter_map(|item| Self::new(format!("{key}[]"), item, self.faults))
                .collect(),
            Some(node @ (Node::Bool(..) | Node::Number(_) | Node::Text(_) | Node::Map(_))) => {
                self.fault(key, &format!("is {}, not a list", node.kind()));
                Vec::new()
            }
        }
    }

    /// Takes a section whose members may have any names.
    pub fn members(&mut self, key: &'static str) -> Option<Members> {
        let mut section = Self::new(self.at(key), self.take(key)?, self.faults)?;
        Some(section.node.value.members().map(std::mem::take).unwrap_or_default())
    }

    /// Drops the members that hold only what others refer to: their names start with `x-`.
    pub fn drop_extensions(&mut self) {
        if let Some(members) = self.node.value.members() {
            members.retain(|(name, _)| !name.value.starts_with("x-"));
        }
    }

    /// Ends the reading: a member that has not been taken is unknown or given twice.
    pub fn finish(&self) {
        self.report_rest("", &self.node);
    }

    fn report_rest(&self, prefix: &str, node: &Spanned<Node>) {
        let Node::Map(members) = &node.value else {
            if !matches!(node.value, Node::Null) {
                self.is_no_section(prefix.trim_end_matches('.'), node);
            }
            return;
        };
        let below = self.known.iter().filter_map(|key| key.strip_prefix(prefix));
        let mut known: Vec<&str> = below.map(|rest| rest.split('.').next().unwrap_or(rest)).collect();
        known.dedup();
        for (index, (name, member)) in members.iter().enumerate() {
            let path = format!("{prefix}{}.", name.value);
            let is_first = members[..index].iter().all(|(other, _)| other.value != name.value);
            if is_first && self.known.iter().any(|key| key.starts_with(&path)) {
                self.report_rest(&path, member);
                continue;
            }
            let wrong = if known.contains(&name.value.as_str()) {
                " is given twice".to_owned()
            } else {
                format!(" is not a known key: known here are {}", known.join(", "))
            };
            self.fault_at(name.referenced, &format!("{prefix}{}", shown(&name.value)), &wrong);
        }
    }
}

/// The key of the section that holds a key; empty for that of the caller.
fn around(key: &str) -> &str {
    key.rsplit_once('.').map_or("", |(around, _)| around)
}

/// A sentence on a document that could not be parsed.
#[expect(clippy::wildcard_enum_match_arm, reason = "most errors of the parser are about syntax")]
fn remedy(error: &Error) -> &'static str {
    match error {
        Error::AliasError { error, .. } => remedy(error),
        Error::UnknownAnchor { .. } => {
            "not valid YAML: an alias such as *name must come after its anchor &name"
        }
        Error::MultipleDocuments { .. } => {
            "the file must hold one document: remove the line --- and what follows it"
        }
        Error::MergeValueNotMapOrSeqOfMaps { .. } => "<< must refer to a section, such as <<: *name",
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            "an alias must not refer to a value that holds it"
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            "the document is too large, has too many values, or has too many once its aliases are replaced"
        }
        Error::Unexpected { .. } | Error::NullIntoString { .. } => "the name of a key must be a text",
        Error::InvalidScalar { .. } | Error::InvalidBinaryBase64 { .. } | Error::BinaryNotUtf8 { .. } => {
            "the value does not fit its tag, such as !!int: remove the tag"
        }
        error if error.to_string().contains("recursion limit") => "lists and sections are nested too deeply",
        _ => {
            "not valid YAML: check quotes, brackets and indentation near here; indent with spaces, and quote a text \
             that holds special characters"
        }
    }
}
