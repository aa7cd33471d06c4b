//! What each path answers.

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post as posted};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::intake::Intake;
use super::{api, events, feed, page as live_page};
use crate::actions::Actions;
use crate::api::live::Live;
use crate::exposition::Style;
use crate::files::Files;
use crate::guard::Guard;
use crate::ingest::Ingest;
use crate::metrics::{self, Own, Selection, Sources};
use crate::moment::Moment;
use crate::reconcile::Reconciler;
use crate::reload::Reloader;
use crate::web::Setup;

/// What the routes work with.
#[derive(Debug)]
pub struct App {
    /// The road.
    pub ingest: Arc<Ingest>,
    /// The event files that are followed, by server.
    pub files: Vec<Arc<Files>>,
    /// The reconciliations of servers whose runtime API is configured.
    pub reconcilers: Vec<Arc<Reconciler>>,
    /// What rules have done, where there are any.
    pub actions: Option<Arc<Actions>>,
    /// Metrics about ourselves.
    pub own: Arc<Own>,
    /// What the live page shows.
    pub live: Live,
    /// Where we listen, for whoever does not say how it found us.
    pub address: String,
    /// Where we listen for events, if that is somewhere else.
    pub events_address: Option<String>,
    /// The path of the metrics page.
    pub telemetry_path: String,
    /// The room for bodies of events.
    pub intake: Intake,
    /// How our own pages are served.
    pub web: Arc<ArcSwap<Setup>>,
    /// Who may do what.
    pub guard: Arc<ArcSwap<Guard>>,
    /// What reads configuration files again.
    pub reloader: Arc<Reloader>,
    /// Whether it may be asked to over HTTP.
    pub lifecycle: bool,
}

impl App {
    /// All that can be told of.
    pub fn sources(&self) -> Sources<'_> {
        Sources {
            ingest: &self.ingest,
            files: &self.files,
            reconcilers: &self.reconcilers,
            actions: self.actions.as_deref(),
            own: &self.own,
        }
    }

    /// Why the exporter cannot do its work yet: it is ready once it listens and has caught up with
    /// its event files.
    pub fn unready(&self) -> Vec<String> {
        self.files.iter().filter_map(|files| files.unready()).collect()
    }
}

/// All routes but those of events, which never come as far: see `events.rs`.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(live_page::page))
        .route("/events", any(only_post))
        .route("/events/{server}", any(only_post))
        .route(&app.telemetry_path.clone(), get(telemetry))
        .route("/-/healthy", get(|| async { "ok\n" }))
        .route("/-/ready", get(ready))
        .merge(api::routes())
        .route("/api/v1/feed", get(feed::feed))
        .route("/-/reload", posted(reload))
        .fallback(unknown)
        .with_state(app)
}

pub(super) fn sentence(status: StatusCode, text: &str) -> Response {
    (status, format!("{text}\n")).into_response()
}

