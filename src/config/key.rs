//! One configuration key: where it is set, the check of its value, its documentation.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

use super::document::{Fault, Place, Plain, Section, several};
use crate::auth::{Secret, network};

/// All that is known of one value of a `T`, which the configuration file, a flag or an environment variable may set.
/// Its default is that of `T`.
#[derive(Debug)]
pub struct Key<T: 'static> {
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

/// Says what is wrong with a text.
pub type Check = fn(&str) -> Result<(), &'static str>;

/// A text, and its place, where more can be found wrong with it.
pub type Placed = (String, Place);

/// Members of a section by name, each with its place, and the place of the section.
pub type Members = (Vec<(String, Plain, Place)>, Place);

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
    /// Shell patterns of files, relative to the file that names them.
    Patterns(Field<T, Vec<String>>),
    /// Addresses or networks.
    Networks(Field<T, Vec<IpNet>>),
    /// A secret.
    Secret(Field<T, Option<Secret>>),
    /// A file that holds a secret.
    SecretFile(Field<T, Option<Secret>>),
    /// A file that holds a password.
    PasswordFile(Field<T, Option<String>>),
    /// One of some names, each with its meaning.
    Choice(&'static [(&'static str, &'static str)], fn(&mut T, &str), fn(&T) -> &'static str),
    /// A text that is checked together with others: one of the names, if there are any.
    Word(Field<T, Option<Placed>>, fn() -> Vec<&'static str>),
    /// The same, one or more.
    Words(Field<T, Vec<Placed>>, fn() -> Vec<&'static str>),
    /// Members whose names are not ours, and the place of their section.
    Members(Field<T, Option<Members>>),
}

/// A key that is nothing but a path, a value and a help text.
pub const fn key<T>(path: &'static str, value: Value<T>, help: &'static str) -> Key<T> {
    Key {
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

/// No names: any text will do.
pub fn any() -> Vec<&'static str> {
    Vec::new()
}

impl<T> Key<T> {
    /// Whether several values may be given.
    pub const fn is_list(&self) -> bool {
        matches!(self.value, Value::Texts(..) | Value::Patterns(_) | Value::Networks(_) | Value::Words(..))
    }

    /// What would be a right value.
    pub fn wanted(&self) -> String {
        match &self.value {
            Value::Bool(_) => "true or false".to_owned(),
            Value::Count(_, range) => format!("a whole number from {} to {}", range.start(), range.end()),
            Value::Number(_, range) => format!("a number from {} to {}", range.start(), range.end()),
            Value::Duration(..) => "a duration such as 10s or 1h 30m".to_owned(),
            Value::File(_) | Value::SecretFile(_) | Value::PasswordFile(_) => "a file name".to_owned(),
            Value::Choice(names, ..) => {
                let (last, others) =
                    names.split_last().map_or(("", &[][..]), |(last, others)| (last.0, others));
                let others: Vec<&str> = others.iter().map(|(name, _)| *name).collect();
                format!("{} or {last}", others.join(", "))
            }
            Value::Text(..) | Value::Secret(_) | Value::Word(..) => "a text".to_owned(),
            Value::Texts(..) | Value::Words(..) => "a text or a list of texts".to_owned(),
            Value::Patterns(_) => "a file name or pattern, such as /var/log/ems/events*.json".to_owned(),
            Value::Networks(_) => "an address or network such as 10.0.0.0/8".to_owned(),
            Value::Members(_) => "a section".to_owned(),
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
            Value::Texts(at, _) | Value::Patterns(at) => at(from).join(", "),
            Value::File(at) => at(from).as_ref().map_or_else(String::new, |path| path.display().to_string()),
            Value::Networks(at) => at(from).iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            Value::Choice(_, _, name) => name(from).to_owned(),
            Value::Secret(_)
            | Value::SecretFile(_)
            | Value::PasswordFile(_)
            | Value::Word(..)
            | Value::Words(..)
            | Value::Members(_) => String::new(),
        }
    }

    /// Sets a value from its texts, of which only a list may have several; `folder` is that of the file which names
    /// them. Returns each text that is wrong, and why.
    pub fn set<'t>(&self, into: &mut T, texts: &'t [String], folder: &Path) -> Vec<(&'t str, String)> {
        self.clear(into);
        let wrong = |text: &'t String| {
            self.set_one(into, text, Place::START, folder).err().map(|why| (text.as_str(), why))
        };
        texts.iter().filter_map(wrong).collect()
    }

    /// Takes the value out of a section, if it is there. `key` is the last part of the path.
    fn read(
        &self,
        section: &mut Section,
        key: &'static str,
        into: &mut T,
        folder: &Path,
        faults: &mut Vec<Fault>,
    ) {
        if let Value::Members(at) = &self.value {
            if let Some(members) = section.section(key, faults) {
                let place = members.place();
                *at(into) = Some((members.rest(faults), place));
            }
            return;
        }
        let Some((node, place)) = section.take(key) else {
            if !self.required.is_empty() {
                faults
                    .push(section.place().fault(&section.at(key), &format!("is missing: {}", self.required)));
            }
            return;
        };
        self.clear(into);
        let items = if self.is_list() { several(node, place) } else { vec![(node, place)] };
        for (node, place) in items {
            let set = match node.text() {
                Some(text) => self.set_one(into, text, place, folder),
                None => Err(format!(
                    "is {}, not {}",
                    node.kind(),
                    if self.is_list() { "a text".to_owned() } else { self.wanted() }
                )),
            };
            if let Err(wrong) = set {
                faults.push(place.fault(&section.at(key), &wrong));
            }
        }
    }

    /// What is set replaces what was.
    fn clear(&self, into: &mut T) {
        match &self.value {
            Value::Texts(at, _) | Value::Patterns(at) => at(into).clear(),
            Value::Networks(at) => at(into).clear(),
            Value::Words(at, _) => at(into).clear(),
            Value::Bool(_)
            | Value::Count(..)
            | Value::Number(..)
            | Value::Duration(..)
            | Value::Text(..)
            | Value::File(_)
            | Value::Secret(_)
            | Value::SecretFile(_)
            | Value::PasswordFile(_)
            | Value::Choice(..)
            | Value::Word(..)
            | Value::Members(_) => {}
        }
    }

    fn set_one(&self, into: &mut T, text: &str, place: Place, folder: &Path) -> Result<(), String> {
        let wrong = || format!("is not {}", self.wanted());
        match &self.value {
            Value::Bool(at) => *at(into) = truth(text).ok_or_else(wrong)?,
            Value::Count(at, range) => {
                *at(into) = text.parse().ok().filter(|count| range.contains(count)).ok_or_else(wrong)?;
            }
            Value::Number(at, range) => {
                *at(into) = text.parse().ok().filter(|number| range.contains(number)).ok_or_else(wrong)?;
            }
            Value::Duration(at, least) => {
                let duration = humantime::parse_duration(text).map_err(|_| wrong())?;
                if duration < *least {
                    return Err(format!("is less than {}", humantime::format_duration(*least)));
                }
                *at(into) = duration;
            }
            Value::Text(at, check) => {
                check(text)?;
                text.clone_into(at(into));
            }
            Value::Texts(at, check) => {
                check(text)?;
                at(into).push(text.to_owned());
            }
            Value::File(at) => *at(into) = (!text.is_empty()).then(|| folder.join(text)),
            Value::Patterns(at) => {
                if text.is_empty() || glob::Pattern::new(text).is_err() {
                    return Err(wrong());
                }
                let folder = glob::Pattern::escape(&folder.to_string_lossy());
                at(into).push(Path::new(&folder).join(text).to_string_lossy().into_owned());
            }
            Value::Networks(at) => at(into).push(network(text).ok_or_else(wrong)?),
            Value::Secret(at) => *at(into) = Some(Secret::new(text)?),
            Value::SecretFile(at) => {
                let file = folder.join(text);
                let secret = secret_in(&file)?;
                let secret = Secret::new(&secret).map_err(|wrong| format!("{}: {wrong}", file.display()))?;
                *at(into) = Some(secret);
            }
            Value::PasswordFile(at) => *at(into) = Some(secret_in(&folder.join(text))?),
            Value::Choice(names, set, _) => {
                if !names.iter().any(|(name, _)| *name == text) {
                    return Err(wrong());
                }
                set(into, text);
            }
            Value::Word(at, _) => *at(into) = Some((text.to_owned(), place)),
            Value::Words(at, _) => at(into).push((text.to_owned(), place)),
            Value::Members(_) => return Err(wrong()),
        }
        Ok(())
    }
}

