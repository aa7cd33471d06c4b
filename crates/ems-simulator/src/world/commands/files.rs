//! Writing streams to files in chunks for the web: `createHLSStream` and its three siblings.

use super::super::arguments::{Read, canonical, invalid};
use super::super::model::World;
use super::super::model::{Files, Purpose};
use crate::command::{Answer, Command};
use crate::output_format::OutputFormat;
use crate::value::{Map, Value, i64, map, text, text_of, u8, u32, u64};
use std::collections::BTreeSet;
use std::time::Duration;

impl World {
    /// One configuration for each stream; what is there already starts at once, the rest waits for its stream.
    pub(crate) fn create_files(
        &mut self,
        at: Duration,
        format: OutputFormat,
        arguments: &Command,
    ) -> Read<Answer> {
        arguments.some()?;
        let names = arguments.list("localStreamNames")?;
        let target = arguments.required("targetFolder")?;
        let bandwidths = bandwidths(arguments, names.len())?;
        let group = match arguments.optional("groupName")?.filter(|group| !group.is_empty()) {
            Some(group) => String::from_utf8_lossy(&group).into_owned(),
            None => format!("{}_group_{}", format.name(), self.random_name()),
        };
        let common = common(format, arguments, &group)?;
        let keep_alive = arguments.flag("keepAlive", true)?;
        let chunk_length = arguments.number("chunkLength", 10, 1..=3600)?.unsigned_abs();
        let kind = format.name().to_uppercase();
        let taken = names.iter().any(|name| self.files_of(name, format, &group).is_some());
        if taken || names.iter().collect::<BTreeSet<_>>().len() < names.len() {
            return Err(Answer::failure(format!("Unable to create {kind} stream")));
        }
        let mut group_folder = target.clone();
        if !group_folder.ends_with(b"/") {
            group_folder.push(b'/');
        }
        group_folder.extend_from_slice(group.as_bytes());
        group_folder.push(b'/');
        let mut ids = Vec::new();
        for (name, bandwidth) in names.iter().zip(&bandwidths) {
            let files = Files {
                format,
                group: group.clone(),
                folder: [&group_folder, name.as_slice()].concat(),
                group_folder: group_folder.clone(),
                chunk_length: Duration::from_secs(chunk_length),
                chunk_name: text_of(&common, "chunkBaseName"),
                playlist: playlist(format, &common, name),
                container: "",
            };
            let mut settings = common.clone();
            settings.extend(self.of_stream(at, &files, name, *bandwidth));
            ids.push(self.add_config(at, Purpose::Files(files), name, keep_alive, settings).0);
        }
        for id in &ids {
            self.start_config(at, *id);
        }
        let mut data = common;
        data.extend(map([
            ("bandwidths", Value::List(bandwidths.into_iter().map(u32).collect())),
            ("configIds", Value::List(ids.into_iter().map(u32).collect())),
            ("localStreamNames", Value::List(names.iter().map(text).collect())),
            ("targetFolder", text(target)),
        ]));
        Ok(Answer::success(format!("{kind} stream created"), Value::Map(data)))
    }

    /// The settings of one stream that the caller did not give.
    fn of_stream(&self, at: Duration, files: &Files, name: &[u8], bandwidth: u32) -> Map {
        let mut settings = map([
            ("bandwidth", u32(bandwidth)),
            ("groupTargetFolder", text(&files.group_folder)),
            ("localStreamName", text(name)),
            ("operationType", u8(files.format.profile().operation)),
            ("targetFolder", text(&files.folder)),
        ]);
        settings.extend(match files.format {
            OutputFormat::Hls => map([
                ("masterPlaylistPath", text([files.group_folder.as_slice(), b"playlist.m3u8"].concat())),
                ("timestamp", Value::Double(self.clock.millis(at))),
            ]),
            OutputFormat::Dash => map([("chunkBaseName", text("dummy"))]),
            OutputFormat::Mss => map([
                ("bitrates", Value::List(vec![u32(bandwidth)])),
                ("chunkBaseName", text("dummy")),
                ("localStreamNames", Value::List(vec![text(name)])),
                ("streamNames", Value::List(vec![text(name)])),
            ]),
            OutputFormat::Hds | OutputFormat::Record => Map::new(),
        });
        settings
    }

    /// Eight letters and digits for a group without a name.
    fn random_name(&mut self) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let draw = |_| char::from(LETTERS[self.random.usize(..LETTERS.len())]);
        (0..8).map(draw).collect()
    }
}

