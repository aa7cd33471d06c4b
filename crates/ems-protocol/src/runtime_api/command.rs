//! The commands that rules may call, with the parameters that each of them knows.
//!
//! The server ignores parameters that it does not know, so a misspelt one would never be noticed.

/// A command of the runtime API.
#[derive(Debug, PartialEq, Eq)]
pub struct Command {
    /// Its name, as documented; the server ignores its case.
    pub name: &'static str,
    /// Required parameters.
    pub mandatory: &'static [&'static str],
    /// Groups of parameters of which one must be given.
    pub either: &'static [&'static str],
    /// Optional parameters.
    pub optional: &'static [&'static str],
    /// The object that it creates, if any.
    pub makes: Option<Makes>,
}

/// The object that a command creates, and how `listConfig` shows one that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Makes {
    /// The family of `listConfig`.
    pub family: &'static str,
    /// The parameter that names the stream, or the streams.
    pub stream: &'static str,
    /// The parameter that, with the stream, identifies one, and the member of `listConfig` that holds it.
    pub place: (&'static str, &'static str),
}

impl Command {
    /// The command of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        COMMANDS.iter().find(|command| command.name.eq_ignore_ascii_case(name))
    }

    /// Whether it knows this parameter. Names that begin with `_` are the caller's own and always known.
    pub fn knows(&self, parameter: &str) -> bool {
        parameter.starts_with('_')
            || parameter == "commandId"
            || [self.mandatory, self.either, self.optional].concat().contains(&parameter)
    }

    /// Whether the server stores the caller's own parameters with what it creates, and repeats them in the events that
    /// follow.
    pub fn takes_marks(&self) -> bool {
        self.makes.is_some() || self.name == "setTimer"
    }
}

const HLS: Makes = Makes { family: "hls", stream: "localStreamNames", place: ("groupName", "groupName") };

/// Every command, in the order of the server's documents.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "createHLSStream",
        mandatory: &["localStreamNames", "targetFolder"],
        either: &[],
        optional: &[
            "bandwidths",
            "groupName",
            "playlistType",
            "playlistLength",
            "playlistName",
            "chunkLength",
            "maxChunkLength",
            "chunkBaseName",
            "chunkOnIDR",
            "keepAlive",
            "overwriteDestination",
            "staleRetentionCount",
            "createMasterPlaylist",
            "cleanupDestination",
            "cleanupOnClose",
            "drmType",
            "AESKeyCount",
            "audioOnly",
            "hlsResume",
            "useByteRange",
            "fileLength",
            "useSystemTime",
            "offsetTime",
            "startOffset",
            "hlsVersion",
            "encryptStream",
        ],
        makes: Some(HLS),
    },
    Command {
        name: "createHDSStream",
        mandatory: &["localStreamNames", "targetFolder"],
        either: &[],
        optional: &[
            "bandwidths",
            "groupName",
            "playlistType",
            "playlistLength",
            "manifestName",
            "chunkLength",
            "chunkBaseName",
            "chunkOnIDR",
            "keepAlive",
            "overwriteDestination",
            "staleRetentionCount",
            "createMasterPlaylist",
            "cleanupDestination",
        ],
        makes: Some(Makes { family: "hds", ..HLS }),
    },
    Command {
        name: "createDASHStream",
        mandatory: &["localStreamNames", "targetFolder"],
        either: &[],
        optional: &[
            "bandwidths",
            "groupName",
            "playlistType",
            "playlistLength",
            "manifestName",
            "chunkLength",
            "chunkOnIDR",
            "keepAlive",
            "overwriteDestination",
            "staleRetentionCount",
            "cleanupDestination",
            "dynamicProfile",
        ],
        makes: Some(Makes { family: "dash", ..HLS }),
    },
    Command {
        name: "createMSSStream",
        mandatory: &["localStreamNames", "targetFolder"],
        either: &[],
        optional: &[
            "bandwidths",
            "groupName",
            "playlistType",
            "playlistLength",
            "manifestName",
            "chunkLength",
            "chunkOnIDR",
            "keepAlive",
            "overwriteDestination",
            "staleRetentionCount",
            "cleanupDestination",
            "ismType",
            "isLive",
            "publishingPoint",
            "ingestMode",
            "audioBitrates",
            "videoBitrates",
        ],
        makes: Some(Makes { family: "mss", ..HLS }),
    },
    Command {
        name: "record",
        mandatory: &["localStreamName", "pathToFile"],
        either: &[],
        optional: &[
            "type",
            "overwrite",
            "keepAlive",
            "chunkLength",
            "waitForIDR",
            "winQtCompat",
            "dateFolderStructure",
            "hasAudio",
            "preset",
        ],
        makes: Some(Makes {
            family: "record",
            stream: "localStreamName",
            place: ("pathToFile", "pathToFile"),
        }),
    },
    Command {
        name: "pushStream",
        mandatory: &["uri", "localStreamName"],
        either: &[],
        optional: &[
            "keepAlive",
            "targetStreamName",
            "targetStreamType",
            "tcUrl",
            "pageUrl",
            "swfUrl",
            "ttl",
            "tos",
            "emulateUserAgent",
            "forceTcp",
            "rtmpAbsoluteTimestamps",
            "sendChunkSizeRequest",
            "useSourcePts",
            "httpProxy",
        ],
        makes: Some(Makes { family: "push", stream: "localStreamName", place: ("uri", "targetUri") }),
    },
    Command {
        name: "pullStream",
        mandatory: &["uri"],
        either: &[],
        optional: &[
            "localStreamName",
            "keepAlive",
            "forceTcp",
            "tcUrl",
            "pageUrl",
            "swfUrl",
            "rangeStart",
            "rangeEnd",
            "ttl",
            "tos",
            "rtcpDetectionInterval",
            "emulateUserAgent",
            "isAudio",
            "audioCodecBytes",
            "spsBytes",
            "ppsBytes",
            "ssmIp",
            "httpProxy",
            "sendRenewStream",
            "rangeTimeStart",
            "rangeTimeEnd",
            "sourceType",
            "sdpCustParams",
            "videoSourceIndex",
            "serializeToConfig",
            "saveToConfig",
            "httpStreamType",
            "sendDummyPayload",
        ],
        makes: Some(Makes { family: "pull", stream: "localStreamName", place: ("uri", "uri") }),
    },
    Command {
        name: "shutdownStream",
        mandatory: &[],
        either: &["id", "localStreamName"],
        optional: &["permanently"],
        makes: None,
    },
    Command {
        name: "removeConfig",
        mandatory: &[],
        either: &["id", "groupName"],
        optional: &["removeHlsHdsFiles"],
        makes: None,
    },
    Command { name: "setTimer", mandatory: &["value"], either: &[], optional: &[], makes: None },
    Command { name: "removeTimer", mandatory: &["id"], either: &[], optional: &[], makes: None },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_is_told_once_and_what_is_made_can_be_found_again() {
        for command in COMMANDS {
            let mut all = [command.mandatory, command.either, command.optional].concat();
            let count = all.len();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), count, "{}", command.name);
            if let Some(makes) = command.makes {
                assert!(command.knows(makes.stream) && command.knows(makes.place.0), "{}", command.name);
            }
        }
        assert_eq!(Command::named("SHUTDOWNstream").map(|command| command.name), Some("shutdownStream"));
        assert_eq!(Command::named("shutdownServer"), None, "no rule stops the server");
    }
}
