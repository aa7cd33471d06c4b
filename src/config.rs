//! The configuration file, flags and environment variables to [`Config`], with every fault reported at once, each with
//! its place and a remedy.

pub mod document;
pub mod key;
pub mod keys;
mod rules;
mod servers;
mod values;
pub mod web;

use std::collections::BTreeSet;
use std::path::Path;

use document::Section;
use keys::{KEYS, RULE_KEYS, SERVER_KEYS};

pub use values::{Config, Ingest, LogFormat, LogLevel, Origin, Override, Overrides, Remote, Source};

/// Every fault of a configuration.
#[derive(Debug, thiserror::Error)]
#[error("{}", list(.0))]
pub struct Faults(pub Vec<String>);

fn list(faults: &[String]) -> String {
    let count = if faults.len() == 1 { "1 fault".to_owned() } else { format!("{} faults", faults.len()) };
    let lines: Vec<String> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
    format!("the configuration has {count}:{}", lines.concat())
}

impl Config {
    /// Reads the file, if there is one, lets flags and variables override it, and checks the web configuration too.
    pub fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Self, Faults> {
        let (config, mut faults) = Self::read_all(file, overrides);
        let web = config.web_file.as_deref().and_then(|path| web::load(path).1.err());
        faults.extend(web.unwrap_or_default());
        if faults.is_empty() { Ok(config) } else { Err(Faults(faults)) }
    }

    /// Reads it again from where it was read, without the web configuration, which is read on its own.
    pub fn load_again(&self) -> Result<Self, Faults> {
        let (config, faults) = Self::read_all(self.origin.file.as_deref(), &self.origin.overrides);
        if faults.is_empty() { Ok(config) } else { Err(Faults(faults)) }
    }

    fn read_all(file: Option<&Path>, overrides: &Overrides) -> (Self, Vec<String>) {
        let mut config = Self::default();
        let mut faults = Vec::new();
        if let Some(path) = file {
            let folder = path.parent().unwrap_or(Path::new(""));
            faults.extend(document::load(path, |root| config.read(root, folder)));
        }
        for key in KEYS.iter().filter(|key| !key.variable.is_empty()) {
            let given = overrides.0.iter().find(|given| given.flag == key.flag);
            let (name, texts) = match given {
                Some(given) if given.is_variable => {
                    (format!("--{} ({})", key.flag, key.variable), given.texts.clone())
                }
                Some(given) => (format!("--{}", key.flag), given.texts.clone()),
                // Without a flag, since other programs can read those.
                None if key.flag.is_empty() => {
                    let text = std::env::var_os(key.variable).filter(|text| !text.is_empty());
                    let text = text.map(|text| text.to_string_lossy().into_owned());
                    (key.variable.to_owned(), text.into_iter().collect())
                }
                None => continue,
            };
            faults.extend(key.set(&mut config, &texts).iter().map(|wrong| format!("{name}: {wrong}")));
        }
        if !config.files.is_empty() {
            if config.servers.len() > 1 {
                faults.push(
                    "--events.file: several servers are configured: name the files in servers[].files"
                        .to_owned(),
                );
            }
            let source = Source { server: None, patterns: config.files.clone(), format: config.format };
            config.sources = vec![source];
        } else if config.format.is_some() {
            faults.push("--events.format: needs --events.file".to_owned());
        }
        // An address that is at fault leaves the list empty too.
        if faults.is_empty() && config.listen.is_empty() {
            faults.push(
                "web.listen_address is an empty list: name at least one HOST:PORT, or leave the key out"
                    .to_owned(),
            );
        }
        config.origin = Origin { file: file.map(Path::to_owned), overrides: overrides.clone() };
        (config, faults)
    }

    /// Takes over what a document says. Names of files are relative to `folder`.
    fn read(&mut self, root: &mut Section, folder: &Path) {
        root.drop_extensions();
        key::read(root, KEYS, self, folder);
        for mut section in root.sections("servers") {
            let mut draft = servers::Draft::default();
            key::read(&mut section, SERVER_KEYS, &mut draft, folder);
            section.finish();
            servers::add(draft, &section, self);
        }
        let mut names = BTreeSet::new();
        for mut section in root.sections("rules") {
            let mut draft = rules::Draft::default();
            key::read(&mut section, RULE_KEYS, &mut draft, folder);
            section.finish();
            if !draft.name.is_empty() && !names.insert(draft.name.clone()) {
                section.fault("name", "is used twice: names must differ");
            }
            self.rules.extend(rules::check(draft, &section, self));
        }
    }

    /// The keys that `other` sets otherwise and that only a restart puts in force.
    pub fn frozen_changes(&self, other: &Self) -> Vec<&'static str> {
        let (mut one, mut two) = (self.clone(), other.clone());
        let differs = |key: &&key::ConfigKey<Self>| !key.reload && key.show(&mut one) != key.show(&mut two);
        let mut changed: Vec<_> = KEYS.iter().filter(differs).map(|key| key.path).collect();
        let differ = self.servers != other.servers
            || self.sources != other.sources
            || self.apis != other.apis
            || self.server_folders != other.server_folders;
        if differ {
            changed.push("servers");
        }
        changed
    }
}
