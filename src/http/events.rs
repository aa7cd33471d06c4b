//! The HTTP transport: admits a request, reads its body, passes it to the pipeline, and answers at once.
//!
//! The gate calls it without routing: a router and its layers would cost every event some allocations.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::Request;
use hyper::body::Incoming;

use super::browser;
use super::buffer::Buffer;
use super::encoding::Encoding;
use super::peer::Peer;
use super::response::text_response;
use super::state::App;
use crate::pipeline::Accepted;
use crate::pipeline::tally::Transport;
use ems_protocol::Rejection;
use ems_protocol::Timestamp;

/// The size, in bytes, from which on a body is decoded on a thread of its own, so that the workers go on to accept
/// connections. Hardly any body is that large.
const LARGE: usize = 256 << 10;

const NO_ENDPOINT: &str = "no endpoint at this path: post events to /events, /events/NAME or /";

/// Whether events are posted to this path; a secret may follow.
pub(super) fn is_event_path(path: &str) -> bool {
    matches!(path, "/" | "/events") || path.starts_with("/events/")
}

/// Answers a request that posts one or several events.
pub(super) async fn post(app: &App, request: Request<Incoming>, peer: &Peer) -> Response {
    let (head, body) = request.into_parts();
    if browser::is_of_other_site(&head.method, &head.headers) {
        return reject(app, None, &Rejection::Forbidden("a web page posted it"));
    }
    let path = without_empty_segments(head.uri.path());
    let admitted = app.guard.load().admit(Some(peer.address), &path, head.uri.query());
    let name = match admitted {
        Ok("" | "/" | "/events") => None,
        // Names consist of characters that are never escaped.
        Ok(path) => match path.strip_prefix("/events/") {
            Some(name) if !name.is_empty() && !name.contains('/') => Some(name),
            Some(_) | None => return no_endpoint(app, NO_ENDPOINT),
        },
        Err(rejection) => return reject(app, None, &rejection),
    };
    match Encoding::of(&head.headers) {
        Ok(encoding) => receive(app, name, body, encoding, peer.busy).await,
        Err(rejection) => reject(app, name, &rejection),
    }
}

/// Rejects what is posted to a path that takes no events: the sink of a media server may be slightly wrong.
pub(super) fn no_endpoint(app: &App, text: &'static str) -> Response {
    app.pipeline.reject(Transport::Http, None, &Rejection::Server(text), Timestamp::now());
    text_response(StatusCode::NOT_FOUND, text)
}

/// The path without doubled slashes and one at its end.
fn without_empty_segments(path: &str) -> Cow<'_, str> {
    if !path.contains("//") && (path.len() == 1 || !path.ends_with('/')) {
        return Cow::Borrowed(path);
    }
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    Cow::Owned(segments.flat_map(|segment| ["/", segment]).collect())
}

async fn receive(app: &App, name: Option<&str>, body: Incoming, encoding: Encoding, busy: bool) -> Response {
    let server = match app.pipeline.posting_server(name) {
        Ok(server) => server,
        // The record does not name a server that is not accepted: any client can invent names.
        Err(rejection) => return reject(app, name.filter(|_| !rejection.is_of_server()), &rejection),
    };
    let body = match app.intake.read(body, busy).await {
        Ok(body) => body,
        Err(rejection) => return reject(app, name, &rejection),
    };
    let limit = app.intake.limit();
    if body.bytes.len() <= LARGE {
        match encoding.decode(&body.bytes, &mut Buffer::new(limit.min(LARGE))) {
            Ok(bytes) => {
                return answer(app.pipeline.accept(Transport::Http, &server, bytes, Timestamp::now()));
            }
            Err(Rejection::Size(_)) if limit > LARGE => {}
            Err(rejection) => return reject(app, name, &rejection),
        }
    }
    let (pipeline, decoder) = (Arc::clone(&app.pipeline), app.intake.decoder().await);
    // Both are held until it ends, also when the client has gone.
    let accept = move || {
        let (body, _decoder) = (body, decoder);
        let mut space = Buffer::new(limit);
        let bytes = encoding.decode(&body.bytes, &mut space)?;
        Ok(pipeline.accept(Transport::Http, &server, bytes, Timestamp::now()))
    };
    match tokio::task::spawn_blocking(accept).await {
        Ok(Ok(accepted)) => answer(accepted),
        Ok(Err(rejection)) => reject(app, name, &rejection),
        Err(_) => text_response(StatusCode::INTERNAL_SERVER_ERROR, "cannot read the body"),
    }
}

fn answer(accepted: Accepted) -> Response {
    match accepted.first {
        None => StatusCode::OK.into_response(),
        Some(rejection) if accepted.events == 1 => text_response(status(&rejection), &rejection.to_string()),
        Some(rejection) => text_response(
            StatusCode::BAD_REQUEST,
            &format!(
                "{} of {} events were rejected, the first because {rejection}",
                accepted.rejected, accepted.events
            ),
        ),
    }
}

/// Rejects a request before it reaches the pipeline, and counts it.
fn reject(app: &App, server: Option<&str>, rejection: &Rejection) -> Response {
    app.pipeline.reject(Transport::Http, server, rejection, Timestamp::now());
    let response = text_response(status(rejection), &rejection.to_string());
    if *rejection == Rejection::Overload {
        return ([(header::RETRY_AFTER, "1")], response).into_response();
    }
    response
}

const fn status(rejection: &Rejection) -> StatusCode {
    match rejection {
        Rejection::Size(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Rejection::Servers(_) | Rejection::Overload => StatusCode::SERVICE_UNAVAILABLE,
        Rejection::Forbidden(_) => StatusCode::FORBIDDEN,
        Rejection::Empty
        | Rejection::Format
        | Rejection::File(_)
        | Rejection::Syntax { .. }
        | Rejection::Depth
        | Rejection::Fields
        | Rejection::Items
        | Rejection::Path(_)
        | Rejection::GivenUp
        | Rejection::MixedSinks
        | Rejection::NotAnEvent(_)
        | Rejection::MissingField(_)
        | Rejection::BadField { .. }
        | Rejection::Server(_)
        | Rejection::Aborted => StatusCode::BAD_REQUEST,
    }
}
