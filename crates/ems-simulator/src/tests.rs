//! The whole simulated server against a receiver on a loopback socket.

pub(crate) mod recorded;

use super::{Format, Options, Simulation, Target, Truth, run};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// No test waits longer for what it expects.
const DEADLINE: Duration = Duration::from_secs(20);

/// Answers every post and keeps it.
struct Receiver {
    target: Target,
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
    count: watch::Receiver<usize>,
}

impl Receiver {
    async fn answering(response: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (counter, count) = watch::channel(0);
        let kept = Arc::clone(&requests);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (kept, counter) = (Arc::clone(&kept), counter.clone());
                tokio::spawn(async move {
                    let request = read(stream, response).await;
                    kept.lock().unwrap().push(request);
                    counter.send_modify(|count| *count += 1);
                });
            }
        });
        Self {
            target: Target { port, path: "/events?tok=1".to_owned(), ..Target::default() },
            requests,
            count,
        }
    }

    /// Ready once so many posts have come.
    async fn received(&self, least: usize) {
        let mut count = self.count.clone();
        tokio::time::timeout(DEADLINE, count.wait_for(|count| *count >= least))
            .await
            .expect("the posts come in time")
            .unwrap();
    }

    fn requests(&self) -> Vec<Vec<u8>> {
        self.requests.lock().unwrap().clone()
    }

    /// The JSON bodies.
    fn bodies(&self) -> Vec<serde_json::Value> {
        self.requests()
            .iter()
            .map(|request| serde_json::from_slice(recorded::split(request).1).unwrap())
            .collect()
    }
}

/// Reads one request whole, answers it and waits until the sender closes.
async fn read(mut stream: TcpStream, response: &'static str) -> Vec<u8> {
    let mut request = Vec::new();
    let length = loop {
        assert!(stream.read_buf(&mut request).await.unwrap() > 0);
        let text = String::from_utf8_lossy(&request);
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length = head.split("Content-Length: ").nth(1).unwrap();
            break head.len() + 4 + length.trim().parse::<usize>().unwrap();
        }
    };
    while request.len() < length {
        assert!(stream.read_buf(&mut request).await.unwrap() > 0);
    }
    stream.write_all(response.as_bytes()).await.unwrap();
    let mut rest = Vec::new();
    assert_eq!(stream.read_to_end(&mut rest).await.unwrap(), 0, "the sender closes");
    request
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn total(numbers: &BTreeMap<&'static str, u64>) -> u64 {
    numbers.values().sum()
}

fn assert_accounted(truth: &Truth) {
    assert_eq!(
        total(&truth.emitted) + total(&truth.duplicated),
        total(&truth.delivered) + total(&truth.rejected) + total(&truth.lost)
    );
}

fn fast(receiver: &Receiver) -> Options {
    Options { url: receiver.target.clone(), speed: 50.0, ..Options::default() }
}

#[tokio::test]
async fn every_event_arrives_once_with_the_servers_own_head() {
    let receiver = Receiver::answering(OK).await;
    let truth = run(fast(&receiver), receiver.received(200)).await.unwrap();
    receiver.received(usize::try_from(total(&truth.emitted)).unwrap()).await;
    assert_accounted(&truth);
    assert_eq!(truth.delivered, truth.emitted);
    let mut ids: Vec<u64> = receiver.bodies().iter().map(|body| body["id"].as_u64().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..=truth.last_event_id).collect::<Vec<_>>());
    let stopping = receiver
        .bodies()
        .iter()
        .find(|body| body["type"] == "serverStopping")
        .and_then(|body| body["id"].as_u64());
    assert_eq!(stopping, Some(truth.last_event_id));
    for request in receiver.requests() {
        let (head, body) = recorded::split(&request);
        let expected = format!(
            "POST /events?tok=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: EvoStream Media Server (www.evostream.com)\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        assert_eq!(String::from_utf8_lossy(head), expected);
    }
}

#[tokio::test]
async fn xml_is_posted_as_xml() {
    let receiver = Receiver::answering(OK).await;
    let options = Options { format: Format::Xml, nul_header: true, ..fast(&receiver) };
    run(options, receiver.received(20)).await.unwrap();
    for request in receiver.requests() {
        let (head, body) = recorded::split(&request);
        let head = String::from_utf8_lossy(head);
        assert!(head.contains("\r\n\0GetOutContent-Type: application/xml\r\n"), "{head}");
        assert!(body.starts_with(b"<?xml version=\"1.0\" ?>\n<TYPED_MAP typeName="));
    }
}

