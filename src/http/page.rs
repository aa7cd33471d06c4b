//! The live page: one file with its style and script, which loads nothing else.

use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::answers::held;
use super::state::App;
use super::write_timeout::Backpressure;
use crate::sink_config::rpc_sink;

/// The page, with placeholders.
const PAGE: &str = include_str!("../page/index.html");

/// The content security policy: the page may run its own script and query the exporter.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |element: &str| {
        let (start, end) = (format!("<{element}>"), format!("</{element}>"));
        let inside = PAGE.split_once(&start).and_then(|(_, rest)| rest.split_once(&end));
        STANDARD.encode(Sha256::digest(inside.map_or("", |(inside, _)| inside)))
    };
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash("script"),
        hash("style")
    )
});

/// Serves the live page.
pub(super) async fn page(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Arc<Backpressure>>,
    headers: HeaderMap,
) -> Response {
    let slot = match app.lists.admit(client).await {
        Ok(slot) => slot,
        Err(overloaded) => return overloaded,
    };
    let address = requested_address(&headers).unwrap_or_else(|| app.address.clone());
    let scheme = if app.web.load().tls.is_some() { "    scheme: https\n" } else { "" };
    let scrape = format!(
        "scrape_configs:\n  - job_name: ems\n{scheme}    metrics_path: {}\n    static_configs:\n      - targets: [\"{address}\"]\n",
        app.telemetry_path
    );
    let sink = sink(&app, &address);
    let values = [
        ("{{version}}", env!("CARGO_PKG_VERSION")),
        ("{{metrics}}", &app.telemetry_path),
        ("{{scrape}}", &scrape),
        ("{{sink}}", &sink),
    ];
    let page = values
        .iter()
        .fold(PAGE.to_owned(), |page, (placeholder, value)| page.replace(placeholder, &escaped(value)));
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    (headers, Body::from(held(page, &slot))).into_response()
}

/// The sink block for `config.lua`: for the first configured server, with the URLs of the others.
fn sink(app: &App, address: &str) -> String {
    let servers = app.pipeline.servers();
    let mut names = servers.iter().map(|server| &*server.name).filter(|_| app.pipeline.is_closed());
    let address = app.events_address.as_deref().unwrap_or(address);
    let secret = app.guard.load().secret.is_some();
    let mut sink = rpc_sink(address, names.next(), secret);
    for name in names {
        let query = if secret { "?secret=SECRET" } else { "" };
        sink += &format!("-- For {name}: url = \"http://{address}/events/{name}{query}\",\n");
    }
    sink
}

/// The address that the browser used, if it has the form of one.
fn requested_address(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    (!host.is_empty() && host.len() <= 255 && host.bytes().all(plain)).then(|| host.to_owned())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_one_script_and_one_style_which_the_policy_allows() {
        for element in ["<script", "</script>", "<style", "</style>"] {
            assert_eq!(PAGE.matches(element).count(), 1, "{element}");
        }
        for outside in
            ["src=", "url(", "@import", "innerHTML", "insertAdjacentHTML", "outerHTML", "style=\"", "onclick"]
        {
            assert!(!PAGE.contains(outside), "{outside}");
        }
        assert!(!POLICY.contains("unsafe"));
        assert!(!POLICY.contains("47DEQpj8HBSa"), "the hash of an empty text");
    }

    #[test]
    fn an_invalid_address_is_not_repeated() {
        let requested =
            |host: &str| requested_address(&HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]));
        assert_eq!(requested("cam.example:10777").as_deref(), Some("cam.example:10777"));
        assert_eq!(requested("[::1]:10777").as_deref(), Some("[::1]:10777"));
        assert_eq!(requested("a\"b"), None);
        assert_eq!(requested("<b>"), None);
    }
}
