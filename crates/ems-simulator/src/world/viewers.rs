//! Viewers: RTMP players, web streaming sessions and downloads.

use super::model::{Files, Kind, Output, Peer, Session, Task, World};
use super::operator::WEB_ROOT;
use crate::output_format::OutputFormat;
use crate::value::{Map, Value, i8, i32, i64, map, text};
use std::time::Duration;

/// The server reports a download this long after its end.
const DOWNLOAD_REPORT: Duration = Duration::from_secs(30);

impl World {
    /// A player connects; playing one stream counts as a playlist of one.
    pub(crate) fn player_arrives(&mut self, at: Duration, input: u64) {
        if !self.inputs.contains_key(&input) {
            return;
        }
        let peer = Peer { far_ip: self.client(), far_port: self.random.u16(32_768..60_999), near_port: 1935 };
        let output = self.open_output(at, input, Kind::Player, None, Map::new(), Some(peer));
        self.log(at, "lastPlaylistItemStart", map([("playlistName", text(""))]));
        self.log_output(at + Duration::from_millis(4), "outStreamCodecsUpdated", output, true);
        let stay = self.random_millis(5_000..60_000);
        self.schedule(at + stay, Task::PlayerLeaves { output });
        let next = self.random_millis(5_000..40_000);
        self.schedule(at + next, Task::PlayerArrives { input });
    }

    /// A viewer begins to watch one of the HLS outputs over HTTP.
    pub(crate) fn session_starts(&mut self, at: Duration) {
        let next = self.random_millis(5_000..25_000);
        self.schedule(at + next, Task::SessionStarts);
        let watchable: Vec<Vec<u8>> = self
            .outputs
            .values()
            .filter_map(Output::files)
            .filter(|files| files.format == OutputFormat::Hls)
            .map(Files::playlist_path)
            .collect();
        if watchable.is_empty() {
            return;
        }
        let chosen = self.random.usize(..watchable.len());
        let playlist = watchable[chosen].clone();
        self.process.sessions += 1;
        let session = self.process.sessions;
        let client = self.client();
        self.sessions.insert(session, Session { client, playlist, since: at });
        self.log_session(at, "streamingSessionStarted", session, Map::new());
        let stay = self.random_millis(20_000..120_000);
        self.schedule(at + stay, Task::SessionEnds { session });
    }

    pub(crate) fn session_ends(&mut self, at: Duration, session: u64) {
        let stop = map([("stopTime", text(self.clock.session_time(at)))]);
        self.log_session(at, "streamingSessionEnded", session, stop);
        self.sessions.remove(&session);
    }

    fn log_session(&mut self, at: Duration, event: &'static str, id: u64, more: Map) {
        let Some(session) = self.sessions.get(&id) else {
            return;
        };
        let mut payload = map([
            ("clientIP", text(&session.client)),
            ("playlist", text(&session.playlist)),
            ("sessionId", narrowest(id)),
            ("startTime", text(self.clock.session_time(session.since))),
        ]);
        payload.extend(more);
        self.log(at, event, payload);
    }

    /// A session as the list of them shows it.
    pub(crate) fn session_item(&self, at: Duration, id: u64, session: &Session) -> Map {
        let folder = session.playlist.rsplitn(2, |byte| *byte == b'/').last().unwrap_or_default();
        let elapsed = self.clock.millis_between(session.since, at) / 1000.0;
        map([
            ("clientIP", text(&session.client)),
            ("elapsedTime", narrowest(elapsed as u64)),
            ("sessionId", narrowest(id)),
            ("startTime", text(self.clock.session_time(session.since))),
            ("targetFolder", text(folder)),
        ])
    }

    /// A file was fetched from the web server some time ago.
    pub(crate) fn download(&mut self, at: Duration) {
        let took = self.random.u64(0..4);
        let stop = at.saturating_sub(DOWNLOAD_REPORT);
        let start = stop.saturating_sub(Duration::from_secs(took).mul_f64(self.options.speed));
        let payload = map([
            ("clientIP", text(self.client())),
            ("elapsed", narrowest(took)),
            ("mediaFile", text(format!("{}trailer.mp4", WEB_ROOT))),
            ("startTime", text(self.clock.session_time(start))),
            ("stopTime", text(self.clock.session_time(stop))),
        ]);
        self.log(at, "mediaFileDownloaded", payload);
        let next = self.random_millis(15_000..60_000);
        self.schedule(at + next, Task::Download);
    }

    fn client(&mut self) -> String {
        format!("198.51.100.{}", self.random.u64(1..255))
    }
}

/// Numbers of the web server come back in the narrowest width that holds them.
fn narrowest(number: u64) -> Value {
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    match (i8::try_from(number), i32::try_from(number)) {
        (Ok(narrow), _) => i8(narrow),
        (_, Ok(wider)) => i32(wider),
        _ => i64(number),
    }
}
