//! A receiver of what Alertmanager and rules send: it takes everything and keeps it.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;

use axum::Router;
use axum::body::Bytes;
use axum::http::Uri;
use serde_json::Value;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::simulated::now;

/// A message as it came.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// When, in Unix seconds.
    pub(crate) at: f64,
    /// To which path.
    pub(crate) path: String,
    pub(crate) body: Value,
}

/// A running receiver.
#[derive(Debug)]
pub(crate) struct Webhook {
    pub(crate) address: SocketAddr,
    messages: Arc<Mutex<Vec<Message>>>,
    _stop: DropGuard,
}

impl Webhook {
    /// Starts one.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let messages: Arc<Mutex<Vec<Message>>> = Arc::default();
        let stop = CancellationToken::new();
        thread::spawn({
            let (messages, stop) = (Arc::clone(&messages), stop.clone());
            move || {
                let keep = async move |uri: Uri, body: Bytes| {
                    let body = serde_json::from_slice(&body).expect("JSON is sent");
                    messages.lock().unwrap().push(Message { at: now(), path: uri.path().to_owned(), body });
                };
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(stop.run_until_cancelled(async {
                    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                    axum::serve(listener, Router::new().fallback(keep)).await.unwrap();
                }));
            }
        });
        Self { address, messages, _stop: stop.drop_guard() }
    }

    /// All messages so far, as they came.
    pub(crate) fn messages(&self) -> Vec<Message> {
        self.messages.lock().unwrap().clone()
    }
}
