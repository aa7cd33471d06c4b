//! The operator of the plan, who gives commands like any other client: pulls, outputs, pushes and timers.

use super::model::{Task, Wanted, World};
use super::plan::Slot;
use crate::command::Command;
use crate::output_format::OutputFormat;
use crate::value::{Map, map, text};
use std::time::Duration;

/// Below this folder every streaming output has the folder of its group.
pub(crate) const WEB_ROOT: &str = "/var/evostreamms/evo-webroot/";
/// Here recordings are written.
const MEDIA_FOLDER: &str = "/var/evostreamms/media";
/// Where pulled streams come from.
const PULL_HOST: &str = "192.0.2.50";
/// Where streams are pushed to.
const PUSH_HOST: &str = "192.0.2.51";
/// The operator removes a periodic timer after this many expiries and sets it again a little later.
const EXPIRIES: u64 = 30;
/// The pause before that.
const PAUSE: Duration = Duration::from_secs(5);
/// From the last expiry to its removal.
const AFTER_EXPIRY: Duration = Duration::from_millis(1);

impl World {
    /// A planned pull that the server does not know: the operator requests it, or it exists from the start.
    pub(crate) fn request_pull(&mut self, at: Duration, slot: usize, name: &[u8]) {
        let Slot { planned, preset, .. } = self.slots[slot];
        if !planned || (self.options.unattended && preset) {
            return;
        }
        let uri = [b"rtmp://", PULL_HOST.as_bytes(), b"/live/", name].concat();
        let parameters =
            map([("keepAlive", text("1")), ("localStreamName", text(name)), ("uri", text(&uri))]);
        let command = Command::new("pullStream", &parameters);
        if self.options.unattended {
            self.slots[slot].preset = true;
            // Without events: the configuration dates from before the start.
            drop(self.pull_stream(at, &command));
        } else {
            self.execute(at, &command);
        }
    }

    /// The operator has a stream written in a format.
    pub(crate) fn create_output(&mut self, at: Duration, input: u64, format: OutputFormat) {
        let Some(name) = self.inputs.get(&input).map(|input| self.slots[input.slot].name.clone()) else {
            return;
        };
        if self.files_of(&name, format, format.group()).is_some() {
            return;
        }
        let parameters = self.output_parameters(format, &name);
        let command = match format {
            OutputFormat::Record => "record".to_owned(),
            OutputFormat::Hls | OutputFormat::Hds | OutputFormat::Dash | OutputFormat::Mss => {
                format!("create{}Stream", format.name().to_uppercase())
            }
        };
        self.execute(at, &Command::new(&command, &parameters));
    }

    /// The operator has a stream pushed elsewhere.
    pub(crate) fn create_push(&mut self, at: Duration, input: u64) {
        let Some(name) = self.inputs.get(&input).map(|input| self.slots[input.slot].name.clone()) else {
            return;
        };
        let parameters = map([
            ("keepAlive", text("1")),
            ("localStreamName", text(&name)),
            ("targetStreamName", text(&name)),
            ("uri", text(format!("rtmp://{PUSH_HOST}/live"))),
        ]);
        self.execute(at, &Command::new("pushStream", &parameters));
    }

    /// The operator sets a timer; the short one names its stream in a variable.
    pub(crate) fn want_timer(&mut self, at: Duration, wanted: Wanted) {
        let value = match wanted {
            Wanted::Every(seconds) => seconds.to_string(),
            Wanted::In(ahead) => self.clock.command_time(at + ahead),
        };
        let mut parameters = map([("value", text(value))]);
        if wanted == Wanted::Every(10) {
            parameters.extend(map([("_streamName", text("cam1"))]));
        }
        self.execute(at, &Command::new("setTimer", &parameters));
        if let Wanted::Every(seconds) = wanted
            && let Some((timer, _)) = self.timers.last_key_value()
        {
            let lasts = Duration::from_secs(seconds * EXPIRIES) + AFTER_EXPIRY;
            self.schedule(at + lasts, Task::ReplaceTimer { timer: *timer, wanted });
        }
    }

    /// The operator removes a timer and sets it again later.
    pub(crate) fn replace_timer(&mut self, at: Duration, timer: u32, wanted: Wanted) {
        if self.timers.contains_key(&timer) {
            self.execute(at, &Command::new("removeTimer", &map([("id", text(timer.to_string()))])));
            self.schedule(at + PAUSE, Task::WantTimer { wanted });
        }
    }

    /// The parameters with which an operator creates an output.
    fn output_parameters(&self, format: OutputFormat, name: &[u8]) -> Map {
        let chunk_length = self.options.chunk_length.as_secs();
        let [web_root, media] = match &self.options.write_files {
            Some(folder) => {
                ["www", "media"].map(|name| folder.join(name).into_os_string().into_encoded_bytes())
            }
            None => [WEB_ROOT, MEDIA_FOLDER].map(|folder| folder.as_bytes().to_vec()),
        };
        let mut parameters = map([("chunkLength", text(chunk_length.to_string()))]);
        parameters.extend(match format {
            OutputFormat::Hls | OutputFormat::Hds | OutputFormat::Dash | OutputFormat::Mss => map([
                ("groupName", text(format.group())),
                ("localStreamNames", text(name)),
                ("playlistLength", text("5")),
                ("playlistType", text("rolling")),
                ("targetFolder", text(web_root)),
            ]),
            OutputFormat::Record => map([
                ("_tag", text("archive")),
                ("keepAlive", text("1")),
                ("localStreamName", text(name)),
                ("overwrite", text("1")),
                ("pathToFile", text([&media, &b"/"[..], name].concat())),
                ("type", text("flv")),
            ]),
        });
        parameters
    }
}
