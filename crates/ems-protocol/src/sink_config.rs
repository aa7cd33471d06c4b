//! The block of the server's `config.lua` that makes it post its events over HTTP.

/// The block for `config.lua` that makes a media server post its events to `address`.
pub fn sink_config(address: &str, server: Option<&str>, secret: bool) -> String {
    let path = server.map_or_else(|| "/events".to_owned(), |server| format!("/events/{server}"));
    let query = if secret { "?secret=SECRET" } else { "" };
    let hint = if secret {
        "            -- In place of SECRET: what the exporter's ingest.secret_file holds.\n"
    } else {
        ""
    };
    format!(
        r#"-- For the application's section of config.lua; the server must be restarted to read it.
-- If there is an eventLogger already, add only the sink to its list, before any sink with
-- serializerType "XML" or "XMLRPC": an XML sink damages the JSON of the sinks after it.
eventLogger =
{{
    sinks =
    {{
        {{
            type = "RPC",
{hint}            url = "http://{address}{path}{query}",
            serializerType = "JSON",
            -- No enabledEvents: the server then sends all that the exporter needs.
        }},
    }},
}},
"#
    )
}
