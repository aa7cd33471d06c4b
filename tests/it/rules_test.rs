//! `rules test`: a report of what rules would do; nothing is sent.

use ems_exporter::commands::rules_test::test_body;
use serde_json::json;

use crate::config::load;
use crate::support::{PROGRAM, at, examples, output, stream, with};

fn report(rules: &str, body: &[u8]) -> Result<String, String> {
    let servers = "servers: [{name: ems, api: {url: 'http://127.0.0.1:7777'}}]\n";
    let config = load(&format!("{servers}rules:\n{rules}")).unwrap();
    test_body(&config, body, "ems", at(0.0)).map_err(|error| error.to_string())
}

#[test]
fn reports_matches_requests_and_reasons() {
    let rules = "  - {name: push, on: inStreamCreated, match: {stream: 'cam*'}, call: pushStream, delay: 2s, \
                 cooldown: 1m, dry_run: true, with: {uri: 'rtmp://u:hunter2@x', localStreamName: '{{ stream }}'}}\n  \
                 - {name: dogs, on: inStreamCreated, match: {stream: dog}, post: 'http://127.0.0.1:9/x'}\n  \
                 - {name: last, on: outStreamClosed, when: last_output, call: shutdownStream, with: {id: '{{ id }}'}}\n  \
                 - {name: stall, on: chunkStalled, when: still_stalled, call: shutdownStream, \
                 with: {id: '{{ in_stream_id }}'}}\n";
    let event = |name: &str, payload| json!({"type": name, "processId": 100, "payload": payload});
    let body = json!([
        event("inStreamCreated", stream(1, "INP", "cam 1")),
        event("inStreamCreated", stream(1, "INP", "cam 1")),
        event("outStreamClosed", with(stream(2, "ONR", "cam 1"), json!({"inStreamUniqueId": 1}))),
        {"type": "chunkStalled", "payload": {"format": "hls", "group": "g", "stream": "cam 1"}},
        event("outStreamCreated", with(output(3, "hls", "cam 1", 6), json!({"inStreamUniqueId": 1}))),
        {"type": "chunkStalled", "payload": {"format": "hls", "group": "g", "stream": "cam 1"}},
    ]);
    let expected = "\
1: inStreamCreated (opened)
   push: matches
      call pushStream uri=\"***\" localStreamName=\"cam 1\" _createdBy=\"ems-exporter\"
      delay 2s
      cooldown 1m
      dry run: nothing is sent
   dogs: does not match: its match.stream does not fit
   last: does not match: it is for outStreamClosed
   stall: does not match: it is for chunkStalled
2: inStreamCreated (repeated)
   triggers nothing: it adds nothing new
3: outStreamClosed (closed_unseen)
   push: does not match: it is for inStreamCreated
   dogs: does not match: it is for inStreamCreated
   last: matches
      when last_output: holds
      call shutdownStream id=\"2\"
   stall: does not match: it is for chunkStalled
4: chunkStalled (derived event)
   push: does not match: it is for inStreamCreated
   dogs: does not match: it is for inStreamCreated
   last: does not match: it is for outStreamClosed
   stall: matches
      when still_stalled: assumed
      waits for proof that the server is alive
      rejected: cannot render the parameter id: the event has no in_stream_id
5: outStreamCreated (opened)
   push: does not match: it is for inStreamCreated
   dogs: does not match: it is for inStreamCreated
   last: does not match: it is for outStreamClosed
   stall: does not match: it is for chunkStalled
6: chunkStalled (derived event)
   push: does not match: it is for inStreamCreated
   dogs: does not match: it is for inStreamCreated
   last: does not match: it is for outStreamClosed
   stall: matches
      when still_stalled: assumed
      waits for proof that the server is alive
      call shutdownStream id=\"1\"
";
    assert_eq!(report(rules, body.to_string().as_bytes()).unwrap(), expected);
}

#[test]
fn reads_every_format_of_the_pipeline() {
    let rule = "  - {name: a, on: inStreamCreated, post: 'http://127.0.0.1:9/x'}\n";
    for (name, request) in examples() {
        let body = crate::support::body(&request);
        assert!(report(rule, body).is_ok(), "{name}");
    }
    let text = b"1:inStreamCreated\n\tpayload:\n";
    assert!(report(rule, text).is_err());
    let rows = b"#Version: 1.0\n#Fields: timestamp\tINFO\tPID\tuniqueId\n-\tinStreamCreated\t1\t2\n";
    let report_of_rows = report(rule, rows);
    assert!(report_of_rows.as_ref().is_ok_and(|report| report.contains("a: matches")), "{report_of_rows:?}");
}

#[test]
fn unreadable_input_is_an_error() {
    assert_eq!(report("", b" \n").unwrap_err(), "the file holds no event");
    assert!(report("", b"{\"type\":").unwrap_err().starts_with("event 1 is rejected: invalid json"));
}

#[test]
fn the_command_fails_for_a_file_that_cannot_be_read() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = folder.join("examples/rules/cut-stuck-input.yml");
    let run = |config: &std::path::Path, event: &std::path::Path| {
        let [config, event] = [config, event].map(|path| path.to_str().unwrap());
        PROGRAM.run(&["rules", "test", "--config.file", config, "--event", event])
    };
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(
        &mut file,
        json!({"type": "streamMissing", "payload": {"stream": "cam"}}).to_string().as_bytes(),
    )
    .unwrap();
    let good = run(&example, file.path());
    assert!(good.status.success());
    assert!(String::from_utf8(good.stdout).unwrap().starts_with("1: streamMissing (derived event)\n"));
    for (config, event) in [(example.as_path(), folder), (file.path(), file.path())] {
        let bad = run(config, event);
        assert!(!bad.status.success() && !bad.stderr.is_empty());
    }
}
