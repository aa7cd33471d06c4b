//! The server's runtime API: the client, and the commands with their parameters.
//!
//! Every call has a connection of its own, which the server closes. The status is always 200, with
//! `SUCCESS` or `FAIL` in the body; `SUCCESS` means that a command was accepted, not that it has
//! been carried out.

mod address;
pub mod command;
pub mod parameter;

use std::io;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Bytes;
use tokio::time;

use crate::decode::json::Part;
use crate::http_client::{ExchangeError, Request, Response, exchange};
use crate::rejection::Rejection;

pub use address::Address;
use parameter::{Parameter, Unsendable, Value, encode};

/// The largest list, in bytes: one of 50 000 streams.
pub const MAX_LIST: usize = 64 << 20;
/// The largest answer to any other command, in bytes.
const MAX_ANSWER: usize = 1 << 20;
/// How long a call may take unless configured.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// A value that debugging output leaves out.
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

/// The runtime API of one server.
#[derive(Debug)]
pub struct Api {
    address: Address,
    /// The value of the header Authorization.
    authorization: Option<Secret>,
    timeout: Duration,
}

/// Credentials for the proxy of the server's web server.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The answer to a command that the server accepted.
#[derive(Debug, Clone)]
pub struct Answer {
    /// `data`, if the answer has it.
    data: Option<Bytes>,
    /// The size of the whole answer, in bytes.
    pub size: usize,
}

/// Why a call failed. It never contains a parameter: parameters may be secrets.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It was not sent.
    #[error(transparent)]
    Unsendable(#[from] Unsendable),
    /// No connection was made.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// The connection broke, or the response is not HTTP.
    #[error("the connection broke: {0}")]
    Broken(io::Error),
    /// There was no complete answer in time. The command may have been carried out.
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// The proxy rejects the credentials.
    #[error("wrong user name or password (HTTP {0})")]
    Login(u16),
    /// The response is not from the API.
    #[error("the response is not from the runtime API: HTTP {0}")]
    Status(u16),
    /// The answer is larger than the limit.
    #[error("the answer is larger than {0} bytes")]
    Large(usize),
    /// The answer cannot be decoded.
    #[error("cannot decode the answer: {0}")]
    Garbage(Rejection),
    /// The server rejected the command.
    #[error("the server says: {0}")]
    Failed(String),
}

/// Sends a request and reads the response of at most `limit` bytes.
async fn answer(request: Request<'_>, limit: usize) -> Result<Response, Error> {
    exchange(request, limit).await.map_err(|error| match error {
        ExchangeError::Request(error) => Error::Unsendable(Unsendable::Name(error.to_string())),
        ExchangeError::Connect(error) => Error::Connect(error),
        ExchangeError::Connection(error) => Error::Broken(error),
        ExchangeError::TooLarge => Error::Large(limit),
    })
}

impl Error {
    /// Whether the same call may succeed later.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Connect(_)
            | Self::Broken(_)
            | Self::Late(_)
            | Self::Large(_)
            | Self::Garbage(_)
            | Self::Failed(_) => true,
            Self::Unsendable(_) | Self::Login(_) | Self::Status(_) => false,
        }
    }

    /// Whether the server itself rejected the command.
    pub const fn is_answer(&self) -> bool {
        matches!(self, Self::Failed(_))
    }

    /// Whether the command may have been carried out nevertheless.
    pub const fn may_be_done(&self) -> bool {
        match self {
            Self::Broken(_) | Self::Late(_) | Self::Large(_) | Self::Garbage(_) => true,
            Self::Unsendable(_) | Self::Connect(_) | Self::Login(_) | Self::Status(_) | Self::Failed(_) => {
                false
            }
        }
    }

    /// Whether the stream of the call is gone: it was closed while the call was in flight, which is
    /// not a failure.
    pub fn is_gone(&self) -> bool {
        let Self::Failed(why) = self else { return false };
        why.starts_with("Stream ") && (why.contains("no longer available") || why.ends_with("not found"))
    }
}

