//! The commands that rules may call, with the parameters that each of them knows.
//!
//! The server ignores unknown parameters, so that a misspelt one would never be noticed.

/// A command of the runtime API.
#[derive(Debug, PartialEq, Eq)]
pub struct Command {
    /// Its name, as documented; the server ignores its case.
    pub name: &'static str,
    /// Required parameters.
    pub mandatory: &'static [&'static str],
    /// Groups of parameters of which one must be given.
    pub either: &'static [&'static str],
    /// Optional parameters, separated by white space.
    optional: &'static str,
    /// The object that it creates, if any.
    pub creates: Option<CreatedObject>,
}

/// The object that a command creates, and how `listConfig` shows one that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreatedObject {
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

    /// Every parameter that is documented for it.
    pub fn parameters(&self) -> impl Iterator<Item = &'static str> {
        self.mandatory.iter().chain(self.either).copied().chain(self.optional.split_whitespace())
    }

    /// Whether it knows this parameter. Names that begin with `_` are the caller's own and always known.
    pub fn knows(&self, parameter: &str) -> bool {
        parameter.starts_with('_')
            || parameter == "commandId"
            || self.parameters().any(|known| known == parameter)
    }

    /// Whether the server stores the caller's own parameters with what it creates, and repeats them in the events that
    /// follow.
    pub fn keeps_marks(&self) -> bool {
        self.creates.is_some() || self.name == "setTimer"
    }
}

const HLS: CreatedObject =
    CreatedObject { family: "hls", stream: "localStreamNames", place: ("groupName", "groupName") };

/// The defaults of a command.
const DEFAULT: Command = Command { name: "", mandatory: &[], either: &[], optional: "", creates: None };

/// Every command, in the order of the server's documents.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "createHLSStream",
        mandatory: &["localStreamNames", "targetFolder"],
        optional: "bandwidths groupName playlistType playlistLength playlistName chunkLength maxChunkLength \
            chunkBaseName chunkOnIDR keepAlive overwriteDestination staleRetentionCount \
            createMasterPlaylist cleanupDestination cleanupOnClose drmType AESKeyCount audioOnly \
            hlsResume useByteRange fileLength useSystemTime offsetTime startOffset hlsVersion \
            encryptStream",
        creates: Some(HLS),
        ..DEFAULT
    },
    Command {
        name: "createHDSStream",
        mandatory: &["localStreamNames", "targetFolder"],
        optional: "bandwidths groupName playlistType playlistLength manifestName chunkLength chunkBaseName \
            chunkOnIDR keepAlive overwriteDestination staleRetentionCount createMasterPlaylist \
            cleanupDestination",
        creates: Some(CreatedObject { family: "hds", ..HLS }),
        ..DEFAULT
    },
    Command {
        name: "createDASHStream",
        mandatory: &["localStreamNames", "targetFolder"],
        optional: "bandwidths groupName playlistType playlistLength manifestName chunkLength chunkOnIDR \
            keepAlive overwriteDestination staleRetentionCount cleanupDestination dynamicProfile",
        creates: Some(CreatedObject { family: "dash", ..HLS }),
        ..DEFAULT
    },
    Command {
        name: "createMSSStream",
        mandatory: &["localStreamNames", "targetFolder"],
        optional: "bandwidths groupName playlistType playlistLength manifestName chunkLength chunkOnIDR \
            keepAlive overwriteDestination staleRetentionCount cleanupDestination ismType isLive \
            publishingPoint ingestMode audioBitrates videoBitrates",
        creates: Some(CreatedObject { family: "mss", ..HLS }),
        ..DEFAULT
    },
    Command {
        name: "record",
        mandatory: &["localStreamName", "pathToFile"],
        optional: "type overwrite keepAlive chunkLength waitForIDR winQtCompat dateFolderStructure hasAudio \
            preset",
        creates: Some(CreatedObject {
            family: "record",
            stream: "localStreamName",
            place: ("pathToFile", "pathToFile"),
        }),
        ..DEFAULT
    },
    Command {
        name: "pushStream",
        mandatory: &["uri", "localStreamName"],
        optional: "keepAlive targetStreamName targetStreamType tcUrl pageUrl swfUrl ttl tos emulateUserAgent \
            forceTcp rtmpAbsoluteTimestamps sendChunkSizeRequest useSourcePts httpProxy",
        creates: Some(CreatedObject {
            family: "push",
            stream: "localStreamName",
            place: ("uri", "targetUri"),
        }),
        ..DEFAULT
    },
    Command {
        name: "pullStream",
        mandatory: &["uri"],
        optional: "localStreamName keepAlive forceTcp tcUrl pageUrl swfUrl rangeStart rangeEnd ttl tos \
            rtcpDetectionInterval emulateUserAgent isAudio audioCodecBytes spsBytes ppsBytes ssmIp \
            httpProxy sendRenewStream rangeTimeStart rangeTimeEnd sourceType sdpCustParams \
            videoSourceIndex serializeToConfig saveToConfig httpStreamType sendDummyPayload",
        creates: Some(CreatedObject { family: "pull", stream: "localStreamName", place: ("uri", "uri") }),
        ..DEFAULT
    },
    Command {
        name: "shutdownStream",
        either: &["id", "localStreamName"],
        optional: "permanently",
        ..DEFAULT
    },
    Command { name: "removeConfig", either: &["id", "groupName"], optional: "removeHlsHdsFiles", ..DEFAULT },
    Command { name: "setTimer", mandatory: &["value"], ..DEFAULT },
    Command { name: "removeTimer", mandatory: &["id"], ..DEFAULT },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_lists_each_parameter_once_and_knows_those_that_identify_its_object() {
        for command in COMMANDS {
            let mut all: Vec<&str> = command.parameters().collect();
            let count = all.len();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), count, "{}", command.name);
            if let Some(object) = command.creates {
                assert!(command.knows(object.stream) && command.knows(object.place.0), "{}", command.name);
            }
        }
        assert_eq!(Command::named("SHUTDOWNstream").map(|command| command.name), Some("shutdownStream"));
        assert_eq!(Command::named("shutdownServer"), None, "no rule stops the server");
    }
}
