//! One configuration key: where it is set, the check of its value, its documentation.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use strum::VariantArray;

use super::document::{Members, Section, shown};
use crate::folders::{PathMap, resolve};

/// The similarity, from 0 to 1, from which on a name counts as a misspelling of another.
const ALIKE: f64 = 0.75;
/// Most names that are listed even if one of them is meant.
const LISTED: usize = 16;
/// Most names that are proposed for a misspelt one.
const PROPOSED: usize = 3;

/// All that is known of one value of a `T`, which the configuration file, a flag or an environment variable may set.
/// Its default is that of `T`.
#[derive(Debug)]
pub struct ConfigKey<T: 'static> {
    /// Its path in the file; empty if the file cannot set it.
    pub path: &'static str,
    /// Its flag, without dashes; empty if there is none.
    pub flag: &'static str,
    /// The environment variable; empty if there is none.
    pub variable: &'static str,
    /// The word for the value in the help of the flag.
    pub value_name: &'static str,
    /// Where the value is kept, and the check of it.
    pub value: Value<T>,
    /// The default in words, where it is not a value.
    pub default: &'static str,
    /// Why the file must set it; empty if it need not.
    pub required: &'static str,
    /// What it does, in one sentence without a full stop.
    pub help: &'static str,
    /// More sentences, if they are needed.
    pub details: &'static str,
    /// Whether a reload puts a new value in force; else it takes a restart.
    pub reload: bool,
}

/// Where a value of a `T` is kept.
pub type Field<T, V> = fn(&mut T) -> &mut V;

/// Checks a text; the error continues the sentence about it.
pub type Check = fn(&str) -> Result<(), &'static str>;

/// Sets a value from a text, in which names of files are relative to the folder. The error is a sentence.
pub type Set<T> = fn(&mut T, &str, &Path) -> Result<(), String>;

/// The names to choose from, each with its meaning.
pub type Choices = fn() -> Vec<(&'static str, &'static str)>;

