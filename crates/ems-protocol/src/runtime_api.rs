//! The server's runtime API: encoding, the commands, and one function for each that we use.
//!
//! Every call is a connection of its own, which the server closes. It answers 200 whatever comes
//! of it, with `SUCCESS` or `FAIL` in the body; `SUCCESS` means that a command was accepted, not
//! that it is done.

mod address;
pub mod command;
pub mod parameter;

use std::io;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Request, StatusCode};
use tokio::time::timeout;

use crate::http_client::{Broken, exchange};
use crate::message::Rejection;
use crate::message::json::Part;

pub use address::Address;
use parameter::{Parameter, Unsendable, Value, encode};

/// The largest answer, in bytes: a list of 50 000 streams.
const LARGEST: usize = 64 << 20;
/// How long a call may take unless configured.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// The runtime API of one server.
#[derive(Debug)]
pub struct Api {
    address: Address,
    /// The value of the header Authorization; it never appears in what is printed.
    authorization: Option<HeaderValue>,
    patience: Duration,
}

/// Who asks: for the proxy of the server's web server.
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

/// What the server answered to a command that it accepted.
#[derive(Debug, Clone)]
pub struct Answer {
    /// `data`, where the answer has it.
    data: Option<Bytes>,
}

/// Why a call came to nothing. No parameter is part of it: they may hold secrets.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It was not sent.
    #[error(transparent)]
    Unsendable(#[from] Unsendable),
    /// Nothing listens, or not in time.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// The connection broke, or what came was no HTTP.
    #[error("the connection broke: {0}")]
    Broken(hyper::Error),
    /// There was no whole answer in time. The command may have been carried out.
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// The proxy wants other credentials.
    #[error("the user name or password is wrong (HTTP {})", .0.as_u16())]
    Login(StatusCode),
    /// Something that is not the API answered.
    #[error("something else answers there: HTTP {}", .0.as_u16())]
    Status(StatusCode),
    /// More than we take.
    #[error("the answer is larger than {LARGEST} bytes")]
    Large,
    /// What came was no answer of the API.
    #[error("the answer cannot be read: {0}")]
    Garbage(Rejection),
    /// The server refused the command.
    #[error("the server says: {0}")]
    Failed(String),
}

impl From<Broken> for Error {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Connect(error) => Self::Connect(error),
            Broken::Http(error) => Self::Broken(error),
            Broken::Large => Self::Large,
        }
    }
}

impl Error {
    /// Whether the same call may well succeed a little later.
    pub const fn passes(&self) -> bool {
        match self {
            Self::Connect(_)
            | Self::Broken(_)
            | Self::Late(_)
            | Self::Large
            | Self::Garbage(_)
            | Self::Failed(_) => true,
            Self::Unsendable(_) | Self::Login(_) | Self::Status(_) => false,
        }
    }

    /// Whether the server answered in its own words.
    pub const fn is_answer(&self) -> bool {
        matches!(self, Self::Failed(_))
    }

    /// Whether the command may have been carried out all the same.
    pub const fn may_be_done(&self) -> bool {
        match self {
            Self::Broken(_) | Self::Late(_) | Self::Large | Self::Garbage(_) => true,
            Self::Unsendable(_) | Self::Connect(_) | Self::Login(_) | Self::Status(_) | Self::Failed(_) => {
                false
            }
        }
    }

    /// Whether the server says that the stream of the call is gone, which is no trouble: it went
    /// while the call was on its way.
    pub fn is_gone(&self) -> bool {
        match self {
            Self::Failed(why) => {
                let gone = why.contains("no longer available") || why.ends_with("not found");
                gone && why.starts_with("Stream ")
            }
            Self::Unsendable(_)
            | Self::Connect(_)
            | Self::Broken(_)
            | Self::Late(_)
            | Self::Login(_)
            | Self::Status(_)
            | Self::Large
            | Self::Garbage(_) => false,
        }
    }
}

impl Api {
    /// The API at an address; nothing is sent yet.
    pub fn new(address: Address, login: Option<&Login>, patience: Duration) -> Self {
        let authorization = login.and_then(|Login { user, password }| {
            let mut value =
                HeaderValue::try_from(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
                    .ok()?;
            value.set_sensitive(true);
            Some(value)
        });
        Self { address, authorization, patience }
    }

    /// Where it is.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Calls any command.
    pub async fn call(&self, command: &str, parameters: &[Parameter]) -> Result<Answer, Error> {
        let line = encode(parameters)?;
        // The server reads the characters of Base64 as they are; it knows no percent escapes.
        let query =
            if line.is_empty() { String::new() } else { format!("?params={}", STANDARD.encode(line)) };
        let target = format!("{}/{command}{query}", self.address.prefix);
        let asked = timeout(self.patience, self.ask(&target)).await;
        let body = asked.unwrap_or(Err(Error::Late(self.patience)))?;
        Answer::read(body)
    }

    async fn ask(&self, target: &str) -> Result<Bytes, Error> {
        let authority = self.address.authority();
        let mut request = Request::get(target).header(header::HOST, &authority);
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let request = request
            .body(Full::default())
            .map_err(|_| Error::Unsendable(Unsendable::Name(target.to_owned())))?;
        match exchange(&authority, request, LARGEST).await? {
            (StatusCode::OK, body) => Ok(body),
            (status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN), _) => Err(Error::Login(status)),
            (status, _) => Err(Error::Status(status)),
        }
    }
}

