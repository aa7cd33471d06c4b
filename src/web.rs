//! How the exporter's pages are served: TLS, users with passwords, and headers, configured by a file in the format of
//! Prometheus' exporter-toolkit.

pub mod probe;
pub mod tls;
pub mod users;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use axum::http::{HeaderName, HeaderValue};
use tokio_rustls::rustls::ServerConfig;

use users::Users;

/// The web configuration in force. Without a file, pages are open to everyone over plain HTTP.
#[derive(Debug, Default)]
pub struct Setup {
    /// The configuration of TLS; none for plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// Whether each connection needs a verified client certificate.
    pub knows_clients: bool,
    /// The users who may see pages; none for everyone.
    pub users: Option<Arc<Users>>,
    /// Headers that each answer carries.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Setup {
    /// Whether pages require a user or a client certificate.
    pub const fn requires_authentication(&self) -> bool {
        self.users.is_some() || self.knows_clients
    }

    /// What a reload to `new` would take away: a file that is being written is empty or ends early for a moment.
    pub fn lost_in(&self, new: &Self) -> Vec<&'static str> {
        let mut lost = Vec::new();
        if self.users.is_some() && new.users.is_none() {
            lost.push("basic_auth_users");
        }
        if self.tls.is_some() && new.tls.is_none() {
            lost.push("tls_server_config");
        }
        if self.knows_clients && !new.knows_clients {
            lost.push("tls_server_config.client_auth_type: RequireAndVerifyClientCert");
        }
        lost
    }
}

/// The files that a setup was read from, with their times and sizes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files(Vec<(PathBuf, Option<(SystemTime, u64)>)>);

impl Files {
    /// Notes the state of one more file. It must not have been read yet, so that a later change is noticed.
    pub fn record(&mut self, path: PathBuf) {
        let metadata = std::fs::metadata(&path).ok();
        let stamp = metadata.and_then(|metadata| Some((metadata.modified().ok()?, metadata.len())));
        self.0.push((path, stamp));
    }

    /// The current state of the same files.
    pub fn current(&self) -> Self {
        let mut now = Self::default();
        for (path, _) in &self.0 {
            now.record(path.clone());
        }
        now
    }
}
