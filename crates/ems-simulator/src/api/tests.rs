//! The API on a real socket: the bytes of its answers, the commands that hide in parameters, and every fault.

use super::CallAnswer;
use crate::tests::recorded;
use crate::{ApiFaults, Options, Simulation, Target};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// No test waits longer for what it expects.
const DEADLINE: Duration = Duration::from_secs(20);

/// One published stream without an operator; its events have no receiver.
fn options() -> Options {
    Options {
        url: Target { port: 1, ..Target::default() },
        streams: 1,
        unattended: true,
        api: Some("127.0.0.1:0".to_owned()),
        nul_header: true,
        ..Options::default()
    }
}

/// A server and where its API is.
fn server(options: Options) -> (Simulation, SocketAddr) {
    let simulation = Simulation::new(options).unwrap();
    let address = simulation.api_address().unwrap();
    (simulation, address)
}

/// Everything that comes back until the connection is closed; nothing when it is dropped.
async fn exchange(address: SocketAddr, head: &str) -> Vec<u8> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(head.as_bytes()).await?;
        let mut response = Vec::new();
        stream.read_to_end(&mut response).await?;
        std::io::Result::Ok(response)
    };
    tokio::time::timeout(DEADLINE, exchange)
        .await
        .expect("the connection is closed in time")
        .unwrap_or_default()
}

async fn call(address: SocketAddr, command: &str, parameters: &str) -> Vec<u8> {
    let query = if parameters.is_empty() {
        String::new()
    } else {
        format!("?params={}", STANDARD.encode(parameters))
    };
    exchange(address, &format!("GET /{command}{query} HTTP/1.1\r\nHost: h\r\n\r\n")).await
}

/// The JSON of an answer.
fn json(response: &[u8]) -> serde_json::Value {
    let body = recorded::split(response).1.strip_suffix(b"\r\n\r\n").expect("the body has an end of its own");
    serde_json::from_slice(body).unwrap()
}

#[tokio::test]
async fn an_answer_has_the_recorded_bytes() {
    let (simulation, address) = server(Options { streams: 0, ..options() });
    let test = async {
        let expected = recorded::exchange("002_listStreams").response;
        for command in ["listStreams", "LISTSTREAMS"] {
            let response = call(address, command, "").await;
            assert_eq!(String::from_utf8_lossy(&response), String::from_utf8_lossy(&expected));
        }
        let version = call(address, "version", "").await;
        let expected = recorded::exchange("001_version").response;
        assert_eq!(String::from_utf8_lossy(&version), String::from_utf8_lossy(&expected));
    };
    simulation.run(test).await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "the API does not answer after the end");
}

#[tokio::test]
async fn a_command_behind_the_end_of_a_line_is_carried_out() {
    let (simulation, address) = server(options());
    let test = async {
        let answer =
            json(&call(address, "isStreamRunning", "localStreamName=x\r\nsetTimer value=60 _a=b").await);
        assert_eq!(answer["data"]["Running"], false);
        let timers = simulation.truth().timers;
        assert_eq!((timers.len(), timers[0].variables["_a"].as_str()), (1, "b"));
        let calls = simulation.calls();
        assert_eq!(calls.len(), 2);
        assert!(!calls[0].injected && calls[1].injected);
        assert_eq!(calls[1].command, "setTimer");
        assert_eq!(calls[1].parameters[0], ("value".to_owned(), "60".to_owned()));
        assert!(calls.iter().all(|call| call.carried_out && call.answer == CallAnswer::Success));
    };
    simulation.run(test).await.unwrap();
}

