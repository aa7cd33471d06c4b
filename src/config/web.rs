//! The file of `--web.config.file`, in the format of Prometheus' exporter-toolkit.
//!
//! An unsupported option is an error, never silently ignored.

use std::collections::BTreeMap;
use std::path::Path;

use axum::http::{HeaderName, HeaderValue};

use super::document::{Fault, Place, Plain, Section};
use crate::web::tls::{self, CURVES, Clients, Member, Wanted};
use crate::web::users::{self, Users};
use crate::web::{Files, Setup};

/// The headers that may be set, and the values they may have where not any will do.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Content-Security-Policy", &[]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-XSS-Protection", &[]),
    ("Strict-Transport-Security", &[]),
];

/// Reads the file, and those that it names. The result lists all of them, so that a later correction is noticed.
pub fn load(path: &Path) -> (Files, Result<Setup, Vec<String>>) {
    let mut reading = Reading {
        folder: path.parent().unwrap_or(Path::new("")),
        files: Files::default(),
        faults: Vec::new(),
    };
    reading.files.record(path.to_owned());
    let setup = match std::fs::read_to_string(path) {
        Ok(text) => reading.document(&text),
        Err(error) => {
            let fault = format!("{}: cannot be read: {error}", path.display());
            return (reading.files, Err(vec![fault]));
        }
    };
    let faults: Vec<String> =
        reading.faults.iter().map(|fault| format!("{}:{fault}", path.display())).collect();
    (reading.files, if faults.is_empty() { Ok(setup) } else { Err(faults) })
}

struct Reading<'p> {
    /// Names of files are relative to it.
    folder: &'p Path,
    files: Files,
    faults: Vec<Fault>,
}