#[tokio::test]
async fn the_truth_can_be_watched_while_the_server_runs() {
    let receiver = Receiver::answering(OK).await;
    let simulation = Simulation::new(fast(&receiver)).unwrap();
    assert!(!simulation.truth().running);
    let seen = async {
        receiver.received(200).await;
        let truth = simulation.truth();
        assert!(truth.running);
        assert_eq!(truth.streams.len(), 4);
        assert!(!truth.outputs.is_empty() && !truth.chunks_closed.is_empty());
    };
    let truth = simulation.run(seen).await.unwrap();
    assert!(!truth.running && truth.streams.is_empty());
    let json = serde_json::to_value(&truth).unwrap();
    assert_eq!(json["chunks_closed"][0]["format"], "hls");
}

#[tokio::test]
async fn an_event_whose_connection_fails_is_counted_as_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let options = Options {
        url: Target { port, ..Target::default() },
        speed: 50.0,
        duration: Some(Duration::from_millis(300)),
        ..Options::default()
    };
    let truth = run(options, std::future::pending()).await.unwrap();
    assert_accounted(&truth);
    assert_eq!(truth.lost, truth.emitted);
}

#[tokio::test]
async fn another_status_is_counted_and_not_tried_again() {
    let receiver = Receiver::answering("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n").await;
    let truth = run(fast(&receiver), receiver.received(50)).await.unwrap();
    assert_accounted(&truth);
    assert_eq!(truth.rejected, truth.emitted);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_never_answers_does_not_delay_the_stop() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = Options {
        url: Target { port: listener.local_addr().unwrap().port(), ..Target::default() },
        streams: 200,
        duration: Some(Duration::from_secs(15)),
        ..Options::default()
    };
    let truth = run(options, std::future::pending()).await.unwrap();
    assert_accounted(&truth);
    assert_eq!(truth.lost, truth.emitted);
}

#[tokio::test]
async fn requested_faults_are_counted() {
    let receiver = Receiver::answering(OK).await;
    let options = Options { duplicates: 0.3, reorder: 0.3, lose_closes: 1.0, burst: 10, ..fast(&receiver) };
    let truth = run(options, receiver.received(1500)).await.unwrap();
    assert_accounted(&truth);
    assert!(total(&truth.duplicated) > 0);
    assert_eq!(truth.lost.get("inStreamClosed"), truth.emitted.get("inStreamClosed"));
    assert!(truth.lost.contains_key("inStreamClosed"));
    assert!(!truth.lost.contains_key("hlsChunkClosed"));
    receiver.received(usize::try_from(total(&truth.delivered)).unwrap()).await;
    let ids: Vec<u64> = receiver.bodies().iter().map(|body| body["id"].as_u64().unwrap()).collect();
    assert!(ids.windows(2).any(|pair| pair[0] > pair[1]), "none overtook another");
    assert_eq!(ids.len() as u64, total(&truth.delivered));
}

#[tokio::test]
async fn the_events_of_a_command_are_posted_at_once() {
    let receiver = Receiver::answering(OK).await;
    let options = Options {
        url: receiver.target.clone(),
        streams: 0,
        unattended: true,
        api: Some("127.0.0.1:0".to_owned()),
        ..Options::default()
    };
    let simulation = Simulation::new(options).unwrap();
    let address = simulation.api_address().unwrap();
    let test = async {
        receiver.received(2).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /setTimer?params=dmFsdWU9NjA= HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
        // Nothing else happens in the first seconds of such a server.
        let soon = tokio::time::timeout(Duration::from_secs(5), receiver.received(5)).await;
        soon.expect("the events do not wait for the next thing that happens");
        let mut bodies = receiver.bodies();
        bodies.sort_by_key(|body| body["id"].as_u64());
        let names: Vec<&str> = bodies.iter().map(|body| body["type"].as_str().unwrap()).collect();
        assert_eq!(names[2..], ["cliRequest", "timerCreated", "cliResponse"]);
    };
    let truth = simulation.run(test).await.unwrap();
    assert_accounted(&truth);
}

#[tokio::test]
async fn faults_of_absent_streams_are_rejected_with_one_sentence() {
    let absent = Simulation::new(Options {
        stall: vec!["cam9:after=1s,for=1s".parse().unwrap()],
        ..Options::default()
    });
    assert_eq!(
        absent.unwrap_err().to_string(),
        "a stall is requested for cam9, which the simulated server does not have"
    );
    let unwritten = Simulation::new(Options {
        stall: vec!["cam1:hds:after=1s,for=1s".parse().unwrap()],
        ..Options::default()
    });
    assert!(unwritten.unwrap_err().to_string().contains("cam1:hds"));
    let troubled =
        Simulation::new(Options { freeze: vec!["cam9:after=1s".parse().unwrap()], ..Options::default() });
    assert_eq!(
        troubled.unwrap_err().to_string(),
        "an incident is requested for cam9, which the simulated server does not have"
    );
}
