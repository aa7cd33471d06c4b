//! The live feed as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::channel::{Channel, Sender};
use tokio::time::timeout;

use super::response::text_response;
use super::state::App;
use crate::feed::{Frame, LISTENERS, Listener, Received, Topic};
use ems_protocol::Timestamp;

/// After such a silence a comment shows that the connection lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a client may take nothing before it is dropped.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// How many messages wait for a client beside those of the feed itself.
const ROOM: usize = 4;
/// When a client that lost its connection should try again, and one that was turned away.
const RETRY: (&str, &str) = ("retry: 1000\n\n", "10");

/// Sends messages until the client leaves or the exporter stops. `only=` picks their names.
pub(super) async fn feed(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    let topics = match topics(&query.unwrap_or_default()) {
        Ok(topics) => topics,
        Err(wrong) => return text_response(StatusCode::BAD_REQUEST, wrong),
    };
    let joining = Arc::clone(&app);
    let joined = tokio::task::spawn_blocking(move || {
        joining.live.join(&topics, joining.sources(), &joining.unready(), Timestamp::now())
    });
    let Ok(Some((listener, whole))) = joined.await else {
        app.own.feed_refused.inc();
        let full = format!("{LISTENERS} clients listen already, as many as may at once");
        let mut response = text_response(StatusCode::SERVICE_UNAVAILABLE, &full);
        response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static(RETRY.1));
        return response;
    };
    let (sender, body) = Channel::<Bytes, Infallible>::new(ROOM);
    app.own.feed_listeners.inc();
    tokio::spawn(async move {
        tokio::select! {
            () = send(&app, listener, whole, sender) => {}
            () = app.live.ended.cancelled() => {}
        }
        app.own.feed_listeners.dec();
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // A proxy that collects the answer before it passes it on would hold the feed up.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::new(body)).into_response()
}

fn topics(query: &str) -> Result<Vec<Topic>, &'static str> {
    let mut topics = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name != "only" {
            return Err("there is no such parameter: the feed takes only");
        }
        for word in value.split(',') {
            let topic = Topic::ALL.into_iter().find(|topic| topic.name() == word);
            topics.push(topic.ok_or("only is not made of event, rejection, derived and snapshot")?);
        }
    }
    Ok(if topics.is_empty() { Topic::ALL.to_vec() } else { topics })
}

/// Passes on what is heard. Returns when the client has gone, or takes nothing for too long.
async fn send(app: &Arc<App>, mut listener: Listener, whole: Option<Frame>, mut to: Sender<Bytes>) {
    let mut waiting = vec![Bytes::from_static(RETRY.0.as_bytes())];
    waiting.extend(whole.map(|frame| frame.bytes));
    loop {
        for bytes in waiting.drain(..) {
            match timeout(SEND_TIMEOUT, to.send_data(bytes)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return,
                Err(_) => return app.own.feed_lagged.inc(),
            }
        }
        match timeout(KEEP_ALIVE, listener.recv()).await {
            Ok(Received::Frame(frame)) => waiting.push(frame.bytes),
            Ok(Received::ChangesLost(missed)) => waiting.push(lagged(app, "changes", missed)),
            Ok(Received::SnapshotsLost(missed)) => {
                waiting.push(lagged(app, "snapshots", missed));
                let app = Arc::clone(app);
                let whole = tokio::task::spawn_blocking(move || {
                    let frame =
                        app.live.whole(&mut listener, app.sources(), &app.unready(), Timestamp::now());
                    (listener, frame)
                });
                let Ok((again, frame)) = whole.await else { return };
                listener = again;
                waiting.push(frame.bytes);
            }
            Err(_) => waiting.push(Bytes::from_static(b": still here\n\n")),
        }
    }
}

fn lagged(app: &App, what: &str, missed: u64) -> Bytes {
    app.own.feed_lagged.inc();
    Frame::new(Topic::Lagged, &serde_json::json!({ "lost": what, "missed": missed }).to_string()).bytes
}