#[tokio::test]
async fn undecodable_parameters_are_rejected_and_a_line_that_is_too_long_is_dropped() {
    let (simulation, address) = server(options());
    let test = async {
        let response = exchange(address, "GET /setTimer?params=dmFsdWU9Ng%3D%3D HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(json(&response.await)["status"], "FAIL");
        assert!(!simulation.calls()[0].carried_out);
        let unknown = json(&call(address, "frobnicate", "").await);
        assert_eq!(unknown["description"], "command frobnicate not known. Type help for list of commands");
        assert_eq!(call(address, "setTimer", &format!("value={}", "9".repeat(16_384))).await, b"");
        let marked = json(&call(address, "version", "commandId=abc-1").await);
        assert_eq!(marked["responseId"], "abc-1");
    };
    simulation.run(test).await.unwrap();
}

#[tokio::test]
async fn each_fault_gives_its_answer_and_the_record_shows_which_calls_were_carried_out() {
    let (simulation, address) = server(options());
    let set = |faults| simulation.set_api_faults(faults);
    let none = ApiFaults::default();
    let timer = || call(address, "setTimer", "value=3600");
    let test = async {
        set(ApiFaults { fail: 1.0, ..none });
        let answer = json(&timer().await);
        assert_eq!((&answer["status"], &answer["data"]), (&"FAIL".into(), &serde_json::Value::Null));
        assert!(!simulation.calls()[0].carried_out);
        set(ApiFaults { reset: 1.0, ..none });
        for _ in 0..20 {
            assert_eq!(timer().await, b"");
        }
        set(ApiFaults { garbage: 1.0, ..none });
        for _ in 0..20 {
            let response = timer().await;
            let body = recorded::split(&response).1;
            assert!(serde_json::from_slice::<serde_json::Value>(body).is_err());
        }
        set(ApiFaults { slow: 1.0, slow_for: Duration::from_millis(100), ..none });
        for _ in 0..4 {
            let began = Instant::now();
            assert_eq!(json(&timer().await)["status"], "SUCCESS");
            assert!(began.elapsed() >= Duration::from_millis(100));
        }
        let calls = simulation.calls();
        let done = calls.iter().filter(|call| call.carried_out).count();
        assert_eq!(simulation.truth().timers.len(), done);
        let answered = |answer| calls.iter().filter(move |call| call.answer == answer);
        for answer in [CallAnswer::Reset, CallAnswer::Garbage] {
            let done = answered(answer.clone()).filter(|call| call.carried_out).count();
            assert_eq!(answered(answer).count(), 20);
            assert!((1..20).contains(&done), "{done}");
        }
        assert!(answered(CallAnswer::Success).all(|call| call.slow && call.carried_out));
    };
    simulation.run(test).await.unwrap();
}

#[tokio::test]
async fn a_call_may_be_carried_out_although_its_caller_gave_up() {
    let (simulation, address) = server(options());
    simulation.set_api_faults(ApiFaults {
        slow: 1.0,
        slow_for: Duration::from_millis(200),
        ..ApiFaults::default()
    });
    let test = async {
        for _ in 0..20 {
            let impatient = Duration::from_millis(20);
            assert!(tokio::time::timeout(impatient, call(address, "setTimer", "value=60")).await.is_err());
        }
        tokio::time::sleep(Duration::from_millis(400)).await;
        let done = simulation.calls().iter().filter(|call| call.carried_out).count();
        assert!((1..20).contains(&done), "{done}");
        assert_eq!(simulation.truth().timers.len(), done);
        assert!(simulation.calls().iter().all(|call| call.answer == CallAnswer::Nothing));
    };
    simulation.run(test).await.unwrap();
}

#[tokio::test]
async fn the_proxy_requires_its_user_and_password() {
    let (simulation, address) = server(Options { api_auth: Some("me:secret".to_owned()), ..options() });
    let with = |login: &str| {
        let authorization = format!("Authorization: Basic {}\r\n", STANDARD.encode(login));
        format!("GET /apiproxy/setTimer?params=dmFsdWU9NjA= HTTP/1.1\r\nHost: h\r\n{authorization}\r\n")
    };
    let test = async {
        for head in
            [with("me:wrong"), "GET /apiproxy/setTimer?params=dmFsdWU9NjA= HTTP/1.1\r\n\r\n".to_owned()]
        {
            let response = exchange(address, &head).await;
            assert!(response.starts_with(b"HTTP/1.1 401 "), "{}", String::from_utf8_lossy(&response));
        }
        assert!(simulation.truth().timers.is_empty());
        assert_eq!(json(&exchange(address, &with("me:secret")).await)["status"], "SUCCESS");
        assert_eq!(json(&call(address, "version", "").await)["status"], "SUCCESS");
        let answers: Vec<CallAnswer> = simulation.calls().into_iter().map(|call| call.answer).collect();
        assert_eq!(answers[..2], [CallAnswer::Unauthorized, CallAnswer::Unauthorized]);
    };
    simulation.run(test).await.unwrap();
}

#[tokio::test]
async fn a_crash_drops_open_calls_and_no_call_is_answered_until_the_next_start() {
    let (simulation, address) = server(Options {
        speed: 10.0,
        crash_after: Some(Duration::from_secs(10)),
        crash_pause: Duration::from_secs(10),
        ..options()
    });
    simulation.set_api_faults(ApiFaults { slow: 1.0, ..ApiFaults::default() });
    let test = async {
        let began = Instant::now();
        assert_eq!(call(address, "version", "").await, b"");
        assert!(began.elapsed() < Duration::from_secs(2), "the crash ended it, not the pause");
        simulation.set_api_faults(ApiFaults::default());
        assert!(!simulation.truth().running);
        assert_eq!(call(address, "version", "").await, b"");
        while !simulation.truth().running {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(json(&call(address, "version", "").await)["status"], "SUCCESS");
    };
    simulation.run(test).await.unwrap();
}

#[tokio::test]
async fn an_address_that_is_taken_is_rejected_with_one_sentence() {
    let (_simulation, address) = server(options());
    let rejected = Simulation::new(Options { api: Some(address.to_string()), ..options() });
    assert_eq!(rejected.unwrap_err().to_string(), format!("could not listen on {address} for the API"));
}
