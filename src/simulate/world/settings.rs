//! The settings objects of streams, and the answers to the commands that created them.

use super::super::output_format::OutputFormat;
use super::super::value::{Map, Value, i64, map, text, u8, u16, u32, u64};

/// Below this folder every streaming output has the folder of its group.
pub(super) const WEB_ROOT: &str = "/var/evostreamms/evo-webroot/";
/// Here recordings are written.
pub(super) const MEDIA_FOLDER: &str = "/var/evostreamms/media/";

/// Joins byte strings.
pub(super) fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// The folder of a format's group, with its separator at the end.
pub(super) fn group_folder(format: OutputFormat) -> String {
    format!("{WEB_ROOT}{}/", format.group())
}

/// The settings of an output to files; `group_created` is the group's age in epoch milliseconds.
pub(super) fn output(
    format: OutputFormat,
    name: &[u8],
    config_id: u32,
    chunk_length: u64,
    group_created: f64,
) -> Map {
    if format == OutputFormat::Record {
        return record(name, config_id, chunk_length);
    }
    let group_folder = group_folder(format);
    let mut settings = map([
        ("bandwidth", u32(0)),
        ("chunkLength", u64(chunk_length)),
        ("chunkOnIDR", Value::Bool(true)),
        ("cleanupDestination", Value::Bool(false)),
        ("configId", u32(config_id)),
        ("groupName", text(format.group())),
        ("groupTargetFolder", text(&group_folder)),
        ("keepAlive", Value::Bool(true)),
        ("localStreamName", text(name)),
        ("operationType", u8(format.names().operation)),
        ("overwriteDestination", Value::Bool(true)),
        ("playlistLength", u64(5)),
        ("playlistType", text("rolling")),
        ("staleRetentionCount", u64(5)),
        ("targetFolder", text(joined(&[group_folder.as_bytes(), name]))),
    ]);
    settings.extend(match format {
        OutputFormat::Hls => map([
            ("AESKeyCount", u64(5)),
            ("audioOnly", Value::Bool(false)),
            ("chunkBaseName", text("segment")),
            ("cleanupOnClose", Value::Bool(false)),
            ("createMasterPlaylist", Value::Bool(true)),
            ("drmType", text("none")),
            ("fileLength", u64(0)),
            ("hlsResume", Value::Bool(false)),
            ("hlsVersion", u32(3)),
            ("masterPlaylistPath", text(format!("{group_folder}playlist.m3u8"))),
            ("maxChunkLength", u64(0)),
            ("offsetTime", i64(0)),
            ("playlistName", text("playlist.m3u8")),
            ("startOffset", u64(0)),
            ("timestamp", Value::Double(group_created)),
            ("useByteRange", Value::Bool(false)),
            ("useSystemTime", Value::Bool(false)),
        ]),
        OutputFormat::Hds => map([
            ("chunkBaseName", text("f4v")),
            ("createMasterPlaylist", Value::Bool(true)),
            ("manifestName", text("")),
        ]),
        OutputFormat::Dash => map([
            ("chunkBaseName", text("dummy")),
            ("dynamicProfile", Value::Bool(true)),
            ("manifestName", text("manifest.mpd")),
        ]),
        OutputFormat::Mss => map([
            ("bitrates", Value::List(vec![u32(0)])),
            ("chunkBaseName", text("dummy")),
            ("isLive", Value::Bool(true)),
            ("ismType", text("ismc")),
            ("localStreamNames", Value::List(vec![text(name)])),
            ("manifestName", text("manifest.ismc")),
            ("streamNames", Value::List(vec![text(name)])),
        ]),
        OutputFormat::Record => Map::new(),
    });
    settings
}

fn record(name: &[u8], config_id: u32, chunk_length: u64) -> Map {
    let path = joined(&[MEDIA_FOLDER.as_bytes(), name]);
    map([
        ("_tag", text("archive")),
        ("chunkLength", u64(chunk_length)),
        ("computedPathToFile", text(joined(&[&path, b".flv"]))),
        ("configId", u32(config_id)),
        ("dateFolderStructure", Value::Bool(false)),
        ("hasAudio", Value::Bool(true)),
        ("keepAlive", Value::Bool(true)),
        ("localStreamName", text(name)),
        ("operationType", u8(OutputFormat::Record.names().operation)),
        ("overwrite", Value::Bool(true)),
        ("pathToFile", text(path)),
        ("preset", u64(0)),
        ("type", text("flv")),
        ("waitForIDR", Value::Bool(false)),
        ("winQtCompat", Value::Bool(true)),
    ])
}

