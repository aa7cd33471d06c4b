//! The listener of the API: one connection per call, closed after the answer.

use super::calls::{Call, CallAnswer, Calls};
use super::faults::{CallFaults, CallOutcome};
use super::request::ApiRequest;
use crate::command::{Answer, Command};
use crate::options::{ApiFaults, Options};
use crate::serialize;
use crate::shared_world::SharedWorld;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A longer line is not a command: the server drops the connection.
const LONGEST_LINE: usize = 16 * 1024;

/// The API of one simulated server.
#[derive(Debug)]
pub(crate) struct ApiListener {
    address: SocketAddr,
    listener: Mutex<Option<std::net::TcpListener>>,
    world: Arc<SharedWorld>,
    agent: &'static str,
    /// The `Authorization` header that the proxy requires.
    authorization: Option<String>,
    faults: Mutex<CallFaults>,
    calls: Mutex<Calls>,
}

/// The connection is to be dropped without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped")]
struct Dropped;

impl ApiListener {
    /// Binds the address, so that its port is known, without serving yet.
    pub(crate) fn bind(
        address: &str,
        world: &Arc<SharedWorld>,
        options: &Options,
        agent: &'static str,
    ) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            address: listener.local_addr()?,
            listener: Mutex::new(Some(listener)),
            world: Arc::clone(world),
            agent,
            authorization: options.api_auth.as_ref().map(|login| format!("Basic {}", STANDARD.encode(login))),
            faults: Mutex::new(CallFaults::new(options)),
            calls: Mutex::default(),
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn set_faults(&self, faults: ApiFaults) {
        lock(&self.faults).shares = faults;
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        lock(&self.calls).all()
    }

