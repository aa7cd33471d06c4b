//! The block of the server's `config.lua` that makes it send its events: over HTTP, or to files.

use crate::model::{api_call, connection, event};

/// The width up to which names share a line.
const WIDTH: usize = 100;

/// The block that makes a media server post its events to `address`.
pub fn rpc_sink(address: &str, server: Option<&str>, secret: bool) -> String {
    let path = server.map_or_else(|| "/events".to_owned(), |server| format!("/events/{server}"));
    let query = if secret { "?secret=SECRET" } else { "" };
    let hint = if secret {
        "            -- In place of SECRET: the content of the exporter's ingest.secret_file.\n"
    } else {
        ""
    };
    block(&format!(
        r#"            type = "RPC",
{hint}            url = "http://{address}{path}{query}",
            serializerType = "JSON",
{}"#,
        enabled(|_| true)
    ))
}

/// The block that makes a media server write its events to files with the name of `path`, a new one every hour.
pub fn file_sink(path: &str) -> String {
    let escaped = path.replace('\\', "\\\\").replace('"', "\\\"");
    // The events of connections are the most, and of little use.
    let few = |name: &str| {
        !connection::EVENTS.iter().any(|(known, _)| *known == name && name.starts_with("protocol"))
    };
    block(&format!(
        r#"            type = "file",
            filename = "{escaped}",
            format = "json",
            -- The server adds the time to the name, and deletes no file.
            fileChunkLength = 3600,
{}"#,
        enabled(few)
    ))
}

fn block(sink: &str) -> String {
    format!(
        r#"-- For the application's section of config.lua; the server must be restarted to read it.
-- If the section has an eventLogger already, add only the sink to its list. Of two eventLogger blocks the last one
-- counts: this block has no effect above another one, and below it the other one has none.
-- A JSON sink stands before any with serializerType "XML" or "XMLRPC", which damages the JSON of sinks after it.
eventLogger =
{{
    sinks =
    {{
        {{
{sink}        }},
    }},
}},
"#
    )
}

/// The names of all events that are read, in all their spellings. Without them the server sends the calls of its API
/// with their whole answers, also those of the exporter.
fn enabled(wanted: impl Fn(&str) -> bool) -> String {
    let is_call = |name: &str| api_call::EVENTS.iter().any(|(call, _)| *call == name);
    let mut lines = String::from("            enabledEvents =\n            {\n");
    let mut line = String::new();
    for name in event::names().filter(|name| !is_call(name) && wanted(name)) {
        if line.len() + name.len() > WIDTH {
            lines += &format!("                {}\n", line.trim_end());
            line.clear();
        }
        line += &format!("\"{name}\", ");
    }
    lines + &format!("                {}\n            }},\n", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sinks_name_all_events_but_api_calls() {
        let (posted, written) = (rpc_sink("h:1", None, false), file_sink("/var/log/ems/events.json"));
        for name in [
            "inStreamCreated",
            "hlsChunkClosed",
            "outStreamFirstFrameSent",
            "serverStopped",
            "timerTriggered",
        ] {
            assert!(
                posted.contains(&format!("\"{name}\"")) && written.contains(&format!("\"{name}\"")),
                "{name}"
            );
        }
        for block in [&posted, &written] {
            assert!(!block.contains("cliRe"), "{block}");
            assert!(block.lines().all(|line| line.len() <= 120), "{block}");
            assert_eq!(block.matches('{').count(), block.matches('}').count());
        }
        assert!(posted.contains("\"protocolRegisteredToApp\"") && !written.contains("\"protocol"));
    }

    #[test]
    fn the_posting_sink_has_a_place_for_the_secret() {
        let block = rpc_sink("h:1", Some("west"), true);
        assert!(block.contains("url = \"http://h:1/events/west?secret=SECRET\",\n"), "{block}");
        assert!(block.contains("-- In place of SECRET:"), "{block}");
        assert!(!rpc_sink("h:1", None, false).contains("SECRET"));
    }

    #[test]
    fn a_file_name_is_a_string_of_lua() {
        assert!(file_sink(r#"/a "b\c"#).contains(r#"filename = "/a \"b\\c","#));
    }
}
