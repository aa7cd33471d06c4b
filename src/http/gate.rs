//! The gate before all routes: authentication, the endpoints of each listener, and the headers of every answer.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Method, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use super::peer::Peer;
use super::response::text_response;
use super::state::App;
use super::{browser, events};
use crate::web::users::AuthResult;

/// What a listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerRole {
    /// Everything.
    Both,
    /// Everything but events, which have listeners of their own.
    Web,
    /// Events, and the health endpoints.
    Events,
}

/// Kinds of requests, which differ in who may send them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RequestKind {
    /// Posts events, or something to a path that may be meant for them: media servers have no credentials, and ignore the
    /// answer.
    Event,
    /// Checks the exporter's health, as orchestrators do.
    Health,
    /// Anything else.
    Page,
}

impl RequestKind {
    fn of(method: &Method, path: &str, telemetry_path: &str) -> Self {
        let ours = path.starts_with("/-/") || path.starts_with("/api/") || path == telemetry_path;
        match path {
            "/-/healthy" | "/-/ready" => Self::Health,
            _ if method == Method::POST && !ours => Self::Event,
            _ => Self::Page,
        }
    }
}

/// The gate of a listener. Events are handled here, without routing.
#[derive(Debug, Clone)]
pub struct Gate {
    app: Arc<App>,
    role: ListenerRole,
    routes: TowerToHyperService<Router>,
}

impl Gate {
    /// The gate before `routes`.
    pub fn new(app: Arc<App>, role: ListenerRole, routes: Router) -> Self {
        Self { app, role, routes: TowerToHyperService::new(routes) }
    }

    /// Answers a request of this peer.
    pub(super) async fn answer(&self, request: Request<Incoming>, peer: &Peer) -> Response {
        let app = &*self.app;
        let kind = RequestKind::of(request.method(), request.uri().path(), &app.telemetry_path);
        let hosts = request.headers().get_all(header::HOST).iter().count();
        let mut response = match (kind, self.role) {
            // RFC 9112, section 3.2: a proxy and the exporter could read such a request differently.
            _ if hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11) => {
                text_response(StatusCode::BAD_REQUEST, "a request has exactly one Host header")
            }
            (RequestKind::Health | RequestKind::Page, _)
                if browser::is_of_other_site(request.method(), request.headers()) =>
            {
                text_response(StatusCode::FORBIDDEN, "a web page of another site made this request")
            }
            (RequestKind::Event, ListenerRole::Both | ListenerRole::Events) => {
                events::post(app, request, peer).await
            }
            (RequestKind::Event, ListenerRole::Web) => events::no_endpoint(
                app,
                "this listener accepts no events: post them to ingest.listen_address",
            ),
            (RequestKind::Health, ListenerRole::Events) => self.pass(request, peer).await,
            (RequestKind::Health, ListenerRole::Both | ListenerRole::Web)
                if !app.guard.load().protect_health =>
            {
                self.pass(request, peer).await
            }
            (RequestKind::Health | RequestKind::Page, ListenerRole::Both | ListenerRole::Web) => {
                self.page(request, peer).await
            }
            (RequestKind::Page, ListenerRole::Events) => text_response(
                StatusCode::NOT_FOUND,
                "this listener accepts only events, by POST to /events or /events/NAME",
            ),
        };
        // A stream name that is markup must never be rendered.
        response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        for (name, value) in &app.web.load().headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        app.exporter_metrics.count_response(response.status().as_str());
        response
    }

    async fn pass(&self, mut request: Request<Incoming>, peer: &Peer) -> Response {
        request.extensions_mut().insert(Arc::clone(&peer.backpressure));
        match self.routes.call(request.map(Body::new)).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// Answers a request for a page if it comes from a user, where users are configured.
    async fn page(&self, request: Request<Incoming>, peer: &Peer) -> Response {
        let app = &*self.app;
        let (users, is_plain) = {
            let web = app.web.load();
            (web.users.clone(), web.tls.is_none())
        };
        // Over TLS, and where it must log in, a browser finds out by itself.
        if is_plain
            && users.is_none()
            && browser::is_of_foreign_name(request.headers(), &app.guard.load().names)
        {
            let text =
                "browsers may not use this host name: add it to web.names in the exporter's configuration";
            return text_response(StatusCode::MISDIRECTED_REQUEST, text);
        }
        let result = match users {
            Some(users) => {
                users.authenticate(request.headers().get(header::AUTHORIZATION), peer.address).await
            }
            None => AuthResult::Allowed,
        };
        match result {
            AuthResult::Allowed => self.pass(request, peer).await,
            AuthResult::Unauthorized => {
                let basic = [(header::WWW_AUTHENTICATE, "Basic realm=\"ems-exporter\", charset=\"UTF-8\"")];
                (basic, text_response(StatusCode::UNAUTHORIZED, "authentication required")).into_response()
            }
            AuthResult::Overloaded => {
                let text = "too many concurrent logins: try again in a moment";
                let response = text_response(StatusCode::SERVICE_UNAVAILABLE, text);
                ([(header::RETRY_AFTER, "1")], response).into_response()
            }
        }
    }
}
