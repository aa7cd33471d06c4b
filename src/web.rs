//! How our own pages are served: TLS, users with passwords, and headers, as a file in the format of Prometheus'
//! exporter-toolkit asks for.

pub mod probe;
pub mod tls;
pub mod users;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use axum::http::{HeaderName, HeaderValue};
use tokio_rustls::rustls::ServerConfig;

use users::Users;

/// What is in force. With no file nothing is asked for.
#[derive(Debug, Default)]
pub struct Setup {
    /// How TLS is spoken; none for plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// Whether nobody gets a connection without a certificate that was verified.
    pub knows_clients: bool,
    /// Who may look; none for everybody.
    pub users: Option<Arc<Users>>,
    /// What each answer carries as well.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Setup {
    /// Whether strangers are kept from our pages.
    pub const fn keeps_strangers_out(&self) -> bool {
        self.users.is_some() || self.knows_clients
    }
}

/// The files that a setup was read from, and what they looked like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files(Vec<(PathBuf, Option<(SystemTime, u64)>)>);

impl Files {
    /// Looks at one more file. It must not have been read yet: a change after the look is noticed, one before is read.
    pub fn look(&mut self, path: PathBuf) {
        let metadata = std::fs::metadata(&path).ok();
        let look = metadata.and_then(|metadata| Some((metadata.modified().ok()?, metadata.len())));
        self.0.push((path, look));
    }

    /// The same files as they are by now.
    pub fn look_again(&self) -> Self {
        let mut now = Self::default();
        for (path, _) in &self.0 {
            now.look(path.clone());
        }
        now
    }
}
