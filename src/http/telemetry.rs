//! The metrics page, in the negotiated format and compression.

use std::io::Write;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ems_protocol::Timestamp;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::answers;
use super::response::text_response;
use super::state::App;
use super::write_timeout::Backpressure;
use crate::exposition::{PIECE, Style};
use crate::metrics::{self, Selection};

/// Serves the metrics page. It is rendered on a blocking thread, while it is sent: a page of many thousand series takes a
/// while, and much memory.
pub(super) async fn scrape(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Arc<Backpressure>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let selection = match Selection::parse(&query.unwrap_or_default(), &app.exporter_metrics) {
        Ok(selection) => selection,
        Err(error) => return text_response(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let (style, gzip) = (wanted_style(&headers), accepts_gzip(&headers));
    let slot = match app.pages.admit(client).await {
        Ok(slot) => slot,
        Err(overloaded) => return overloaded,
    };
    let rendered =
        answers::rendered(slot, move |send| page(&app, &selection, style, gzip, Timestamp::now(), send));
    let Some(body) = rendered.await else {
        return text_response(StatusCode::INTERNAL_SERVER_ERROR, "cannot render the metrics page");
    };
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(style.content_type()));
    headers.insert(header::VARY, HeaderValue::from_static("accept, accept-encoding"));
    if gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// Renders the selected metrics, and passes the page on in pieces until `send` breaks off. Compression is most of the
/// work; level 1 takes a seventh of the time of level 6.
pub fn page(
    app: &App,
    selection: &Selection,
    style: Style,
    gzip: bool,
    now: Timestamp,
    send: &mut dyn FnMut(Vec<u8>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let (start, mut waited) = (Instant::now(), Duration::ZERO);
    let mut send = |piece: Vec<u8>| {
        let since = Instant::now();
        let flow = send(piece);
        waited += since.elapsed();
        flow
    };
    let mut encoder = gzip.then(|| GzEncoder::new(Vec::new(), Compression::fast()));
    let samples = metrics::render_selected(app.sources(), selection, style, now, &mut |bytes| {
        bytes.chunks(PIECE).try_for_each(|bytes| {
            let Some(encoder) = &mut encoder else {
                return send(bytes.to_vec());
            };
            if let Err(error) = encoder.write_all(bytes) {
                tracing::error!("cannot compress the metrics page: {error}");
            }
            let full = encoder.get_ref().len() >= PIECE;
            if full { send(std::mem::take(encoder.get_mut())) } else { ControlFlow::Continue(()) }
        })
    })?;
    if let Some(encoder) = encoder {
        send(encoder.finish().unwrap_or_default())?;
    }
    app.exporter_metrics.scrape_samples.set(i64::try_from(samples).unwrap_or(i64::MAX));
    app.exporter_metrics.scrape_seconds.set(start.elapsed().saturating_sub(waited).as_secs_f64());
    ControlFlow::Continue(())
}

/// The style that a scraper prefers: OpenMetrics if it accepts it and ranks it no lower.
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
    fn compresses_only_on_request() {
        let gzip = |accept| accepts_gzip(&headers(header::ACCEPT_ENCODING, accept));
        assert!(gzip("gzip"));
        assert!(gzip("zstd, gzip;q=0.5"));
        assert!(!gzip("gzip;q=0"));
        assert!(!gzip("deflate"));
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