/// Reads all members of a section that `keys` have a path to.
pub fn read<T>(section: &mut Section, keys: &[Key<T>], into: &mut T, folder: &Path, faults: &mut Vec<Fault>) {
    let keys: Vec<_> = keys.iter().filter(|key| !key.path.is_empty()).map(|key| (key.path, key)).collect();
    read_below(section, &keys, into, folder, faults);
}

/// `keys` are beside the rest of their path from the section.
fn read_below<T>(
    section: &mut Section,
    keys: &[(&'static str, &Key<T>)],
    into: &mut T,
    folder: &Path,
    faults: &mut Vec<Fault>,
) {
    for same in keys.chunk_by(|(one, _), (other, _)| {
        one.split_once('.')
            .is_some_and(|(first, _)| other.split_once('.').is_some_and(|(same, _)| same == first))
    }) {
        let below: Vec<_> =
            same.iter().filter_map(|(path, key)| Some((path.split_once('.')?, *key))).collect();
        let Some(((first, _), _)) = below.first() else {
            for (path, key) in same {
                key.read(section, path, into, folder, faults);
            }
            continue;
        };
        if let Some(mut inner) = section.section(first, faults) {
            let below: Vec<_> = below.iter().map(|((_, rest), key)| (*rest, *key)).collect();
            read_below(&mut inner, &below, into, folder, faults);
            inner.finish(faults);
        }
    }
}

/// The secret that a file holds: all of it but the end of its line.
fn secret_in(file: &Path) -> Result<String, String> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
        Err(error) => Err(format!("{} cannot be read: {error}", file.display())),
    }
}

/// True or false, in the spellings of YAML 1.1 and 1.2.
fn truth(text: &str) -> Option<bool> {
    let is = |spellings: [&str; 3]| spellings.iter().any(|spelling| spelling.eq_ignore_ascii_case(text));
    is(["true", "yes", "on"]).then_some(true).or(is(["false", "no", "off"]).then_some(false))
}