/// The metrics page. It is written on a thread of its own: a page of many thousand series takes
/// longer than events may wait.
async fn telemetry(State(app): State<Arc<App>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let selection = match Selection::parse(&query.unwrap_or_default(), &app.own) {
        Ok(selection) => selection,
        Err(unknown) => return sentence(StatusCode::BAD_REQUEST, &unknown.to_string()),
    };
    let (style, gzip) = (wanted_style(&headers), accepts_gzip(&headers));
    let written =
        tokio::task::spawn_blocking(move || metrics_page(&app, &selection, style, gzip, Moment::now())).await;
    let Ok(body) = written else {
        return sentence(StatusCode::INTERNAL_SERVER_ERROR, "the metrics page could not be written");
    };
    let mut response = Body::from(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(style.content_type()));
    headers.insert(header::VARY, HeaderValue::from_static("accept, accept-encoding"));
    if gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// Writes the metrics page as it is sent. Compression is the larger part of the work; level 1
/// takes a seventh of the time of level 6.
pub fn page(app: &App, style: Style, gzip: bool, now: Moment) -> Vec<u8> {
    metrics_page(app, &Selection::default(), style, gzip, now)
}

fn metrics_page(app: &App, selection: &Selection, style: Style, gzip: bool, now: Moment) -> Vec<u8> {
    let start = Instant::now();
    let mut plain = Vec::new();
    let mut encoder = gzip.then(|| GzEncoder::new(Vec::new(), Compression::fast()));
    let samples =
        metrics::render_selected(app.sources(), selection, style, now, &mut |bytes| match &mut encoder {
            None => plain.extend_from_slice(bytes),
            Some(encoder) => {
                if let Err(error) = encoder.write_all(bytes) {
                    tracing::error!("cannot compress the metrics page: {error}");
                }
            }
        });
    let body = match encoder {
        None => plain,
        Some(encoder) => encoder.finish().unwrap_or_default(),
    };
    app.own.page_samples.set(i64::try_from(samples).unwrap_or(i64::MAX));
    app.own.page_seconds.set(start.elapsed().as_secs_f64());
    body
}

/// The style that a scraper prefers: OpenMetrics if it asks for it and ranks it no lower.
fn wanted_style(headers: &HeaderMap) -> Style {
    let quality = |media: &str| ranked(headers, &header::ACCEPT, |name| name.eq_ignore_ascii_case(media));
    let open = quality("application/openmetrics-text");
    let plain = quality("text/plain").or(quality("*/*"));
    match (open, plain) {
        (Some(open), plain) if open > 0.0 && plain.is_none_or(|plain| open >= plain) => Style::OpenMetrics,
        _ => Style::Prometheus,
    }
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let gzip = ranked(headers, &header::ACCEPT_ENCODING, |name| name.eq_ignore_ascii_case("gzip"));
    gzip.is_some_and(|quality| quality > 0.0)
}

/// The quality that a list header gives to the first entry that `is` picks.
fn ranked(headers: &HeaderMap, name: &HeaderName, is: impl Fn(&str) -> bool) -> Option<f32> {
    let entries = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    entries.map(|entry| entry.split(';').map(str::trim)).find_map(|mut parts| {
        is(parts.next()?).then(|| {
            let quality = parts.find_map(|part| part.strip_prefix("q="));
            quality.and_then(|quality| quality.parse().ok()).unwrap_or(1.0)
        })
    })
}

/// Whether the exporter can do its work, and why not where it cannot.
async fn ready(State(app): State<Arc<App>>) -> Response {
    let reasons = app.unready();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::json!({ "ready": reasons.is_empty(), "reasons": reasons }).to_string();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Reads configuration files again, for those who may ask for it.
async fn reload(State(app): State<Arc<App>>) -> Response {
    if !app.lifecycle {
        return sentence(
            StatusCode::FORBIDDEN,
            "reloading over HTTP is off: --web.enable-lifecycle turns it on",
        );
    }
    match app.reloader.reload().await {
        Ok(done) => sentence(StatusCode::OK, &done),
        Err(wrong) => sentence(StatusCode::INTERNAL_SERVER_ERROR, &wrong),
    }
}

async fn only_post() -> Response {
    let mut response = sentence(StatusCode::METHOD_NOT_ALLOWED, "events are sent by POST");
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    response
}

/// Says where things are. The path is repeated only where it cannot hold a secret: a sink may have been given a URL that
/// is wrong in another place.
async fn unknown(State(app): State<Arc<App>>, method: Method, uri: Uri) -> Response {
    let hint = if method == Method::POST {
        events::PLACES.to_owned()
    } else {
        format!("the metrics are at {}", app.telemetry_path)
    };
    let safe = method != Method::POST && !uri.path().starts_with("/events");
    let place = if safe { uri.path() } else { "this path" };
    sentence(StatusCode::NOT_FOUND, &format!("there is nothing at {place}: {hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn gives_each_scraper_the_style_that_it_prefers() {
        let style = |accept| wanted_style(&headers(header::ACCEPT, accept));
        let prometheus_2 =
            "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(style(prometheus_2), Style::OpenMetrics);
        assert_eq!(
            style("text/plain;version=0.0.4;q=0.9,application/openmetrics-text;q=0.5"),
            Style::Prometheus
        );
        assert_eq!(style("*/*"), Style::Prometheus);
        assert_eq!(style("application/openmetrics-text;q=0"), Style::Prometheus);
        assert_eq!(wanted_style(&HeaderMap::new()), Style::Prometheus);
    }

    #[test]
    fn compresses_only_for_those_who_ask() {
        let gzip = |accept| accepts_gzip(&headers(header::ACCEPT_ENCODING, accept));
        assert!(gzip("gzip"));
        assert!(gzip("zstd, gzip;q=0.5"));
        assert!(!gzip("gzip;q=0"));
        assert!(!gzip("deflate"));
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