    /// Serves until it is dropped, which drops every connection; while there is no server, connections are not served.
    pub(crate) async fn serve(self: Arc<Self>) -> io::Result<()> {
        let Some(listener) = lock(&self.listener).take() else {
            return Ok(());
        };
        let listener = TcpListener::from_std(listener)?;
        tracing::info!(address = %self.address, "the API of the simulated server is listening");
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => drop(connections.spawn(Arc::clone(&self).connection(stream))),
                    Err(error) => tracing::debug!(%error, "the API could not accept a connection"),
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    /// Serves one connection until the process that accepted it ends.
    async fn connection(self: Arc<Self>, stream: TcpStream) {
        let mut process = self.world.process();
        if process.borrow_and_update().is_none() {
            return;
        }
        let service = service_fn(|request| self.answer(request));
        let serving = http1::Builder::new()
            .keep_alive(false)
            .title_case_headers(true)
            .auto_date_header(false)
            .serve_connection(TokioIo::new(stream), service);
        tokio::select! {
            served = serving => if let Err(error) = served {
                tracing::debug!(%error, "a connection to the API ended");
            },
            _ = process.changed() => {}
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Dropped> {
        let uri = request.uri();
        let parsed = ApiRequest::read(uri.path(), uri.query(), self.authorization.is_some());
        let readable = parsed.line.is_some();
        let line = parsed.line.unwrap_or_else(|| uri.path().trim_start_matches('/').as_bytes().to_vec());
        if line.len() > LONGEST_LINE {
            return Err(Dropped);
        }
        let mut commands = Command::all(&line);
        if commands.is_empty() {
            commands.push(Command { name: Vec::new(), parameters: Vec::new() });
        }
        let numbered = self.receive(commands);
        let given = request.headers().get(header::AUTHORIZATION).map(header::HeaderValue::as_bytes);
        if parsed.proxied && given != self.authorization.as_ref().map(String::as_bytes) {
            self.note(&numbered, |call| call.answer = CallAnswer::Unauthorized);
            return Ok(self.unauthorized());
        }
        if !readable {
            return self.reject(&numbered, "Syntax error. Unable to decode parameters");
        }
        let outcome = lock(&self.faults).decide();
        self.respond(&numbered, outcome).await
    }

    /// Answers a call as its outcome demands.
    async fn respond(
        &self,
        commands: &[(usize, Command)],
        outcome: CallOutcome,
    ) -> Result<Response<Full<Bytes>>, Dropped> {
        match outcome {
            CallOutcome::Fine => {
                let answer = self.carry_out(commands)?;
                Ok(self.response(commands, &answer))
            }
            CallOutcome::Failed => self.reject(commands, "Operation failed"),
            CallOutcome::Reset { carried_out } => {
                if carried_out {
                    self.carry_out(commands)?;
                }
                self.note(commands, |call| call.answer = CallAnswer::Reset);
                Err(Dropped)
            }
            CallOutcome::Garbage { carried_out, cut } => {
                let answer = if carried_out { self.carry_out(commands)? } else { Answer::failure("") };
                self.note(commands, |call| call.answer = CallAnswer::Garbage);
                let body = if cut {
                    let mut body = body(&answer);
                    body.truncate(body.len() / 2);
                    body
                } else {
                    b"<html>no answer</html>\r\n\r\n".to_vec()
                };
                Ok(self.head(StatusCode::OK, body))
            }
            CallOutcome::Slow { carried_out, pause } => {
                self.note(commands, |call| call.slow = true);
                let early = if carried_out { Some(self.carry_out(commands)?) } else { None };
                tokio::time::sleep(pause).await;
                let answer = match early {
                    Some(answer) => answer,
                    None => self.carry_out(commands)?,
                };
                Ok(self.response(commands, &answer))
            }
        }
    }

    /// Records commands; all but the first were injected behind the end of a line.
    fn receive(&self, commands: Vec<Command>) -> Vec<(usize, Command)> {
        let mut calls = lock(&self.calls);
        let numbered = commands.into_iter().enumerate().map(|(place, command)| {
            let number = calls.add(&command, place > 0);
            (number, command)
        });
        numbered.collect()
    }

    /// Carries out every command; the answer is that to the first.
    fn carry_out(&self, commands: &[(usize, Command)]) -> Result<Answer, Dropped> {
        let mut first = None;
        for (number, command) in commands {
            let answer = self.world.command(command).ok_or(Dropped)?;
            if let Some(call) = lock(&self.calls).get_mut(*number) {
                call.carried_out = true;
                if first.is_some() {
                    call.answer = CallAnswer::of(&answer);
                }
            }
            first.get_or_insert(answer);
        }
        first.ok_or(Dropped)
    }

    /// Changes the record of the first command; injected ones keep theirs.
    fn note(&self, commands: &[(usize, Command)], change: impl FnOnce(&mut Call)) {
        if let Some((number, _)) = commands.first()
            && let Some(call) = lock(&self.calls).get_mut(*number)
        {
            change(call);
        }
    }

    /// Answers with FAIL without carrying anything out.
    fn reject(
        &self,
        commands: &[(usize, Command)],
        description: &str,
    ) -> Result<Response<Full<Bytes>>, Dropped> {
        let rejection = Answer::failure(description);
        match commands.first() {
            Some((_, command)) if self.world.reject(command, &rejection) => {
                Ok(self.response(commands, &rejection))
            }
            Some(_) | None => Err(Dropped),
        }
    }

    fn response(&self, commands: &[(usize, Command)], answer: &Answer) -> Response<Full<Bytes>> {
        self.note(commands, |call| call.answer = CallAnswer::of(answer));
        self.head(StatusCode::OK, body(answer))
    }

    fn unauthorized(&self) -> Response<Full<Bytes>> {
        let mut response = self.head(StatusCode::UNAUTHORIZED, Vec::new());
        let challenge = header::HeaderValue::from_static("Basic realm=\"apiproxy\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        response
    }

    /// The headers in the server's own order.
    fn head(&self, status: StatusCode, body: Vec<u8>) -> Response<Full<Bytes>> {
        let length = body.len();
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, header::HeaderValue::from_static("close"));
        headers.insert(header::CONTENT_LENGTH, header::HeaderValue::from(length));
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain"));
        let agent = header::HeaderValue::from_static(self.agent);
        for name in ["server", "user-agent", "x-powered-by"] {
            headers.insert(header::HeaderName::from_static(name), agent.clone());
        }
        response
    }
}

/// The answer as the server writes it.
fn body(answer: &Answer) -> Vec<u8> {
    let mut body = serialize::answer(answer);
    body.extend_from_slice(b"\r\n\r\n");
    body
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
