//! The live feed as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::channel::{Channel, Sender};
use strum::VariantArray;
use tokio::time::timeout;

use super::answers::held;
use super::response::text_response;
use super::state::App;
use super::write_timeout::Backpressure;
use crate::feed::{Client, MAX_CLIENTS, Received, Topic, server_sent_event};
use ems_protocol::Timestamp;

/// After this long without messages a comment keeps the connection alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a client may read nothing before it is disconnected.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// How many messages wait for a client besides those of the feed itself.
const CAPACITY: usize = 1;
/// The first message: when a client that lost its connection should reconnect, in milliseconds.
const RECONNECT: &[u8] = b"retry: 1000\n\n";
/// When a client that was rejected should try again, in seconds.
const RETRY_AFTER: &str = "10";

/// Sends messages until the client leaves or the exporter stops. `only=` selects topics.
pub(super) async fn feed(
    State(app): State<Arc<App>>,
    Extension(connection): Extension<Arc<Backpressure>>,
    RawQuery(query): RawQuery,
) -> Response {
    let topics = match topics(&query.unwrap_or_default()) {
        Ok(topics) => topics,
        Err(error) => return text_response(StatusCode::BAD_REQUEST, &error),
    };
    let slot = match app.lists.admit(Arc::clone(&connection)).await {
        Ok(slot) => slot,
        Err(overloaded) => return overloaded,
    };
    let joining = Arc::clone(&app);
    let joined = tokio::task::spawn_blocking(move || {
        joining.live.join(&topics, joining.sources(), &joining.unready_reasons(), Timestamp::now())
    });
    let Ok(Some((client, whole))) = joined.await else {
        app.exporter_metrics.feed_clients_rejected.inc();
        let full = format!("the limit of {MAX_CLIENTS} feed clients is reached: try again later");
        let response = text_response(StatusCode::SERVICE_UNAVAILABLE, &full);
        return ([(header::RETRY_AFTER, RETRY_AFTER)], response).into_response();
    };
    let (sender, body) = Channel::<Bytes, Infallible>::new(CAPACITY);
    app.exporter_metrics.feed_clients.inc();
    let whole = whole.map(|frame| held(frame.bytes, &slot));
    drop(slot);
    tokio::spawn(async move {
        tokio::select! {
            () = send(&app, client, whole, &connection, sender) => {}
            () = app.live.ended.cancelled() => {}
        }
        app.exporter_metrics.feed_clients.dec();
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // A proxy that buffers the answer would hold the feed up.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::new(body)).into_response()
}

fn topics(query: &str) -> Result<Vec<Topic>, String> {
    let mut topics = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name != "only" {
            return Err("unknown parameter: the feed takes only".to_owned());
        }
        for word in value.split(',') {
            let topic = Topic::VARIANTS.iter().find(|topic| topic.name() == word);
            topics.push(*topic.ok_or_else(|| {
                let names: Vec<&str> = Topic::VARIANTS.iter().map(|topic| topic.name()).collect();
                format!("only is not a list of {}", names.join(", "))
            })?);
        }
    }
    Ok(if topics.is_empty() { Topic::VARIANTS.to_vec() } else { topics })
}

/// Sends messages. Returns when the client has left, or reads nothing for too long.
async fn send(
    app: &Arc<App>,
    mut client: Client,
    whole: Option<Bytes>,
    connection: &Arc<Backpressure>,
    mut to: Sender<Bytes>,
) {
    let mut waiting = vec![Bytes::from_static(RECONNECT)];
    waiting.extend(whole);
    loop {
        for bytes in waiting.drain(..) {
            match timeout(SEND_TIMEOUT, to.send_data(bytes)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return,
                Err(_) => return app.exporter_metrics.feed_lagged.inc(),
            }
        }
        match timeout(KEEP_ALIVE, client.recv()).await {
            Ok(Received::Frame(frame)) => waiting.push(Bytes::from_owner(frame.bytes)),
            Ok(Received::ChangesLost(missed)) => waiting.push(lagged(app, "changes", missed)),
            Ok(Received::SnapshotsLost(missed)) => {
                waiting.push(lagged(app, "snapshots", missed));
                let Ok(slot) = app.lists.admit(Arc::clone(connection)).await else { return };
                let app = Arc::clone(app);
                let whole = tokio::task::spawn_blocking(move || {
                    let frame =
                        app.live.whole(&mut client, app.sources(), &app.unready_reasons(), Timestamp::now());
                    (client, frame)
                });
                let Ok((again, frame)) = whole.await else { return };
                client = again;
                waiting.push(held(frame.bytes, &slot));
            }
            Err(_) => waiting.push(Bytes::from_static(b": still here\n\n")),
        }
    }
}

/// Informs the client that it missed messages.
fn lagged(app: &App, lost: &str, missed: u64) -> Bytes {
    app.exporter_metrics.feed_lagged.inc();
    let json = serde_json::json!({ "lost": lost, "missed": missed }).to_string();
    Bytes::from_owner(server_sent_event("lagged", &json))
}