/// As many as there are streams, or none at all.
fn bandwidths(arguments: &Command, streams: usize) -> Read<Vec<u32>> {
    if arguments.argument("bandwidths").is_none() {
        return Ok(vec![0; streams]);
    }
    let given = arguments.list("bandwidths")?;
    let numbers = given.iter().map(|item| canonical(item).and_then(|number| u32::try_from(number).ok()));
    let numbers: Option<Vec<u32>> = numbers.collect();
    numbers.filter(|numbers| numbers.len() == streams).ok_or_else(|| invalid("bandwidths"))
}

/// The settings that all streams of one command share, which its answer repeats.
fn common(format: OutputFormat, arguments: &Command, group: &str) -> Read<Map> {
    let longest = if format == OutputFormat::Hls { 999_999 } else { 4000 };
    let number = |name, default, range| Ok(u64(arguments.number(name, default, range)?.unsigned_abs()));
    let flag = |name, default| Ok(Value::Bool(arguments.flag(name, default)?));
    let word = |name, default: &str| Ok(text(arguments.text(name, default.as_bytes())?));
    let playlist_length = arguments.number("playlistLength", 10, 5..=longest)?;
    let mut common = arguments.variables();
    common.extend(map([
        ("chunkLength", number("chunkLength", 10, 1..=3600)?),
        ("chunkOnIDR", flag("chunkOnIDR", true)?),
        ("cleanupDestination", flag("cleanupDestination", false)?),
        ("groupName", text(group)),
        ("keepAlive", flag("keepAlive", true)?),
        ("overwriteDestination", flag("overwriteDestination", true)?),
        ("playlistLength", u64(playlist_length.unsigned_abs())),
        ("playlistType", text(arguments.word("playlistType", "appending", &["rolling"])?)),
        ("staleRetentionCount", number("staleRetentionCount", playlist_length, 0..=999_999)?),
    ]));
    common.extend(match format {
        OutputFormat::Hls => {
            let by_range = arguments.flag("useByteRange", false)?;
            if !by_range && arguments.argument("fileLength").is_some() {
                return Err(invalid("fileLength"));
            }
            map([
                ("AESKeyCount", number("AESKeyCount", 5, 1..=20)?),
                ("audioOnly", flag("audioOnly", false)?),
                ("chunkBaseName", word("chunkBaseName", "segment")?),
                ("cleanupOnClose", flag("cleanupOnClose", false)?),
                ("createMasterPlaylist", flag("createMasterPlaylist", true)?),
                ("drmType", text(arguments.word("drmType", "none", &["evo", "SAMPLE-AES", "verimatrix"])?)),
                ("fileLength", if by_range { number("fileLength", 120, 1..=3600)? } else { u64(0) }),
                ("hlsResume", flag("hlsResume", false)?),
                ("hlsVersion", u32(3)),
                ("maxChunkLength", number("maxChunkLength", 0, 0..=3600)?),
                ("offsetTime", i64(arguments.number("offsetTime", 0, -3600..=3600)?)),
                ("playlistName", word("playlistName", "playlist.m3u8")?),
                ("startOffset", number("startOffset", 0, 0..=3600)?),
                ("useByteRange", Value::Bool(by_range)),
                ("useSystemTime", flag("useSystemTime", false)?),
            ])
        }
        OutputFormat::Hds => map([
            ("chunkBaseName", word("chunkBaseName", "f4v")?),
            ("createMasterPlaylist", flag("createMasterPlaylist", true)?),
            ("manifestName", word("manifestName", "")?),
        ]),
        OutputFormat::Dash => map([
            ("dynamicProfile", flag("dynamicProfile", true)?),
            ("manifestName", word("manifestName", "manifest.mpd")?),
        ]),
        OutputFormat::Mss => map([
            ("isLive", flag("isLive", true)?),
            ("ismType", text(arguments.word("ismType", "ismc", &["isml"])?)),
            ("manifestName", word("manifestName", "manifest.ismc")?),
        ]),
        OutputFormat::Record => Map::new(),
    });
    Ok(common)
}

/// The playlist of one stream, or the manifest.
fn playlist(format: OutputFormat, common: &Map, name: &[u8]) -> Vec<u8> {
    match format {
        OutputFormat::Hls => text_of(common, "playlistName").into_bytes(),
        OutputFormat::Hds => match text_of(common, "manifestName") {
            unnamed if unnamed.is_empty() => [name, b".f4m"].concat(),
            named => named.into_bytes(),
        },
        OutputFormat::Dash | OutputFormat::Mss => text_of(common, "manifestName").into_bytes(),
        OutputFormat::Record => Vec::new(),
    }
}
