//! The file of `--web.config.file`, in the format of Prometheus' exporter-toolkit.
//!
//! An unsupported option is an error, never silently ignored.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue};

use super::document::{self, Members, Section, shown};
use super::key::Value::{Bool, Many, ManyOf, Members as Any, One};
use super::key::{self, ConfigKey, key, one_of};
use crate::web::tls::{self, CURVES, Clients, Wanted};
use crate::web::users::{self, Users};
use crate::web::{Files, Setup};

/// The largest file of certificates or of a key, in bytes.
const LARGEST_FILE: u64 = 16 << 20;

/// What the file says.
#[derive(Default)]
struct Draft {
    tls: Wanted,
    headers: Vec<(HeaderName, HeaderValue)>,
    users: Option<Members>,
    http2: bool,
    rate_limit: Option<Members>,
    files: Files,
}

const TLS_KEYS: &[ConfigKey<Draft>] = &[
    web("tls_server_config.cert", One("a text", |d, text, _| given(&mut d.tls.certificate, text))),
    web(
        "tls_server_config.cert_file",
        One("a file name", |d, name, folder| read(&mut d.tls.certificate, name, folder, &mut d.files)),
    ),
    web("tls_server_config.key", One("a text", |d, text, _| given(&mut d.tls.key, text))),
    web(
        "tls_server_config.key_file",
        One("a file name", |d, name, folder| read(&mut d.tls.key, name, folder, &mut d.files)),
    ),
    web("tls_server_config.client_ca", One("a text", |d, text, _| given(&mut d.tls.authority, text))),
    web(
        "tls_server_config.client_ca_file",
        One("a file name", |d, name, folder| read(&mut d.tls.authority, name, folder, &mut d.files)),
    ),
    web(
        "tls_server_config.client_auth_type",
        One("a text", |d, name, _| clients(name).map(|clients| d.tls.clients = Some(clients))),
    ),
    web(
        "tls_server_config.min_version",
        One("a text", |d, name, _| is_tls13(name).map(|is| d.tls.tls13_only = is)),
    ),
    web(
        "tls_server_config.max_version",
        One("a text", |d, name, _| is_tls13(name).map(|is| d.tls.tls12_only = !is)),
    ),
    web(
        "tls_server_config.cipher_suites",
        ManyOf(tls::suites, |d, name, _| one_of(name, &tls::suites()).map(|suite| d.tls.suites.push(suite))),
    ),
    web(
        "tls_server_config.curve_preferences",
        ManyOf(curves, |d, name, _| one_of(name, &curves()).map(|curve| d.tls.curves.push(curve))),
    ),
    web("tls_server_config.prefer_server_cipher_suites", Bool(|d| d.tls.own_order.get_or_insert(true))),
    web(
        "tls_server_config.client_allowed_sans",
        Many("a list of texts", |_, name, _| {
            let wrong = "is not supported: use a client CA that signs only allowed clients";
            Err(format!("{} {wrong}", shown(name)))
        }),
    ),
];

const HTTP_KEYS: &[ConfigKey<Draft>] = &[
    // Clients negotiate HTTP/1.1 whatever it says.
    web("http_server_config.http2", Bool(|d| &mut d.http2)),
    web(
        "http_server_config.headers.Content-Security-Policy",
        One("a text", |d, text, _| header(d, "content-security-policy", text, &[])),
    ),
    web(
        "http_server_config.headers.X-Frame-Options",
        One("a text", |d, text, _| header(d, "x-frame-options", text, &["deny", "sameorigin"])),
    ),
    web(
        "http_server_config.headers.X-Content-Type-Options",
        One("a text", |d, text, _| header(d, "x-content-type-options", text, &["nosniff"])),
    ),
    web(
        "http_server_config.headers.X-XSS-Protection",
        One("a text", |d, text, _| header(d, "x-xss-protection", text, &[])),
    ),
    web(
        "http_server_config.headers.Strict-Transport-Security",
        One("a text", |d, text, _| header(d, "strict-transport-security", text, &[])),
    ),
    web("basic_auth_users", Any(|d| &mut d.users)),
    web("rate_limit", Any(|d| &mut d.rate_limit)),
];

const fn web(path: &'static str, value: key::Value<Draft>) -> ConfigKey<Draft> {
    key(path, value, "")
}

/// Reads the file, and those that it names. The result lists all of them, so that a later correction is noticed.
pub fn load(path: &Path) -> (Files, Result<Setup, Vec<String>>) {
    let (mut draft, mut setup) = (Draft::default(), Setup::default());
    draft.files.record(path.to_owned());
    let faults = document::load(path, |root| {
        let folder = path.parent().unwrap_or(Path::new(""));
        key::read(root, TLS_KEYS, &mut draft, folder);
        check_tls(&draft.tls, root, &mut setup);
        key::read(root, HTTP_KEYS, &mut draft, folder);
        if root.has("rate_limit") {
            let wrong = "is not supported: the exporter has limits of its own on connections and requests";
            root.fault("rate_limit", wrong);
        }
        setup.headers = std::mem::take(&mut draft.headers);
        setup.users = check_users(draft.users.take().unwrap_or_default(), root);
    });
    (draft.files, if faults.is_empty() { Ok(setup) } else { Err(faults) })
}