impl Reading<'_> {
    fn document(&mut self, text: &str) -> Setup {
        let mut setup = Setup::default();
        let Some(mut root) = Section::root(text, &mut self.faults) else {
            return setup;
        };
        if let Some(tls) = root.section("tls_server_config", &mut self.faults) {
            self.tls(tls, &mut setup);
        }
        if let Some(mut http) = root.section("http_server_config", &mut self.faults) {
            // Clients negotiate HTTP/1.1 whatever it says.
            http.truth("http2", &mut false, &mut self.faults);
            if let Some(headers) = http.section("headers", &mut self.faults) {
                self.headers(headers, &mut setup);
            }
            http.finish(&mut self.faults);
        }
        if let Some(users) = root.section("basic_auth_users", &mut self.faults) {
            self.users(users, &mut setup);
        }
        if let Some(limit) = root.section("rate_limit", &mut self.faults) {
            let wrong = "is not supported: the exporter has limits of its own on connections and requests";
            self.faults.push(limit.place().fault("rate_limit", wrong));
        }
        root.finish(&mut self.faults);
        setup
    }

    fn tls(&mut self, mut section: Section, setup: &mut Setup) {
        let (place, before) = (section.place(), self.faults.len());
        let mut wanted = Wanted::default();
        let certificate = self.pem(&mut section, ("cert", "cert_file"), &mut wanted.certificate);
        let key = self.pem(&mut section, ("key", "key_file"), &mut wanted.key);
        let authority = self.pem(&mut section, ("client_ca", "client_ca_file"), &mut wanted.client_authority);
        let clients = section.word("client_auth_type", &mut self.faults);
        if let Some((name, place)) = &clients {
            match clients_of(name) {
                Ok(clients) => wanted.clients = clients,
                Err(wrong) => self.faults.push(place.fault("tls_server_config.client_auth_type", wrong)),
            }
        }
        self.versions(&mut section, &mut wanted);
        let known = tls::suites();
        let suites = section.words("cipher_suites", &mut self.faults);
        wanted.suites = self.among("tls_server_config.cipher_suites", suites, &known);
        let curves = section.words("curve_preferences", &mut self.faults);
        wanted.curves =
            self.among("tls_server_config.curve_preferences", curves, &CURVES.map(|(name, _)| name));
        let mut own_order = true;
        section.truth("prefer_server_cipher_suites", &mut own_order, &mut self.faults);
        wanted.clients_order = !own_order;
        if let Some((_, place)) = section.words("client_allowed_sans", &mut self.faults).first() {
            let wrong = "is not supported: use a client CA that signs only allowed clients";
            self.faults.push(place.fault("tls_server_config.client_allowed_sans", wrong));
        }
        section.finish(&mut self.faults);
        if certificate.is_none() && key.is_none() && authority.is_none() && clients.is_none() {
            // As with the toolkit, none of these turns on TLS.
            return;
        }
        for (given, name) in [(&certificate, "cert_file"), (&key, "key_file")] {
            if given.is_none() {
                self.faults
                    .push(place.fault(&format!("tls_server_config.{name}"), "is missing: TLS needs it"));
            }
        }
        if wanted.clients == Clients::Anonymous && authority.is_some() && clients_are_known(&clients) {
            let wrong = "is of no use without client_auth_type: RequireAndVerifyClientCert";
            self.faults.push(place.fault("tls_server_config.client_ca_file", wrong));
        }
        if wanted.clients != Clients::Anonymous && authority.is_none() {
            let wrong = "is missing: it verifies certificates of clients";
            self.faults.push(place.fault("tls_server_config.client_ca_file", wrong));
        }
        if self.faults.len() > before {
            return;
        }
        match tls::configure(&wanted) {
            Ok(config) => setup.tls = Some(config),
            Err((member, wrong)) => {
                let (key, given) = match member {
                    Member::Certificate => ("cert_file", &certificate),
                    Member::Key => ("key_file", &key),
                    Member::ClientAuthority => ("client_ca_file", &authority),
                };
                let place = given.unwrap_or(place);
                self.faults.push(
                    place.fault(&format!("tls_server_config.{key}"), &format!("cannot be used: {wrong}")),
                );
            }
        }
        setup.knows_clients = wanted.clients == Clients::Verified;
    }

    /// Reads a value that is given in place or in a file, and returns its place.
    fn pem(
        &mut self,
        section: &mut Section,
        (text, file): (&'static str, &'static str),
        into: &mut Vec<u8>,
    ) -> Option<Place> {
        let given = section.word(text, &mut self.faults).filter(|(text, _)| !text.is_empty());
        let named = section.word(file, &mut self.faults).filter(|(name, _)| !name.is_empty());
        if let (Some(_), Some((_, place))) = (&given, &named) {
            self.faults.push(
                place.fault(
                    &format!("tls_server_config.{file}"),
                    &format!("excludes {text}: give one of them"),
                ),
            );
        }
        if let Some((name, place)) = named {
            let path = self.folder.join(name);
            self.files.record(path.clone());
            match std::fs::read(&path) {
                Ok(read) => *into = read,
                Err(error) => {
                    let wrong = format!("{} cannot be read: {error}", path.display());
                    self.faults.push(place.fault(&format!("tls_server_config.{file}"), &wrong));
                }
            }
            return Some(place);
        }
        let (text, place) = given?;
        *into = text.into_bytes();
        Some(place)
    }

    fn versions(&mut self, section: &mut Section, wanted: &mut Wanted) {
        let mut version = |key, otherwise| {
            let Some((name, place)) = section.word(key, &mut self.faults) else {
                return otherwise;
            };
            let wrong = match name.as_str() {
                "TLS12" => return 12,
                "TLS13" => return 13,
                "TLS10" | "TLS11" => "is obsolete: use TLS12 or TLS13",
                _ => "is not TLS12 or TLS13",
            };
            self.faults.push(place.fault(&format!("tls_server_config.{key}"), wrong));
            otherwise
        };
        let (least, most) = (version("min_version", 12), version("max_version", 13));
        (wanted.tls12, wanted.tls13) = (least == 12, most == 13);
        if least > most {
            let wrong = "is above max_version";
            self.faults.push(section.place().fault("tls_server_config.min_version", wrong));
        }
    }

    fn among(&mut self, path: &str, words: Vec<(String, Place)>, known: &[&str]) -> Vec<String> {
        let check = |(word, place): (String, Place)| {
            if known.contains(&word.as_str()) {
                return Some(word);
            }
            self.faults.push(place.fault(path, &format!("is not one of {}", known.join(", "))));
            None
        };
        words.into_iter().filter_map(check).collect()
    }

    fn headers(&mut self, mut section: Section, setup: &mut Setup) {
        for (name, values) in HEADERS {
            let Some((value, place)) =
                section.word(name, &mut self.faults).filter(|(value, _)| !value.is_empty())
            else {
                continue;
            };
            let path = format!("http_server_config.headers.{name}");
            if !values.is_empty() && !values.iter().any(|known| known.eq_ignore_ascii_case(&value)) {
                self.faults.push(place.fault(&path, &format!("is not {}", values.join(" or "))));
                continue;
            }
            match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                (Ok(name), Ok(value)) => setup.headers.push((name, value)),
                (Ok(_) | Err(_), Ok(_) | Err(_)) => {
                    self.faults.push(place.fault(&path, "holds characters that a header must not hold"));
                }
            }
        }
        section.finish(&mut self.faults);
    }

    fn users(&mut self, section: Section, setup: &mut Setup) {
        let mut hashes = BTreeMap::new();
        for (name, hash, place) in section.rest(&mut self.faults) {
            let checked = match &hash {
                Plain::Text(hash) => users::check(hash),
                Plain::Number(_) | Plain::Truth(_) | Plain::List(_) => users::check(""),
            };
            let path = format!("basic_auth_users.{name}");
            match (checked, hash) {
                (Err(wrong), _) => self.faults.push(place.fault(&path, wrong)),
                (Ok(()), Plain::Text(hash)) => {
                    if hashes.insert(name, hash).is_some() {
                        self.faults.push(place.fault(&path, "is given twice"));
                    }
                }
                (Ok(()), Plain::Number(_) | Plain::Truth(_) | Plain::List(_)) => {}
            }
        }
        setup.users = (!hashes.is_empty()).then(|| Users::new(hashes).into());
    }
}

/// Whether `client_auth_type` is missing or valid: an invalid one has its own fault.
fn clients_are_known(clients: &Option<(String, Place)>) -> bool {
    clients.as_ref().is_none_or(|(name, _)| clients_of(name).is_ok())
}

fn clients_of(name: &str) -> Result<Clients, &'static str> {
    match name {
        "" | "NoClientCert" => Ok(Clients::Anonymous),
        "VerifyClientCertIfGiven" => Ok(Clients::VerifiedIfGiven),
        "RequireAndVerifyClientCert" => Ok(Clients::Verified),
        "RequestClientCert" | "RequireAnyClientCert" | "RequireClientCert" => {
            Err("is not supported: it accepts unverified certificates; use VerifyClientCertIfGiven or \
             RequireAndVerifyClientCert")
        }
        _ => Err("is not NoClientCert, VerifyClientCertIfGiven or RequireAndVerifyClientCert"),
    }
}
