//! The lists of the JSON API, and its description.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::response::text_response;
use super::state::App;
use crate::query::{self, List, Query, QueryError};
use ems_protocol::Timestamp;

/// The description of the API, as it is served.
const OPENAPI: &str = include_str!("../../docs/openapi.yml");

/// A route for each list.
pub(super) fn routes() -> Router<Arc<App>> {
    let described = get(|| async { ([(header::CONTENT_TYPE, "application/yaml")], OPENAPI) });
    let lists = Router::new().route("/api/v1/openapi.yml", described);
    List::ALL.into_iter().fold(lists, |routes, list| {
        let answer = move |State(app): State<Arc<App>>, RawQuery(query): RawQuery| {
            answer(app, list, query.unwrap_or_default())
        };
        routes.route(&format!("/api/v1/{}", list.name()), get(answer))
    })
}

/// Answers on a thread of its own: the keys of many thousand streams take a while to sort.
async fn answer(app: Arc<App>, list: List, query: String) -> Response {
    let written = tokio::task::spawn_blocking(move || {
        let query = Query::parse(&query, list.by_stream())?;
        query::answer(list, app.sources(), &query, Timestamp::now())
    });
    match written.await {
        Ok(Ok(json)) => {
            let headers = [
                (header::CONTENT_TYPE, "application/json"),
                (header::CACHE_CONTROL, "no-store"),
                // A name that is markup must never be taken for a page.
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ];
            (headers, json).into_response()
        }
        Ok(Err(wrong)) => text_response(status(&wrong), &wrong.to_string()),
        Err(_) => text_response(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be written"),
    }
}

const fn status(wrong: &QueryError) -> StatusCode {
    match wrong {
        QueryError::Server(_) => StatusCode::NOT_FOUND,
        QueryError::Unknown(_)
        | QueryError::Twice(_)
        | QueryError::Limit
        | QueryError::Offset
        | QueryError::Name => StatusCode::BAD_REQUEST,
    }
}
