//! The HTTP transport: lets an event in, reads its body, sends it down the road, and answers at once.
//!
//! It stands beside the routes, not behind them: a router and its layers would cost every event some boxes, and the gate
//! knows by the path already that it is one.

use std::net::IpAddr;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::Request;
use hyper::body::Incoming;

use super::response::text_response;
use super::state::App;
use crate::pipeline::Server;
use crate::pipeline::tally::Transport;
use ems_protocol::Timestamp;
use ems_protocol::message::Rejection;

/// Where events are posted, for those who missed it.
pub(super) const PLACES: &str = "events are posted to /events, /events/NAME or /";

/// Whether events are posted to this path; behind it may stand a secret.
pub(super) fn is_place(path: &str) -> bool {
    matches!(path, "/" | "/events") || path.starts_with("/events/")
}

/// Answers the request that brings an event, or several.
pub(super) async fn post(app: &App, request: Request<Incoming>, from: IpAddr) -> Response {
    let (head, body) = request.into_parts();
    let admitted = app.guard.load().admit(Some(from), head.uri.path(), head.uri.query());
    match admitted.map(server_name) {
        Ok(Ok(name)) => receive(app, name, body).await,
        Ok(Err(NoPlace)) => {
            text_response(StatusCode::NOT_FOUND, &format!("there is nothing at this path: {PLACES}"))
        }
        Err(rejection) => refuse(app, None, &rejection),
    }
}

/// A path that names no server in a way that we know.
struct NoPlace;

/// The server that a path without secret names, if it names one. Of the characters of such names none is ever escaped.
fn server_name(path: &str) -> Result<Option<&str>, NoPlace> {
    match path.strip_prefix("/events/") {
        Some(name) if !name.is_empty() && !name.contains('/') => Ok(Some(name)),
        None if is_place(path) => Ok(None),
        Some(_) | None => Err(NoPlace),
    }
}

async fn receive(app: &App, name: Option<&str>, body: Incoming) -> Response {
    let received = match app.ingest.posting_server(name) {
        Ok(server) => app.intake.read(body).await.map(|taken| (server, taken)),
        Err(rejection) => Err(rejection),
    };
    match received {
        Ok((server, taken)) => take(app, &server, &taken.bytes),
        Err(rejection) => {
            // A server that may not be is not named in what is kept: anybody can make names up.
            let mut response = refuse(app, name.filter(|_| !rejection.is_of_server()), &rejection);
            if rejection == Rejection::Overload {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            response
        }
    }
}

fn take(app: &App, server: &Server, body: &[u8]) -> Response {
    let accepted = app.ingest.accept(Transport::Http, server, body, Timestamp::now());
    match accepted.first {
        None => StatusCode::OK.into_response(),
        Some(rejection) if accepted.events == 1 => text_response(status(&rejection), &rejection.to_string()),
        Some(rejection) => text_response(
            StatusCode::BAD_REQUEST,
            &format!(
                "{} of {} events were refused, the first because {rejection}",
                accepted.refused, accepted.events
            ),
        ),
    }
}

/// Turns away what has not come as far as the road, and counts it.
fn refuse(app: &App, server: Option<&str>, rejection: &Rejection) -> Response {
    app.ingest.refuse(Transport::Http, server, rejection, Timestamp::now());
    text_response(status(rejection), &rejection.to_string())
}

const fn status(rejection: &Rejection) -> StatusCode {
    match rejection {
        Rejection::Size(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Rejection::Servers(_) | Rejection::Overload => StatusCode::SERVICE_UNAVAILABLE,
        Rejection::Forbidden(_) => StatusCode::FORBIDDEN,
        Rejection::Empty
        | Rejection::Format
        | Rejection::Syntax { .. }
        | Rejection::Depth
        | Rejection::Fields
        | Rejection::MixedSinks
        | Rejection::NotAnEvent(_)
        | Rejection::MissingField(_)
        | Rejection::BadField { .. }
        | Rejection::Server(_)
        | Rejection::Aborted => StatusCode::BAD_REQUEST,
    }
}
