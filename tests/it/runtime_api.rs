//! The client of the runtime API against a simulated server, over real sockets.

use std::sync::Arc;
use std::time::Duration;

use ems_protocol::runtime_api::parameter::{Parameter, Unsendable, Value};
use ems_protocol::runtime_api::{Answer, Api, Error, Login, MAX_LIST};
use ems_simulator::{ApiFaults, Options, Simulation, Target};
use testkit::wait::{holds, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A running server whose events go nowhere, and its API.
struct Server {
    simulation: Arc<Simulation>,
    api: Api,
    stop: CancellationToken,
}

impl Server {
    async fn start(options: Options) -> Self {
        // Nothing listens there: events are lost at once.
        let url = Target { port: 1, ..Target::default() };
        let options = Options { url, api: Some("127.0.0.1:0".to_owned()), ..options };
        let simulation = Arc::new(Simulation::new(options).unwrap());
        let stop = CancellationToken::new();
        let (living, stopped) = (Arc::clone(&simulation), stop.clone());
        tokio::spawn(async move { living.run(stopped.cancelled()).await });
        let address = simulation.api_address().unwrap();
        let api = Api::new(format!("http://{address}").parse().unwrap(), None, Duration::from_secs(2));
        let server = Self { simulation, api, stop };
        until("the first stream", async || {
            holds(!server.simulation.truth().streams.is_empty(), server.simulation.truth())
        })
        .await;
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn with(parameters: &[(&str, &str)]) -> Vec<Parameter> {
    parameters.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect()
}

fn number(answer: &Answer, field: &str) -> u64 {
    let text = answer.data().unwrap().member(field).unwrap().unwrap();
    String::from_utf8_lossy(text.bytes()).parse().unwrap()
}

/// `configIds` of a command that may make several things.
fn first_config(answer: &Answer) -> u64 {
    let ids = answer.data().unwrap().member("configIds").unwrap().unwrap().items().unwrap();
    String::from_utf8_lossy(ids[0].bytes()).parse().unwrap()
}

#[tokio::test]
async fn commands_have_their_documented_effects() {
    let server = Server::start(Options { unattended: true, ..Options::default() }).await;
    let api = &server.api;
    let version = api.version(MAX_LIST).await.unwrap();
    assert!(version.data().unwrap().member("releaseNumber").unwrap().unwrap().text().is_some());
    let streams = api.list_streams(MAX_LIST).await.unwrap();
    assert_eq!(streams.data().unwrap().items().unwrap().len(), server.simulation.truth().streams.len());

    let files = with(&[("localStreamNames", "cam1"), ("targetFolder", "/srv/www"), ("groupName", "g")]);
    let hls = first_config(&api.call("createHLSStream", &files).await.unwrap());
    api.call("createHDSStream", &files).await.unwrap();
    api.call("createDASHStream", &files).await.unwrap();
    api.call("createMSSStream", &files).await.unwrap();
    api.call("record", &with(&[("localStreamName", "cam1"), ("pathToFile", "/srv/cam1")])).await.unwrap();
    let push = with(&[("localStreamName", "cam1"), ("uri", "rtmp://192.0.2.9/live")]);
    api.call("pushStream", &push).await.unwrap();
    api.call("pullStream", &with(&[("localStreamName", "more"), ("uri", "rtmp://192.0.2.9/live/x")]))
        .await
        .unwrap();
    let twice = api.call("createHLSStream", &files).await.unwrap_err();
    assert!(matches!(&twice, Error::Failed(why) if why.contains("HLS")), "{twice}");

    let config = api.list_config(MAX_LIST).await.unwrap();
    let families = config.data().unwrap().members().unwrap();
    for family in ["dash", "hds", "hls", "mss", "push", "record"] {
        let (_, items) = families.iter().find(|(name, _)| *name == family.as_bytes()).unwrap();
        assert_eq!(items.items().unwrap().len(), 1, "{family}");
    }
    let outputs = |format: &str| {
        let truth = server.simulation.truth();
        truth
            .outputs
            .iter()
            .filter(|output| format!("{:?}", output.format).eq_ignore_ascii_case(format))
            .count()
    };
    while outputs("hls") == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    api.call("removeConfig", &[("id".to_owned(), hls.into())]).await.unwrap();
    assert_eq!(outputs("hls"), 0);

    let timer = number(&api.call("setTimer", &with(&[("value", "30")])).await.unwrap(), "timerId");
    assert_eq!(api.list_timers(MAX_LIST).await.unwrap().data().unwrap().items().unwrap().len(), 1);
    api.call("removeTimer", &[("id".to_owned(), timer.into())]).await.unwrap();
    assert!(api.list_timers(MAX_LIST).await.unwrap().data().unwrap().items().unwrap().is_empty());
    api.list_http_streaming_sessions(MAX_LIST).await.unwrap();

    let id = server.simulation.truth().streams["cam1"];
    let permanently = [("id".to_owned(), id.into()), ("permanently".to_owned(), Value::truth(true))];
    api.call("shutdownStream", &permanently).await.unwrap();
    assert!(server.simulation.truth().streams.get("cam1") != Some(&id));
    let gone = api.call("shutdownStream", &permanently).await.unwrap_err();
    assert!(gone.is_gone(), "{gone}");
    let wrong = api.call("frobnicate", &[]).await.unwrap_err();
    assert!(wrong.to_string().contains("not known") && !wrong.is_gone(), "{wrong}");
}

#[tokio::test]
async fn hostile_values_arrive_unchanged_or_are_not_sent() {
    let server = Server::start(Options { unattended: true, ..Options::default() }).await;
    let names = [
        "with space",
        "a=b",
        "a,b",
        r"back\\slash \,",
        "quote\"'",
        "..",
        "../../etc",
        "%20&id=1#x",
        "Zürich \u{1f3a5}",
        "trailing ",
        "=",
        ",",
        " ",
        "permanently=1",
    ];
    for name in names {
        let parameters = with(&[("localStreamName", name), ("permanently", "0")]);
        let answer = server.api.call("shutdownStream", &parameters).await;
        assert!(answer.is_err_and(|error| error.is_gone()), "{name:?}");
        let call = server.simulation.calls().pop().unwrap();
        let received: Vec<(&str, &str)> =
            call.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(received, [("localStreamName", name), ("permanently", "0")]);
    }
    let before = server.simulation.calls().len();
    for name in ["new\nshutdownServer", "carriage\rreturn", "nul\0", "bell\u{7}", "\u{9b}"] {
        let rejected = server.api.call("shutdownStream", &with(&[("localStreamName", name)])).await;
        assert!(
            matches!(rejected, Err(Error::Unsendable(Unsendable::Control(_)))),
            "{name:?} must not be sent: {rejected:?}"
        );
    }
    assert_eq!(server.simulation.calls().len(), before, "nothing was sent");
    assert!(server.simulation.calls().iter().all(|call| !call.injected));
}

#[tokio::test]
async fn each_kind_of_failure_is_reported_as_its_own_error() {
    let server = Server::start(Options::default()).await;
    let api = &server.api;
    let every = |fault: fn(&mut ApiFaults)| {
        let mut faults = ApiFaults { slow_for: Duration::from_secs(3), ..ApiFaults::default() };
        fault(&mut faults);
        server.simulation.set_api_faults(faults);
    };
    every(|faults| faults.fail = 1.0);
    assert!(matches!(api.version(MAX_LIST).await, Err(Error::Failed(_))));
    every(|faults| faults.reset = 1.0);
    let reset = api.version(MAX_LIST).await.unwrap_err();
    assert!(matches!(reset, Error::Broken(_)) && reset.is_retryable(), "{reset}");
    every(|faults| faults.garbage = 1.0);
    let garbage = api.version(MAX_LIST).await.unwrap_err();
    assert!(matches!(garbage, Error::Garbage(_)) && garbage.is_retryable(), "{garbage}");
    every(|faults| faults.slow = 1.0);
    let late = api.version(MAX_LIST).await.unwrap_err();
    assert_eq!(late.to_string(), "no answer within 2s");
    let unreachable = Api::new("http://127.0.0.1:1".parse().unwrap(), None, Duration::from_secs(2));
    assert!(matches!(unreachable.version(MAX_LIST).await, Err(Error::Connect(_))));
}

#[tokio::test]
async fn the_proxy_of_the_web_server_requires_credentials() {
    let server =
        Server::start(Options { api_auth: Some("me:se cret".to_owned()), ..Options::default() }).await;
    let address = server.simulation.api_address().unwrap();
    let proxy = |password: Option<&str>| {
        let login = password.map(|password| Login { user: "me".to_owned(), password: password.to_owned() });
        Api::new(
            format!("http://{address}/apiproxy").parse().unwrap(),
            login.as_ref(),
            Duration::from_secs(2),
        )
    };
    proxy(Some("se cret")).list_timers(MAX_LIST).await.unwrap();
    for wrong in [None, Some("other")] {
        let rejected = proxy(wrong).version(MAX_LIST).await.unwrap_err();
        assert_eq!(rejected.to_string(), "wrong user name or password (HTTP 401)");
        assert!(!rejected.is_retryable());
    }
}

/// Answers each call with these bytes.
async fn canned(answer: Vec<u8>) -> Api {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.unwrap();
            assert!(request[..read].ends_with(b"\r\n\r\n"), "one small request");
            stream.write_all(&answer).await.unwrap();
        }
    });
    Api::new(format!("http://{address}").parse().unwrap(), None, Duration::from_secs(2))
}

