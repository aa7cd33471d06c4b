//! `ingest` of the configuration: where events are posted, and who may.

use super::document::{Fault, Place, Section};
use super::{Pipeline, check_address, secret_in};
use crate::auth::{Secret, network};

/// Reads the section `ingest`.
pub(super) fn read(mut section: Section, into: &mut Pipeline, faults: &mut Vec<Fault>) {
    section.texts("listen_address", check_address, &mut into.listen, faults);
    if let Some((file, place)) = section.word("secret_file", faults) {
        into.guard.secret = secret(&file, place, faults);
    }
    for (text, place) in section.words("allow", faults) {
        match network(&text) {
            Some(net) => into.guard.allow.push(net),
            None => {
                faults.push(place.fault("ingest.allow", "is not an address or network such as 10.0.0.0/8"))
            }
        }
    }
    section.finish(faults);
}

fn secret(file: &str, place: Place, faults: &mut Vec<Fault>) -> Option<Secret> {
    let secret = secret_in(file)
        .and_then(|text| Secret::new(&text).map_err(|wrong| format!("{file}: what it holds {wrong}")));
    secret.map_err(|wrong| faults.push(place.fault("ingest.secret_file", &wrong))).ok()
}
