//! Answers that are one sentence.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

pub(super) fn text_response(status: StatusCode, text: &str) -> Response {
    (status, format!("{text}\n")).into_response()
}