fn http(head: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{head}Content-Length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

#[tokio::test]
async fn unusual_answers_are_read_and_invalid_ones_are_reported() {
    let good = "{\"data\":null,\"description\":\"Available streams\",\"status\":\"SUCCESS\"}\r\n\r\n";
    // The headers of a stock RMS, as it sends them with events.
    let api = canned(http(
        "User-Agent: RDKC Media Server (www.comcast.com)\r\n\0GetOutContent-Type: text/plain\r\n",
        good,
    ))
    .await;
    assert!(
        api.list_streams(MAX_LIST).await.unwrap().data().unwrap().items().unwrap().is_empty(),
        "null is an empty list"
    );
    // A stream name with a control byte, which no strict reader takes.
    let name = "{\"data\":[{\"name\":\"ctl\u{1}x\"}],\"status\":\"SUCCESS\"}";
    let answer = canned(http("", name)).await.list_streams(MAX_LIST).await.unwrap();
    let items = answer.data().unwrap().items().unwrap();
    assert_eq!(items[0].member("name").unwrap().unwrap().text().unwrap(), "ctl\u{1}x");
    // Many streams.
    let stream = "{\"name\":\"cam\",\"audio\":{\"bytesCount\":1}},".repeat(100_000);
    let many = format!("{{\"data\":[{}],\"status\":\"SUCCESS\"}}", stream.trim_end_matches(','));
    let answer = canned(http("", &many)).await.list_streams(MAX_LIST).await.unwrap();
    assert_eq!(answer.data().unwrap().items().unwrap().len(), 100_000);
    let more = many.replace("[{", "[{\"name\":\"cam\"},{");
    let answer_of_more = canned(http("", &more)).await.list_streams(MAX_LIST).await.unwrap();
    let error = answer_of_more.data().unwrap().items().unwrap_err().to_string();
    assert_eq!(error, "a list has more than 100000 items");
    // The lists of a poll share a limit.
    assert_eq!(answer.size, many.len());
    assert!(canned(http("", &many)).await.list_streams(many.len()).await.is_ok());
    let error = canned(http("", &many)).await.list_streams(many.len() - 1).await.unwrap_err().to_string();
    assert_eq!(error, format!("the answer is larger than {} bytes", many.len() - 1));
    let error = canned(http("", &many)).await.call("pushStream", &[]).await.unwrap_err().to_string();
    assert_eq!(error, "the answer is larger than 1048576 bytes");
    for (odd, message) in [
        (http("", "{}"), "cannot decode the answer: the field status is missing"),
        (http("", "<html>"), "cannot decode the answer: invalid json at byte 1"),
        (http("", "{\"status\":\"FAIL\",\"description\":\"no\"}"), "the server says: no"),
        (
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
            "the response is not from the runtime API: HTTP 404",
        ),
        (b"SSH-2.0-OpenSSH\r\n".to_vec(), "the connection broke: "),
    ] {
        let error = canned(odd).await.list_streams(MAX_LIST).await.unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}
