//! What an operator writes into the commands that create outputs.

use super::super::output_format::OutputFormat;
use super::super::value::{Map, map, text};

/// Below this folder every streaming output has the folder of its group.
pub(super) const WEB_ROOT: &str = "/var/evostreamms/evo-webroot/";
/// Here recordings are written.
pub(super) const MEDIA_FOLDER: &str = "/var/evostreamms/media/";

/// Joins byte strings.
pub(super) fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
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
