//! What stands before all routes: who may pass to which of them, and the headers that each answer gets.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};

use super::routes::{App, refusal_status};
use crate::ingest::tally::Door;
use crate::moment::Moment;
use crate::web::users::Verdict;

/// Who sent a request, as the listener knows it.
#[derive(Debug, Clone, Copy)]
pub struct Visitor {
    /// The address that the connection came from.
    pub address: IpAddr,
}

/// What is served at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Everything.
    Both,
    /// Everything but events, which have addresses of their own.
    Web,
    /// Events, and our health.
    Ingest,
}

/// What a request is for, as far as it matters who sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// To bring events: media servers have no credentials.
    Event,
    /// To see whether we live, as orchestrators do.
    Health,
    /// Anything else.
    Page,
}

impl Purpose {
    fn of(method: &Method, path: &str) -> Self {
        match path {
            "/-/healthy" | "/-/ready" => Self::Health,
            "/" | "/events" if method == Method::POST => Self::Event,
            path if method == Method::POST && path.starts_with("/events/") => Self::Event,
            _ => Self::Page,
        }
    }
}

/// All routes, behind the gate. It stands before routing, not among the layers of the routes.
pub fn gated(app: &Arc<App>, side: Side, routes: Router) -> Router {
    let state = (Arc::clone(app), side);
    Router::new().fallback_service(routes).layer(middleware::from_fn_with_state(state, gate))
}

async fn gate(State((app, side)): State<(Arc<App>, Side)>, request: Request, next: Next) -> Response {
    let mut response = match (Purpose::of(request.method(), request.uri().path()), side) {
        (Purpose::Event, Side::Both | Side::Ingest) => event(&app, request, next).await,
        (Purpose::Event, Side::Web) => {
            refuse(&app, StatusCode::NOT_FOUND, "events are not taken here but at ingest.listen_address")
        }
        (Purpose::Health, Side::Ingest) => next.run(request).await,
        (Purpose::Health, Side::Both | Side::Web) if !app.guard.load().protect_health => {
            next.run(request).await
        }
        (Purpose::Health | Purpose::Page, Side::Both | Side::Web) => page(&app, request, next).await,
        (Purpose::Page, Side::Ingest) => refuse(
            &app,
            StatusCode::NOT_FOUND,
            "only events are taken here, by POST to /events or /events/NAME",
        ),
    };
    for (name, value) in &app.web.load().headers {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    response
}

/// Lets an event pass that may be posted, and takes the secret out of its URL: nothing behind this sees it.
async fn event(app: &App, mut request: Request, next: Next) -> Response {
    let from = request.extensions().get::<Visitor>().map(|visitor| visitor.address);
    let uri = request.uri();
    let admitted = app.guard.load().admit(from, uri.path(), uri.query());
    match admitted.map(|path| if uri == path { Ok(uri.clone()) } else { path.parse() }) {
        Ok(Ok(path)) => {
            *request.uri_mut() = path;
            next.run(request).await
        }
        Ok(Err(_)) => refuse(app, StatusCode::NOT_FOUND, "events are posted to /events, /events/NAME or /"),
        Err(refusal) => {
            app.ingest.refuse(Door::Http, None, &refusal, Moment::now());
            refuse(app, refusal_status(&refusal), &refusal.to_string())
        }
    }
}

/// Lets a request for a page pass if it comes from a user, where there are any.
async fn page(app: &App, request: Request, next: Next) -> Response {
    let users = app.web.load().users.clone();
    let verdict = match users {
        Some(users) => users.judge(request.headers().get(header::AUTHORIZATION)).await,
        None => Verdict::Welcome,
    };
    match verdict {
        Verdict::Welcome => next.run(request).await,
        Verdict::Stranger => {
            let mut response =
                refuse(app, StatusCode::UNAUTHORIZED, "this wants the name and password of a user");
            let basic = HeaderValue::from_static("Basic realm=\"ems-exporter\", charset=\"UTF-8\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, basic);
            response
        }
        Verdict::Busy => {
            let text = "too many passwords are being compared: try again in a moment";
            let mut response = refuse(app, StatusCode::SERVICE_UNAVAILABLE, text);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            response
        }
    }
}

/// Turns a request away. The routes, which count what they answer, do not see it.
fn refuse(app: &App, status: StatusCode, text: &str) -> Response {
    app.own.count_response(status);
    (status, format!("{text}\n")).into_response()
}