/// The type of a value, where it is kept, and the check of it.
#[derive(Debug)]
pub enum Value<T: 'static> {
    /// True or false.
    Bool(Field<T, bool>),
    /// A whole number.
    Count(Field<T, usize>, RangeInclusive<usize>),
    /// A number.
    Number(Field<T, f64>, RangeInclusive<f64>),
    /// A duration, and the shortest.
    Duration(Field<T, Duration>, Duration),
    /// A text.
    Text(Field<T, String>, Check),
    /// One or more texts.
    Texts(Field<T, Vec<String>>, Check),
    /// A file or directory, relative to the file that names it.
    File(Field<T, Option<PathBuf>>),
    /// One of some names, and the name that is set.
    Choice(Choices, Set<T>, fn(&T) -> &'static str),
    /// One text of the form that the words describe.
    One(&'static str, Set<T>),
    /// One or more of them.
    Many(&'static str, Set<T>),
    /// One of names that are too many to document here.
    OneOf(fn() -> Vec<&'static str>, Set<T>),
    /// One or more of them.
    ManyOf(fn() -> Vec<&'static str>, Set<T>),
    /// Folders of the media server, each with its place on this machine.
    Folders(Field<T, PathMap>),
    /// Members whose names are not ours.
    Members(Field<T, Option<Members>>),
}

/// A key that is nothing but a path, a value and a help text.
pub const fn key<T>(path: &'static str, value: Value<T>, help: &'static str) -> ConfigKey<T> {
    ConfigKey {
        path,
        flag: "",
        variable: "",
        value_name: "",
        value,
        default: "",
        required: "",
        help,
        details: "",
        reload: false,
    }
}

impl<T> ConfigKey<T> {
    /// Whether several values may be given.
    pub const fn is_list(&self) -> bool {
        matches!(self.value, Value::Texts(..) | Value::Many(..) | Value::ManyOf(..))
    }

    /// The form of a right value.
    pub fn wanted(&self) -> String {
        match &self.value {
            Value::Bool(_) => "true or false".to_owned(),
            Value::Count(_, range) => format!("a whole number from {} to {}", range.start(), range.end()),
            Value::Number(_, range) => format!("a number from {} to {}", range.start(), range.end()),
            Value::Duration(_, Duration::ZERO) => "a duration such as 10s or 1h 30m".to_owned(),
            Value::Duration(_, least) => {
                format!("a duration of at least {}, such as 10s", humantime::format_duration(*least))
            }
            Value::File(_) => "a file name".to_owned(),
            Value::Choice(names, ..) => names().iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "),
            Value::Text(..) | Value::OneOf(..) => "a text".to_owned(),
            Value::Texts(..) | Value::ManyOf(..) => "a text or a list of texts".to_owned(),
            Value::One(form, _) | Value::Many(form, _) => (*form).to_owned(),
            Value::Folders(_) | Value::Members(_) => "a section".to_owned(),
        }
    }

    /// The value as the file would spell it; empty for none and for what is never shown.
    pub fn show(&self, from: &mut T) -> String {
        match &self.value {
            Value::Bool(at) => at(from).to_string(),
            Value::Count(at, _) => at(from).to_string(),
            Value::Number(at, _) => at(from).to_string(),
            Value::Duration(at, _) => humantime::format_duration(*at(from)).to_string(),
            Value::Text(at, _) => at(from).clone(),
            Value::Texts(at, _) => at(from).join(", "),
            Value::File(at) => at(from).as_ref().map_or_else(String::new, |path| path.display().to_string()),
            Value::Choice(_, _, name) => name(from).to_owned(),
            Value::Folders(at) => {
                let pair = |(from, to): &(String, PathBuf)| format!("{from}: {}", to.display());
                at(from).0.iter().map(pair).collect::<Vec<_>>().join(", ")
            }
            Value::One(..) | Value::Many(..) | Value::OneOf(..) | Value::ManyOf(..) | Value::Members(_) => {
                String::new()
            }
        }
    }

    /// Sets a value from the texts of a flag or a variable. Returns a sentence on each that is wrong.
    pub fn set(&self, into: &mut T, texts: &[String]) -> Vec<String> {
        self.clear(into);
        let set = |text: &String| {
            let text = if matches!(self.value, Value::Bool(_)) { spelt_out(text) } else { text };
            self.set_one(into, text, Path::new("")).err()
        };
        texts.iter().filter_map(set).collect()
    }

    /// Takes the value out of a section, if it is there.
    fn read(&self, section: &mut Section, into: &mut T, folder: &Path) {
        if let Value::Members(at) = &self.value {
            *at(into) = section.members(self.path);
            return;
        }
        if let Value::Folders(at) = &self.value {
            at(into).0 = folders(section, self.path, folder);
            return;
        }
        let values = section.values(self.path, self.is_list());
        if section.has(self.path) {
            self.clear(into);
        } else if !self.required.is_empty() && section.has_around(self.path) {
            section.fault(self.path, &format!("is missing: {}", self.required));
        }
        for node in values {
            let wrong = match node.value.text() {
                Some(text) => self.set_one(into, text, folder).map_err(|wrong| format!(": {wrong}")),
                None if self.is_list() => Err(format!(" is {}, not a text", node.value.kind())),
                None => Err(format!(" is {}, not {}", node.value.kind(), self.wanted())),
            };
            if let Err(wrong) = wrong {
                section.fault_at(node.referenced, self.path, &wrong);
            }
        }
    }

    /// What is set replaces the default, and what the file set.
    fn clear(&self, into: &mut T) {
        if let Value::Texts(at, _) = &self.value {
            at(into).clear();
        }
    }

    fn set_one(&self, into: &mut T, text: &str, folder: &Path) -> Result<(), String> {
        let wrong = || format!("{} is not {}", shown(text), self.wanted());
        match &self.value {
            Value::Bool(at) => *at(into) = truth(text).ok_or_else(wrong)?,
            Value::Count(at, range) => *at(into) = within(text, range).ok_or_else(wrong)?,
            Value::Number(at, range) => *at(into) = within(text, range).ok_or_else(wrong)?,
            Value::Duration(at, least) => {
                let duration = humantime::parse_duration(text).ok();
                *at(into) = duration.filter(|duration| duration >= least).ok_or_else(wrong)?;
            }
            Value::Text(at, check) => {
                check(text).map_err(|wrong| format!("{} {wrong}", shown(text)))?;
                text.clone_into(at(into));
            }
            Value::Texts(at, check) => {
                check(text).map_err(|wrong| format!("{} {wrong}", shown(text)))?;
                at(into).push(text.to_owned());
            }
            Value::File(at) => *at(into) = (!text.is_empty()).then(|| folder.join(text)),
            Value::Choice(_, set, _)
            | Value::One(_, set)
            | Value::Many(_, set)
            | Value::OneOf(_, set)
            | Value::ManyOf(_, set) => set(into, text, folder)?,
            Value::Folders(_) | Value::Members(_) => return Err(wrong()),
        }
        Ok(())
    }
}

/// Takes the values of all keys that have a path out of a section.
pub fn read<T>(section: &mut Section, keys: &[ConfigKey<T>], into: &mut T, folder: &Path) {
    keys.iter().filter(|key| !key.path.is_empty()).for_each(|key| key.read(section, into, folder));
}

/// Takes the folders of a media server, each with its place on this machine.
fn folders(section: &mut Section, key: &'static str, folder: &Path) -> Vec<(String, PathBuf)> {
    let mut folders: Vec<(String, PathBuf)> = Vec::new();
    for (name, node) in section.members(key).unwrap_or_default() {
        let from = resolve(&name.value);
        let fault = |wrong: &str| {
            section.fault_at(name.referenced, &format!("{key}.{}", shown(&name.value)), &format!(" {wrong}"));
        };
        match node.value.text() {
            _ if name.value.is_empty() => fault("is not a folder of the media server, such as /srv/www"),
            _ if folders.iter().any(|(other, _)| *other == from) => fault("is given twice"),
            None | Some("") => {
                fault(&format!("is {}, not a folder of this machine, such as /mnt/www", node.value.kind()))
            }
            Some(to) => folders.push((from.into_owned(), folder.join(to).components().collect())),
        }
    }
    folders
}

fn within<V: FromStr + PartialOrd>(text: &str, range: &RangeInclusive<V>) -> Option<V> {
    text.parse().ok().filter(|value| range.contains(value))
}

/// True or false, in the spellings of YAML 1.1 and 1.2.
fn truth(text: &str) -> Option<bool> {
    let is = |spellings: [&str; 3]| spellings.iter().any(|spelling| spelling.eq_ignore_ascii_case(text));
    is(["true", "yes", "on"]).then_some(true).or(is(["false", "no", "off"]).then_some(false))
}

/// What variables often hold in place of true or false.
fn spelt_out(text: &str) -> &str {
    match text {
        "1" | "y" | "Y" | "t" | "T" => "true",
        "0" | "n" | "N" | "f" | "F" => "false",
        text => text,
    }
}

/// The names of an enum's variants.
pub fn names<E: VariantArray + Copy + Into<&'static str>>() -> Vec<&'static str> {
    E::VARIANTS.iter().map(|variant| (*variant).into()).collect()
}

/// The variant of a name.
pub fn variant<E: VariantArray + Copy + Into<&'static str>>(text: &str) -> Result<E, String> {
    let variant = E::VARIANTS.iter().copied().find(|variant| (*variant).into() == text);
    variant.ok_or_else(|| no_such(text, &names::<E>()))
}

/// The name that a text is.
pub fn one_of(text: &str, names: &[&'static str]) -> Result<&'static str, String> {
    names.iter().copied().find(|name| *name == text).ok_or_else(|| no_such(text, names))
}

/// A sentence on a text that is none of the names.
pub fn no_such(text: &str, names: &[&str]) -> String {
    match misspelt(text, names) {
        Some(hint) if names.len() > LISTED => format!("{} is unknown; {hint}", shown(text)),
        Some(_) | None => format!("{} is not one of {}", shown(text), names.join(", ")),
    }
}

/// Proposes the known names that a misspelt one is most like.
pub fn misspelt(name: &str, known: &[&str]) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let alike = |known: &str| strsim::normalized_damerau_levenshtein(&lower, &known.to_ascii_lowercase());
    let mut near: Vec<(f64, &str)> = known.iter().map(|known| (alike(known), *known)).collect();
    near.retain(|(alike, _)| *alike >= ALIKE);
    near.sort_by(|one, other| other.0.total_cmp(&one.0));
    let near: Vec<&str> = near.into_iter().take(PROPOSED).map(|(_, name)| name).collect();
    (!near.is_empty()).then(|| format!("did you mean {}?", near.join(" or ")))
}
