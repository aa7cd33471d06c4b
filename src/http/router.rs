//! The endpoints and their paths.
//!
//! | path | method | module |
//! | --- | --- | --- |
//! | `/events`, `/events/NAME`, `/` | POST | `events`, called by the gate before routing |
//! | `/` | GET | `page` |
//! | `/metrics` (`--web.telemetry-path`) | GET | [`telemetry`] |
//! | `/api/v1/{servers,streams,outputs,timers,sessions,events,rejections,actions}`, `/api/v1/openapi.yml` | GET | `api` |
//! | `/api/v1/feed` | GET | `feed` |
//! | `/-/healthy`, `/-/ready` | GET | this one |
//! | `/-/reload` | POST | this one |

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};

use super::response::text_response;
use super::state::App;
use super::{api, events, feed, page, telemetry};

/// All routes except for events, which the gate answers before routing: see `events.rs`.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(page::page))
        .route("/events", any(wrong_method))
        .route("/events/{server}", any(wrong_method))
        .route(&app.telemetry_path.clone(), get(telemetry::scrape))
        .route("/-/healthy", get(|| async { "ok\n" }))
        .route("/-/ready", get(ready))
        .merge(api::routes())
        .route("/api/v1/feed", get(feed::feed))
        .route("/-/reload", post(reload))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .with_state(app)
}

/// Whether the exporter is ready, and why not.
async fn ready(State(app): State<Arc<App>>) -> Response {
    let reasons = app.unready_reasons();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::json!({ "ready": reasons.is_empty(), "reasons": reasons }).to_string();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Reloads configuration files, if this is allowed over HTTP.
async fn reload(State(app): State<Arc<App>>) -> Response {
    if !app.lifecycle {
        return text_response(
            StatusCode::FORBIDDEN,
            "reloading over HTTP is disabled: enable it with --web.enable-lifecycle",
        );
    }
    match app.reloader.reload().await {
        Ok(done) => text_response(StatusCode::OK, &done),
        Err(error) => text_response(StatusCode::INTERNAL_SERVER_ERROR, &error),
    }
}

async fn wrong_method(uri: Uri) -> Response {
    let methods = match uri.path() {
        "/" => "GET, HEAD, POST",
        path if path == "/-/reload" || events::is_event_path(path) => "POST",
        _ => "GET, HEAD",
    };
    let text = format!("this path accepts only {methods}");
    ([(header::ALLOW, methods)], text_response(StatusCode::METHOD_NOT_ALLOWED, &text)).into_response()
}

/// Answers requests to unknown paths. The path is repeated only where it cannot hold a secret: the URL of a sink may be
/// wrong before its secret.
async fn unknown(State(app): State<Arc<App>>, method: Method, uri: Uri) -> Response {
    let hint = if uri.path().starts_with("/api") {
        "the endpoints of the API are listed in /api/v1/openapi.yml".to_owned()
    } else {
        format!("the metrics are at {}", app.telemetry_path)
    };
    let safe = method != Method::POST && !uri.path().starts_with("/events");
    let path = if safe { uri.path() } else { "this path" };
    text_response(StatusCode::NOT_FOUND, &format!("no endpoint at {path}: {hint}"))
}
