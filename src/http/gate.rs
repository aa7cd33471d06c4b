//! What stands before all routes: who may pass to which of them, and the headers that each answer gets.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use super::events;
use super::response::text_response;
use super::state::App;
use crate::web::users::AuthResult;

/// What is served at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerRole {
    /// Everything.
    Both,
    /// Everything but events, which have addresses of their own.
    Web,
    /// Events, and our health.
    Pipeline,
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
            path if method == Method::POST && events::is_place(path) => Self::Event,
            _ => Self::Page,
        }
    }
}

/// What an address serves, and to whom. It stands before the routes, which events never see.
#[derive(Debug, Clone)]
pub struct Gate {
    app: Arc<App>,
    side: ListenerRole,
    routes: TowerToHyperService<Router>,
}

impl Gate {
    /// The gate before `routes`.
    pub fn new(app: Arc<App>, side: ListenerRole, routes: Router) -> Self {
        Self { app, side, routes: TowerToHyperService::new(routes) }
    }

    /// Answers a request that came from this address.
    pub async fn answer(&self, request: Request<Incoming>, from: IpAddr) -> Response {
        let app = &*self.app;
        let mut response = match (Purpose::of(request.method(), request.uri().path()), self.side) {
            (Purpose::Event, ListenerRole::Both | ListenerRole::Pipeline) => {
                events::post(app, request, from).await
            }
            (Purpose::Event, ListenerRole::Web) => {
                text_response(StatusCode::NOT_FOUND, "events are not taken here but at ingest.listen_address")
            }
            (Purpose::Health, ListenerRole::Pipeline) => self.pass(request).await,
            (Purpose::Health, ListenerRole::Both | ListenerRole::Web) if !app.guard.load().protect_health => {
                self.pass(request).await
            }
            (Purpose::Health | Purpose::Page, ListenerRole::Both | ListenerRole::Web) => {
                self.page(request).await
            }
            (Purpose::Page, ListenerRole::Pipeline) => text_response(
                StatusCode::NOT_FOUND,
                "only events are taken here, by POST to /events or /events/NAME",
            ),
        };
        for (name, value) in &app.web.load().headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        app.own.count_response(response.status());
        response
    }

    async fn pass(&self, request: Request<Incoming>) -> Response {
        match self.routes.call(request.map(Body::new)).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// Lets a request for a page pass if it comes from a user, where there are any.
    async fn page(&self, request: Request<Incoming>) -> Response {
        let app = &*self.app;
        let users = app.web.load().users.clone();
        let verdict = match users {
            Some(users) => users.judge(request.headers().get(header::AUTHORIZATION)).await,
            None => AuthResult::Allowed,
        };
        match verdict {
            AuthResult::Allowed => self.pass(request).await,
            AuthResult::Unauthorized => {
                let mut response =
                    text_response(StatusCode::UNAUTHORIZED, "this wants the name and password of a user");
                let basic = HeaderValue::from_static("Basic realm=\"ems-exporter\", charset=\"UTF-8\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, basic);
                response
            }
            AuthResult::Overloaded => {
                let text = "too many passwords are being compared: try again in a moment";
                let mut response = text_response(StatusCode::SERVICE_UNAVAILABLE, text);
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
                response
            }
        }
    }
}