impl Api {
    /// The API at an address; sends nothing.
    pub fn new(address: Address, login: Option<&Login>, timeout: Duration) -> Self {
        let authorization = login.map(|Login { user, password }| {
            Secret(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
        });
        Self { address, authorization, timeout }
    }

    /// The address of the API.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Calls any command.
    pub async fn call(&self, command: &str, parameters: &[Parameter]) -> Result<Answer, Error> {
        self.call_within(MAX_ANSWER, command, parameters).await
    }

    async fn call_within(
        &self,
        limit: usize,
        command: &str,
        parameters: &[Parameter],
    ) -> Result<Answer, Error> {
        let line = encode(parameters)?;
        // The server reads the characters of Base64 as they are; it knows no percent escapes.
        let query =
            if line.is_empty() { String::new() } else { format!("?params={}", STANDARD.encode(line)) };
        let target = format!("{}/{command}{query}", self.address.prefix);
        let response = time::timeout(self.timeout, self.get(&target, limit)).await;
        let body = response.unwrap_or(Err(Error::Late(self.timeout)))?;
        Answer::read(body)
    }

    async fn get(&self, target: &str, limit: usize) -> Result<Bytes, Error> {
        let authority = self.address.authority();
        let authorization =
            self.authorization.as_ref().map(|Secret(value)| ("Authorization", value.as_str()));
        let request = Request {
            method: "GET",
            authority: &authority,
            target,
            headers: authorization.as_slice(),
            body: Vec::new(),
        };
        let response = answer(request, limit).await?;
        match response.status {
            200 => Ok(response.body),
            status @ (401 | 403) => Err(Error::Login(status)),
            status => Err(Error::Status(status)),
        }
    }
}

/// Posts JSON to another program. Any success status will do; the body of the response is ignored.
pub async fn post_json(address: &Address, body: impl Into<Vec<u8>>, limit: Duration) -> Result<(), Error> {
    let authority = address.authority();
    let target = if address.prefix.is_empty() { "/" } else { &address.prefix };
    let headers = [("Content-Type", "application/json")];
    let request =
        Request { method: "POST", authority: &authority, target, headers: &headers, body: body.into() };
    let response =
        time::timeout(limit, answer(request, MAX_ANSWER)).await.map_err(|_| Error::Late(limit))??;
    if response.is_success() { Ok(()) } else { Err(Error::Status(response.status)) }
}

impl Answer {
    fn read(body: Bytes) -> Result<Self, Error> {
        // Scanned once: a list of many streams has megabytes.
        let members = Part::of(&body).members().map_err(Error::Garbage)?;
        let member =
            |name: &str| members.iter().find(|(key, _)| *key == name.as_bytes()).map(|(_, part)| *part);
        match member("status").and_then(Part::text).as_deref() {
            Some("SUCCESS") => {
                Ok(Self { data: member("data").map(|data| body.slice_ref(data.bytes())), size: body.len() })
            }
            Some("FAIL") => {
                let description = member("description").and_then(Part::text);
                Err(Error::Failed(description.unwrap_or_default().into_owned()))
            }
            Some(_) | None => Err(Error::Garbage(Rejection::MissingField("status"))),
        }
    }

    /// The member `data`.
    pub fn data(&self) -> Result<Part<'_>, Error> {
        let data = self.data.as_deref().map(Part::of);
        data.ok_or(Error::Garbage(Rejection::MissingField("data")))
    }
}

/// The commands that reconciliation uses, whose answers have at most `limit` bytes. [`Answer::data`] is as the server's
/// documentation describes it.
impl Api {
    /// The version of the server: `releaseNumber`, `buildNumber` and more.
    pub async fn version(&self, limit: usize) -> Result<Answer, Error> {
        self.call_within(limit, "version", &[]).await
    }

    /// All streams, those between origin and edges too, with live counters.
    pub async fn list_streams(&self, limit: usize) -> Result<Answer, Error> {
        self.call_within(limit, "listStreams", &[("disableInternalStreams".to_owned(), Value::truth(false))])
            .await
    }

    /// All pulls, pushes and outputs that are configured, by family, with their status.
    pub async fn list_config(&self, limit: usize) -> Result<Answer, Error> {
        self.call_within(limit, "listConfig", &[]).await
    }

    /// All timers that are set.
    pub async fn list_timers(&self, limit: usize) -> Result<Answer, Error> {
        self.call_within(limit, "listTimers", &[]).await
    }

    /// All viewers of the server's own web server.
    pub async fn list_http_streaming_sessions(&self, limit: usize) -> Result<Answer, Error> {
        self.call_within(limit, "listHttpStreamingSessions", &[]).await
    }
}