fn check_tls(wanted: &Wanted, root: &Section, setup: &mut Setup) {
    const AUTHORITY: &str = "tls_server_config.client_ca_file";
    let before = root.faults();
    let Wanted { certificate, key, authority, .. } = wanted;
    let has_type = root.has("tls_server_config.client_auth_type");
    if certificate.is_none() && key.is_none() && authority.is_none() && !has_type {
        // As with the toolkit, none of these turns on TLS.
        return;
    }
    for (pem, key) in [(certificate, "tls_server_config.cert_file"), (key, "tls_server_config.key_file")] {
        if pem.is_none() {
            root.fault(key, "is missing: TLS needs it");
        }
    }
    let verifies = wanted.clients.unwrap_or_default() != Clients::Anonymous;
    if verifies && authority.is_none() {
        root.fault(AUTHORITY, "is missing: it verifies certificates of clients");
    }
    // A type that is wrong has its own fault.
    if !verifies && authority.is_some() && (wanted.clients.is_some() || !has_type) {
        root.fault(AUTHORITY, "is of no use without client_auth_type: RequireAndVerifyClientCert");
    }
    if wanted.tls12_only && wanted.tls13_only {
        root.fault("tls_server_config.min_version", "is above max_version");
    }
    if before > 0 || root.faults() > before {
        return;
    }
    match tls::configure(wanted) {
        Ok(config) => setup.tls = Some(config),
        Err((pem, wrong)) => {
            let (file, text) = (format!("tls_server_config.{pem}_file"), format!("tls_server_config.{pem}"));
            let key = if root.has(&text) { text } else { file };
            root.fault(&key, &format!("cannot be used: {wrong}"));
        }
    }
    setup.knows_clients = wanted.clients == Some(Clients::Verified);
}

fn check_users(members: Members, root: &Section) -> Option<Arc<Users>> {
    let mut hashes = BTreeMap::new();
    for (name, hash) in members {
        let text = hash.value.text().unwrap_or_default();
        let wrong = match users::check(text) {
            Ok(()) if hashes.insert(name.value.clone(), text.to_owned()).is_none() => continue,
            Ok(()) => "is given twice",
            Err(wrong) => wrong,
        };
        root.fault_at(
            name.referenced,
            &format!("basic_auth_users.{}", shown(&name.value)),
            &format!(" {wrong}"),
        );
    }
    (!hashes.is_empty()).then(|| Users::new(hashes).into())
}

/// Sets a value that stands in the file itself; an empty text is none.
fn given(into: &mut Option<Vec<u8>>, text: &str) -> Result<(), String> {
    if !text.is_empty() {
        *into = Some(text.as_bytes().to_vec());
    }
    Ok(())
}

/// Sets a value from a file; an empty name is none.
fn read(into: &mut Option<Vec<u8>>, name: &str, folder: &Path, files: &mut Files) -> Result<(), String> {
    if name.is_empty() {
        return Ok(());
    }
    let path = folder.join(name);
    files.record(path.clone());
    if into.replace(Vec::new()).is_some() {
        return Err(format!("{} cannot be used beside the text in this file: give one of them", shown(name)));
    }
    let bytes = ems_tail::regular::read(&path, LARGEST_FILE)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    *into = Some(bytes);
    Ok(())
}

fn clients(name: &str) -> Result<Clients, String> {
    let wrong = match name {
        "" | "NoClientCert" => return Ok(Clients::Anonymous),
        "VerifyClientCertIfGiven" => return Ok(Clients::VerifiedIfGiven),
        "RequireAndVerifyClientCert" => return Ok(Clients::Verified),
        "RequestClientCert" | "RequireAnyClientCert" | "RequireClientCert" => {
            "is not supported: it accepts unverified certificates; use VerifyClientCertIfGiven or \
             RequireAndVerifyClientCert"
        }
        _ => "is not NoClientCert, VerifyClientCertIfGiven or RequireAndVerifyClientCert",
    };
    Err(format!("{} {wrong}", shown(name)))
}

fn curves() -> Vec<&'static str> {
    CURVES.map(|(name, _)| name).to_vec()
}

fn is_tls13(name: &str) -> Result<bool, String> {
    let wrong = match name {
        "TLS12" => return Ok(false),
        "TLS13" => return Ok(true),
        "TLS10" | "TLS11" => "is obsolete: use TLS12 or TLS13",
        _ => "is not TLS12 or TLS13",
    };
    Err(format!("{} {wrong}", shown(name)))
}

/// Sets a header, which must have one of the values if there are any; an empty text sets none.
fn header(draft: &mut Draft, name: &'static str, text: &str, values: &[&str]) -> Result<(), String> {
    if text.is_empty() {
        return Ok(());
    }
    if !values.is_empty() && !values.iter().any(|known| known.eq_ignore_ascii_case(text)) {
        return Err(format!("{} is not {}", shown(text), values.join(" or ")));
    }
    let wrong = |_| format!("{} holds characters that a header must not hold", shown(text));
    let value = HeaderValue::try_from(text).map_err(wrong)?;
    draft.headers.push((HeaderName::from_static(name), value));
    Ok(())
}
