//! An HTTP server for tests, mostly in place of a media server's runtime API: it records requests, decoded as the media
//! server decodes them, and gives the answers that a test configures.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::now;

/// A call that it received.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// When, in Unix seconds.
    pub at: f64,
    /// The command, or the path of a POST.
    pub command: String,
    /// Its parameters, each list as its items; of a POST, its body alone.
    pub parameters: Vec<(String, Vec<String>)>,
}

impl Call {
    /// The first value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, values) = self.parameters.iter().find(|(known, _)| known == name)?;
        values.first().map(String::as_str)
    }

    /// The body of a POST, which is JSON.
    pub fn body(&self) -> Value {
        serde_json::from_str(self.get("").expect("it is a POST")).expect("the body is JSON")
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub enum Reply {
    /// The data of a call that succeeds.
    Data(Value),
    /// The description of a call that fails.
    Fail(&'static str),
    /// A status code.
    Status(u16),
    /// The connection is closed.
    Nothing,
    /// The connection stays open without an answer.
    Silence,
    /// An answer, after some milliseconds.
    Slow(u64, Box<Self>),
}

type Script = dyn Fn(&Call) -> Reply + Send + Sync;

/// The requests that it received, and how many are and were at most under way at once.
#[derive(Debug, Default)]
struct Received {
    calls: Vec<Call>,
    busy: usize,
    most_busy: usize,
}

/// The server.
#[derive(Debug)]
pub struct FakeServer {
    /// Where it listens.
    pub address: SocketAddr,
    received: Arc<Mutex<Received>>,
    /// Ends the server's own runtime, where it has one.
    _runtime: Option<oneshot::Sender<()>>,
}

impl FakeServer {
    /// Starts one in the runtime of an async test.
    pub async fn start(script: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let (received, script): (Arc<Mutex<Received>>, Arc<Script>) = (Arc::default(), Arc::new(script));
        tokio::spawn(serve(listener, Arc::clone(&received), script));
        Self { address, received, _runtime: None }
    }

    /// Starts one on a thread of its own, for a test that is not async.
    pub fn start_on_thread(script: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Self {
        let (started, start) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
            runtime.block_on(async {
                started.send(Self::start(script).await).expect("the test waits");
                // An error is the end of the test.
                drop(stopped.await);
            });
        });
        Self { _runtime: Some(stop), ..start.recv().expect("the server starts") }
    }

    /// All requests so far except for calls of `listConfig`.
    pub fn calls(&self) -> Vec<Call> {
        self.all().into_iter().filter(|call| call.command != "listConfig").collect()
    }

    /// All requests so far.
    pub fn all(&self) -> Vec<Call> {
        lock(&self.received).calls.clone()
    }

    /// How many requests were under way at once, at most.
    pub fn most_at_once(&self) -> usize {
        lock(&self.received).most_busy
    }
}

fn lock(received: &Mutex<Received>) -> MutexGuard<'_, Received> {
    received.lock().expect("no thread has panicked with it")
}

async fn serve(listener: TcpListener, received: Arc<Mutex<Received>>, script: Arc<Script>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (received, script) = (Arc::clone(&received), Arc::clone(&script));
        tokio::spawn(async move {
            let answer = service_fn(async |request| answer(request, &received, &*script).await);
            // A caller that disconnects is not a failure of the test, nor is an answer that is withheld.
            drop(
                http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), answer).await,
            );
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    received: &Mutex<Received>,
    script: &Script,
) -> io::Result<Response<String>> {
    let call = read(request).await?;
    {
        let mut received = lock(received);
        received.calls.push(call.clone());
        received.busy += 1;
        received.most_busy = received.most_busy.max(received.busy);
    }
    let mut reply = script(&call);
    while let Reply::Slow(millis, then) = reply {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        reply = *then;
    }
    lock(received).busy -= 1;
    let (status, body) = match reply {
        Reply::Data(data) => (200, json!({"data": data, "description": "fine", "status": "SUCCESS"})),
        Reply::Fail(description) => {
            (200, json!({"data": null, "description": description, "status": "FAIL"}))
        }
        Reply::Status(status) => (status, Value::Null),
        Reply::Nothing => return Err(io::ErrorKind::ConnectionAborted.into()),
        Reply::Silence | Reply::Slow(..) => return std::future::pending().await,
    };
    Response::builder().status(status).body(body.to_string()).map_err(io::Error::other)
}

async fn read(request: Request<Incoming>) -> io::Result<Call> {
    let at = now();
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let command = head.uri.path().trim_start_matches('/').to_owned();
    let parameters = if head.method == Method::POST {
        vec![(String::new(), vec![String::from_utf8(body.into()).expect("the body is UTF-8")])]
    } else {
        let query = head.uri.query().and_then(|query| query.strip_prefix("params=")).unwrap_or_default();
        let line = STANDARD.decode(query).expect("parameters are in base 64");
        parameters(&String::from_utf8(line).expect("parameters are UTF-8"))
    };
    Ok(Call { at, command, parameters })
}

/// Takes a line of parameters apart as the server does.
fn parameters(line: &str) -> Vec<(String, Vec<String>)> {
    assert!(!line.contains(char::is_control), "another command: {line:?}");
    let mut all: Vec<(String, Vec<String>)> = Vec::new();
    let (mut name, mut values, mut text, mut in_value) = (String::new(), Vec::new(), String::new(), false);
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.extend(characters.next()),
            '=' if !in_value => (name, in_value) = (std::mem::take(&mut text), true),
            ',' => values.push(std::mem::take(&mut text)),
            ' ' => {
                values.push(std::mem::take(&mut text));
                all.push((std::mem::take(&mut name), std::mem::take(&mut values)));
                in_value = false;
            }
            other => text.push(other),
        }
    }
    if in_value {
        values.push(text);
        all.push((name, values));
    }
    all
}
