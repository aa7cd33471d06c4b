//! The lists of the JSON API, and its OpenAPI document.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use strum::VariantArray;

use super::answers::held;
use super::response::text_response;
use super::state::App;
use super::write_timeout::Backpressure;
use crate::query::{self, List, Query, QueryError};
use ems_protocol::Timestamp;

/// The OpenAPI document.
const OPENAPI: &str = include_str!("../../docs/openapi.yml");

/// A route for each list.
pub(super) fn routes() -> Router<Arc<App>> {
    let described = get(|| async { ([(header::CONTENT_TYPE, "application/yaml")], OPENAPI) });
    let lists = Router::new().route("/api/v1/openapi.yml", described);
    List::VARIANTS.iter().copied().fold(lists, |routes, list| {
        let answer = move |State(app), Extension(client), RawQuery(query): RawQuery| {
            answer(app, client, list, query.unwrap_or_default())
        };
        routes.route(&format!("/api/v1/{}", list.name()), get(answer))
    })
}

/// Answers on a blocking thread: sorting the keys of many thousand streams takes a while.
async fn answer(app: Arc<App>, client: Arc<Backpressure>, list: List, query: String) -> Response {
    let slot = match app.lists.admit(client).await {
        Ok(slot) => slot,
        Err(overloaded) => return overloaded,
    };
    let written = tokio::task::spawn_blocking(move || {
        let query = Query::parse(&query, list.by_stream())?;
        query::answer(list, app.sources(), &query, Timestamp::now())
    });
    match written.await {
        Ok(Ok(json)) => {
            let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
            (headers, Body::from(held(json, &slot))).into_response()
        }
        Ok(Err(error)) => {
            let unknown = matches!(error, QueryError::Server(_));
            let status = if unknown { StatusCode::NOT_FOUND } else { StatusCode::BAD_REQUEST };
            text_response(status, &error.to_string())
        }
        Err(_) => text_response(StatusCode::INTERNAL_SERVER_ERROR, "cannot render the list"),
    }
}
