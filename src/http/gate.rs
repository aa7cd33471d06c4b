//! What stands before all routes: who may pass to which of them, and the headers that each answer gets.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};

use super::routes::App;
use crate::web::users::Verdict;

/// Who sent a request, as the listener knows it.
#[derive(Debug, Clone, Copy)]
pub struct Visitor {
    /// The address that the connection came from.
    pub address: IpAddr,
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
pub fn gated(app: &Arc<App>, routes: Router) -> Router {
    Router::new().fallback_service(routes).layer(middleware::from_fn_with_state(Arc::clone(app), gate))
}

async fn gate(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let web = app.web.load_full();
    let open = match Purpose::of(request.method(), request.uri().path()) {
        Purpose::Event => true,
        Purpose::Health => !app.protect_health,
        Purpose::Page => false,
    };
    let verdict = match &web.users {
        Some(users) if !open => users.judge(request.headers().get(header::AUTHORIZATION)).await,
        Some(_) | None => Verdict::Welcome,
    };
    let mut response = match verdict {
        Verdict::Welcome => next.run(request).await,
        Verdict::Stranger => {
            let mut response =
                refuse(&app, StatusCode::UNAUTHORIZED, "this wants the name and password of a user");
            let basic = HeaderValue::from_static("Basic realm=\"ems-exporter\", charset=\"UTF-8\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, basic);
            response
        }
        Verdict::Busy => {
            let text = "too many passwords are being compared: try again in a moment";
            let mut response = refuse(&app, StatusCode::SERVICE_UNAVAILABLE, text);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            response
        }
    };
    for (name, value) in &web.headers {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    response
}

/// Turns a request away. The routes, which count what they answer, do not see it.
fn refuse(app: &App, status: StatusCode, text: &str) -> Response {
    app.own.count_response(status);
    (status, format!("{text}\n")).into_response()
}
