//! Refuses requests that a web page of another site makes through the browser of someone who can reach the exporter.
//!
//! Other clients, such as Prometheus, send none of the headers that are examined here.

use axum::http::{HeaderMap, HeaderName, Method, header};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Whether a page of another site made this request. Links to the exporter's pages are followed.
pub(super) fn is_of_other_site(method: &Method, headers: &HeaderMap) -> bool {
    match text(headers, SEC_FETCH_SITE) {
        Some("same-origin" | "none") => false,
        Some(_) => {
            let link = text(headers, SEC_FETCH_MODE) == Some("navigate")
                && text(headers, SEC_FETCH_DEST) == Some("document");
            !(link && matches!(*method, Method::GET | Method::HEAD))
        }
        // Browsers send it over TLS and to loopback only.
        None => headers.get(header::ORIGIN).is_some_and(|origin| {
            let host = headers.get(header::HOST).map_or(&b""[..], |host| host.as_bytes());
            let of = |scheme: &[u8]| origin.as_bytes().strip_prefix(scheme);
            !of(b"http://")
                .or_else(|| of(b"https://"))
                .is_some_and(|origin| origin.eq_ignore_ascii_case(host))
        }),
    }
}

/// Whether a browser sent this request to a name that is neither one of `names` nor one that only the local network can
/// define.
pub(super) fn is_of_foreign_name(headers: &HeaderMap, names: &[String]) -> bool {
    let is_browser = [header::ACCEPT_LANGUAGE, header::ORIGIN, SEC_FETCH_SITE]
        .iter()
        .any(|name| headers.contains_key(name));
    let host = text(headers, header::HOST).unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    is_browser && !is_own(name.strip_suffix('.').unwrap_or(name), names)
}

fn is_own(name: &str, names: &[String]) -> bool {
    let is_address = name.starts_with('[') || name.parse::<std::net::Ipv4Addr>().is_ok();
    let is_local = !name.contains('.') || name.to_ascii_lowercase().ends_with(".localhost");
    is_address || is_local || names.iter().any(|own| own.eq_ignore_ascii_case(name))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let parse = |(name, value): &(&str, &str)| {
            (HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap())
        };
        lines.iter().map(parse).collect()
    }

    #[test]
    fn a_page_of_another_site_may_only_link_here() {
        let link = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        let site = |site| ("sec-fetch-site", site);
        let host = ("host", "ems:9144");
        for (method, lines, refused) in [
            (Method::GET, vec![], false),
            (Method::POST, vec![host], false),
            (Method::GET, vec![site("none"), link[0], link[1]], false),
            (Method::GET, vec![site("same-origin")], false),
            (Method::POST, vec![site("same-origin"), ("origin", "https://proxy"), host], false),
            (Method::GET, vec![site("cross-site"), link[0], link[1]], false),
            (Method::POST, vec![site("cross-site"), link[0], link[1]], true),
            (Method::GET, vec![site("cross-site"), link[0], ("sec-fetch-dest", "iframe")], true),
            (Method::GET, vec![site("cross-site"), ("sec-fetch-mode", "no-cors")], true),
            (Method::GET, vec![site("same-site"), ("sec-fetch-mode", "cors")], true),
            (Method::POST, vec![("origin", "http://ems:9144"), host], false),
            (Method::POST, vec![("origin", "https://EMS:9144"), host], false),
            (Method::POST, vec![("origin", "http://evil.example"), host], true),
            (Method::POST, vec![("origin", "null"), host], true),
            (Method::POST, vec![("origin", "http://ems"), host], true),
        ] {
            assert_eq!(is_of_other_site(&method, &headers(&lines)), refused, "{method} {lines:?}");
        }
    }

    #[test]
    fn a_browser_reaches_the_exporter_by_its_own_names_only() {
        let names = ["ems.example.com".to_owned()];
        for (host, foreign) in [
            ("127.0.0.1:9144", false),
            ("[::1]:9144", false),
            ("[fe80::1]", false),
            ("localhost:9144", false),
            ("a.localhost", false),
            ("ems-exporter:9144", false),
            ("EMS.example.com", false),
            ("ems.example.com.:9144", false),
            ("evil.example:9144", true),
            ("ems.example.com.evil.example", true),
            ("127.0.0.1.evil.example", true),
            ("1.2.3.4.5", true),
        ] {
            let by = |more: (&str, &str)| is_of_foreign_name(&headers(&[("host", host), more]), &names);
            assert_eq!(by(("accept-language", "")), foreign, "{host}");
            assert_eq!(by(("sec-fetch-site", "same-origin")), foreign, "{host}");
            assert!(!by(("user-agent", "Prometheus/3.0")), "{host}");
        }
    }
}