/// Posts JSON to some other program; any success is good, and what it says is not looked at.
pub async fn post_json(address: &Address, body: Bytes, patience: Duration) -> Result<(), Error> {
    let authority = address.authority();
    let target = if address.prefix.is_empty() { "/" } else { &address.prefix };
    let request = Request::post(target)
        .header(header::HOST, &authority)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(body))
        .map_err(|_| Error::Unsendable(Unsendable::Name(target.to_owned())))?;
    let answered = timeout(patience, exchange(&authority, request, LARGEST)).await;
    let (status, _) = answered.map_err(|_| Error::Late(patience))??;
    if status.is_success() { Ok(()) } else { Err(Error::Status(status)) }
}

impl Answer {
    fn read(body: Bytes) -> Result<Self, Error> {
        // Once: a list of many streams has megabytes.
        let members = Part::of(&body).members().map_err(Error::Garbage)?;
        let member =
            |name: &str| members.iter().find(|(key, _)| *key == name.as_bytes()).map(|(_, part)| *part);
        match member("status").and_then(Part::text).as_deref() {
            Some("SUCCESS") => Ok(Self { data: member("data").map(|data| body.slice_ref(data.bytes())) }),
            Some("FAIL") => {
                let description = member("description").and_then(Part::text);
                Err(Error::Failed(description.unwrap_or_default().into_owned()))
            }
            Some(_) | None => Err(Error::Garbage(Rejection::MissingField("status"))),
        }
    }

    /// What the command is about: `data`.
    pub fn data(&self) -> Result<Part<'_>, Error> {
        let data = self.data.as_deref().map(Part::of);
        data.ok_or(Error::Garbage(Rejection::MissingField("data")))
    }
}

/// The commands that we use. Each answers with what the server's documents say, by
/// [`Answer::data`]; those that create or set something take the parameters of [`command`].
impl Api {
    /// What the server is: `releaseNumber`, `buildNumber` and more.
    pub async fn version(&self) -> Result<Answer, Error> {
        self.call("version", &[]).await
    }

    /// All streams, those between origin and edges too, with live counters.
    pub async fn list_streams(&self) -> Result<Answer, Error> {
        self.call("listStreams", &[("disableInternalStreams".to_owned(), Value::truth(false))]).await
    }

    /// All pulls, pushes and outputs that are configured, by family, with their status.
    pub async fn list_config(&self) -> Result<Answer, Error> {
        self.call("listConfig", &[]).await
    }

    /// All timers that are set.
    pub async fn list_timers(&self) -> Result<Answer, Error> {
        self.call("listTimers", &[]).await
    }

    /// All viewers of the server's own web server.
    pub async fn list_http_streaming_sessions(&self) -> Result<Answer, Error> {
        self.call("listHttpStreamingSessions", &[]).await
    }

    /// Writes streams as HLS.
    pub async fn create_hls_stream(&self, with: &[Parameter]) -> Result<Answer, Error> {
        self.call("createHLSStream", with).await
    }

    /// Writes streams as HDS.
    pub async fn create_hds_stream(&self, with: &[Parameter]) -> Result<Answer, Error> {
        self.call("createHDSStream", with).await
    }

    /// Writes streams as DASH.
    pub async fn create_dash_stream(&self, with: &[Parameter]) -> Result<Answer, Error> {
        self.call("createDASHStream", with).await
    }

    /// Writes streams as Smooth Streaming.
    pub async fn create_mss_stream(&self, with: &[Parameter]) -> Result<Answer, Error> {
        self.call("createMSSStream", with).await
    }

    /// Records a stream.
    pub async fn record(&self, with: &[Parameter]) -> Result<Answer, Error> {
        self.call("record", with).await
    }

    /// Sends a stream on.
    pub async fn push_stream(&self, with: &[Parameter]) -> Result<Answer, Error> {
        self.call("pushStream", with).await
    }

    /// Fetches a stream.
    pub async fn pull_stream(&self, with: &[Parameter]) -> Result<Answer, Error> {
        self.call("pullStream", with).await
    }

    /// Cuts a stream, by the server's id of it; `permanently` also removes the configuration that
    /// would bring it back.
    pub async fn shutdown_stream(&self, id: u64, permanently: bool) -> Result<Answer, Error> {
        let with = [("id".to_owned(), id.into()), ("permanently".to_owned(), Value::truth(permanently))];
        self.call("shutdownStream", &with).await
    }

    /// Ends what a configuration made, by its `configId`, and forgets it.
    pub async fn remove_config(&self, id: u64) -> Result<Answer, Error> {
        self.call("removeConfig", &[("id".to_owned(), id.into())]).await
    }

    /// Sets a timer: seconds for one that repeats, or a time of day or date in UTC.
    pub async fn set_timer(&self, value: &str) -> Result<Answer, Error> {
        self.call("setTimer", &[("value".to_owned(), value.into())]).await
    }

    /// Removes a timer, by its `timerId`.
    pub async fn remove_timer(&self, id: u64) -> Result<Answer, Error> {
        self.call("removeTimer", &[("id".to_owned(), id.into())]).await
    }
}
