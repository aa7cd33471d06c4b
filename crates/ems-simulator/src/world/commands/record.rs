//! Recording a stream: `record`.

use super::super::arguments::Read;
use super::super::model::World;
use super::super::model::{Files, Purpose};
use crate::command::{Answer, Command};
use crate::output_format::OutputFormat;
use crate::value::{Map, Value, map, text, u8, u64};
use std::time::Duration;

/// The program that finishes MP4 files.
const MP4_WRITER: &str = "/usr/bin/evo-mp4writer";

impl World {
    /// Starts at once if the stream is there; two recordings of one stream cannot write to one path.
    pub(crate) fn record(&mut self, at: Duration, arguments: &Command) -> Read<Answer> {
        arguments.some()?;
        let name = arguments.required("localStreamName")?;
        let path = arguments.required("pathToFile")?;
        let container = arguments.word("type", "mp4", &["ts", "flv"])?;
        let settings = settings(arguments, &name, &path, container)?;
        let keep_alive = arguments.flag("keepAlive", true)?;
        let chunk_length = arguments.number("chunkLength", 0, 0..=999_999)?.unsigned_abs();
        let same = |files: &Files| files.format == OutputFormat::Record && files.folder == path;
        if self.configs.values().any(|config| config.stream == name && config.files().is_some_and(same)) {
            return Err(Answer::failure("Unable to record stream"));
        }
        let files = Files {
            format: OutputFormat::Record,
            group: String::new(),
            group_folder: Vec::new(),
            folder: path,
            chunk_length: Duration::from_secs(chunk_length),
            chunk_name: String::new(),
            playlist: Vec::new(),
            container,
        };
        let (id, data) = self.add_config(at, Purpose::Files(files), &name, keep_alive, settings);
        self.start_config(at, id);
        Ok(Answer::success("Recording Stream", Value::Map(data)))
    }
}

fn settings(arguments: &Command, name: &[u8], path: &[u8], container: &str) -> Read<Map> {
    let flag = |name, default| Ok(Value::Bool(arguments.flag(name, default)?));
    let number = |name, range| Ok(u64(arguments.number(name, 0, range)?.unsigned_abs()));
    let mut settings = arguments.variables();
    settings.extend(map([
        ("chunkLength", number("chunkLength", 0..=999_999)?),
        ("computedPathToFile", text([path, b".", container.as_bytes()].concat())),
        ("dateFolderStructure", flag("dateFolderStructure", false)?),
        ("hasAudio", flag("hasAudio", true)?),
        ("keepAlive", flag("keepAlive", true)?),
        ("localStreamName", text(name)),
        ("operationType", u8(OutputFormat::Record.profile().operation)),
        ("overwrite", flag("overwrite", false)?),
        ("pathToFile", text(path)),
        ("preset", number("preset", 0..=1)?),
        ("type", text(container)),
        ("waitForIDR", flag("waitForIDR", false)?),
        ("winQtCompat", flag("winQtCompat", true)?),
    ]));
    if container == "mp4" {
        settings.extend(map([("mp4BinPath", text(MP4_WRITER))]));
    }
    Ok(settings)
}