/// The parameters with which an operator creates an output.
pub(super) fn output_parameters(format: OutputFormat, name: &[u8], chunk_length: u64) -> Map {
    let mut parameters = map([("chunkLength", text(chunk_length.to_string()))]);
    parameters.extend(match format {
        OutputFormat::Hls | OutputFormat::Hds | OutputFormat::Dash | OutputFormat::Mss => map([
            ("groupName", text(format.group())),
            ("localStreamNames", text(name)),
            ("playlistLength", text("5")),
            ("playlistType", text("rolling")),
            ("targetFolder", text(WEB_ROOT)),
        ]),
        OutputFormat::Record => map([
            ("_tag", text("archive")),
            ("keepAlive", text("1")),
            ("localStreamName", text(name)),
            ("overwrite", text("1")),
            ("pathToFile", text(joined(&[MEDIA_FOLDER.as_bytes(), name]))),
            ("type", text("flv")),
        ]),
    });
    parameters
}

/// What the server answers to the creation of an output: its settings with the per-stream values as lists.
pub(super) fn output_answer(format: OutputFormat, settings: &Map) -> Map {
    let mut answer = settings.clone();
    if format == OutputFormat::Record {
        return answer;
    }
    for (one, many) in
        [("bandwidth", "bandwidths"), ("configId", "configIds"), ("localStreamName", "localStreamNames")]
    {
        if let Some(value) = answer.remove(one) {
            answer.extend(map([(many, Value::List(vec![value]))]));
        }
    }
    for internal in
        ["bitrates", "groupTargetFolder", "masterPlaylistPath", "operationType", "streamNames", "timestamp"]
    {
        answer.remove(internal);
    }
    if matches!(format, OutputFormat::Dash | OutputFormat::Mss) {
        answer.remove("chunkBaseName");
    }
    answer.extend(map([("targetFolder", text(WEB_ROOT))]));
    answer
}

/// The settings of a pull.
pub(super) fn pull(name: &[u8], config_id: u32, agent: &str, uri: &[u8]) -> Map {
    let mut settings = map([
        ("configId", u32(config_id)),
        ("emulateUserAgent", text(format!("{agent} player"))),
        ("forceTcp", Value::Bool(false)),
        ("isAudio", Value::Bool(true)),
        ("keepAlive", Value::Bool(true)),
        ("localStreamName", text(name)),
        ("operationType", u8(1)),
        ("rangeEnd", i64(-1)),
        ("rangeStart", i64(-2)),
        ("rtcpDetectionInterval", u64(10)),
        ("sendRenewStream", Value::Bool(false)),
        ("serializeToConfig", Value::Bool(true)),
        ("sourceType", text("live")),
        ("tos", u64(256)),
        ("ttl", u64(256)),
        ("uri", text(uri)),
        ("videoSourceIndex", text("high")),
    ]);
    settings.extend(
        [
            "audioCodecBytes",
            "httpProxy",
            "pageUrl",
            "ppsBytes",
            "rangeTimeEnd",
            "rangeTimeStart",
            "sdpCustParams",
            "spsBytes",
            "ssmIp",
            "swfUrl",
            "tcUrl",
        ]
        .map(|unset| (unset.into(), text(""))),
    );
    settings
}

/// The settings of a push, without the id of the stream, which only events carry.
pub(super) fn push(name: &[u8], config_id: u32, agent: &str, uri: &[u8]) -> Map {
    map([
        ("configId", u32(config_id)),
        ("emulateUserAgent", text(agent)),
        ("forceTcp", Value::Bool(false)),
        ("httpProxy", text("")),
        ("keepAlive", Value::Bool(true)),
        ("localStreamName", text(name)),
        ("operationType", u8(2)),
        ("pageUrl", text("")),
        ("rtmpAbsoluteTimestamps", Value::Bool(false)),
        ("sendChunkSizeRequest", Value::Bool(true)),
        ("swfUrl", text("")),
        ("targetStreamName", text(name)),
        ("targetStreamType", text("live")),
        ("targetUri", text(uri)),
        ("tcUrl", text("")),
        ("tos", u64(256)),
        ("ttl", u64(256)),
        ("useSourcePts", Value::Bool(false)),
    ])
}

/// An RTMP address taken apart, as answers to commands show it where events have one text.
pub(super) fn uri(host: &str, folder: &str, document: &[u8]) -> Value {
    let path = joined(&[folder.as_bytes(), document]);
    let full = joined(&[b"rtmp://", host.as_bytes(), &path]);
    Value::Map(map([
        ("document", text(document)),
        ("documentPath", text(folder)),
        ("documentWithFullParameters", text(document)),
        ("fullDocumentPath", text(&path)),
        ("fullDocumentPathWithParameters", text(&path)),
        ("fullParameters", text("")),
        ("fullUri", text(&full)),
        ("fullUriWithAuth", text(&full)),
        ("host", text(host)),
        ("ip", text(host)),
        ("originalUri", text(&full)),
        ("parameters", Value::Map(Map::new())),
        ("password", text("")),
        ("port", u16(1935)),
        ("portSpecified", Value::Bool(false)),
        ("scheme", text("rtmp")),
        ("userName", text("")),
    ]))
}
