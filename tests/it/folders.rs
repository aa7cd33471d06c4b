//! The folders of outputs: sizes of chunks, free space, and that an empty chunk is no sign of life.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ems_exporter::exposition::Style;
use ems_exporter::folders::{FileSystem, Folders, PathMap};
use ems_exporter::metrics::{self, ExporterMetrics, Sources};
use ems_exporter::model::Settings;
use ems_exporter::model::output::ClosedChunk;
use ems_exporter::pipeline::tally::Transport;
use ems_exporter::pipeline::{ConfiguredServer, Pipeline};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::wait::{holds, wait_for};

use crate::support::{Harness, PROGRAM, Samples, at, output, stream, with};

/// A harness whose closed chunks wait for the test to measure them.
struct Measured {
    harness: Harness,
    chunks: Arc<Mutex<Vec<ClosedChunk>>>,
}

impl Measured {
    fn new() -> Self {
        let mut harness = Harness::new();
        let chunks: Arc<Mutex<Vec<ClosedChunk>>> = Arc::default();
        let waiting = Arc::clone(&chunks);
        harness.pipeline.set_measure(Box::new(move |server, chunk| {
            assert_eq!(server, "ems");
            waiting.lock().unwrap().push(chunk);
            Ok(())
        }));
        harness.post("outStreamCreated", 0.0, output(1, "hls", "cam", 4));
        Self { harness, chunks }
    }

    fn close(&mut self, seconds: f64) {
        self.harness.post("hlsChunkClosed", seconds, json!({"file": format!("/srv/hls/cam/{seconds}.ts")}));
    }

    /// The size of the chunk that has waited longest is known.
    fn measure(&mut self, size: Option<u64>) {
        let chunk = self.chunks.lock().unwrap().remove(0);
        self.harness.pipeline.measured("ems", &chunk, size);
    }

    /// The age of the last chunk, whether there is one, whether it stalls, and how often it has.
    fn track(&self, seconds: f64) -> (f64, bool, f64) {
        let samples = self.harness.read(seconds);
        let value = |metric: &str| samples.get(&series(metric)).unwrap();
        let last = value("ems_chunk_last_closed_timestamp_seconds") - at(0.0).seconds();
        (last, value("ems_chunk_stalled") == 1.0, value("ems_chunk_stalls_total"))
    }

    fn derived(&self) -> Vec<&'static str> {
        let names: Vec<&'static str> =
            self.harness.server.read(|state| state.recent.notable(0).map(|event| event.name).collect());
        names
            .into_iter()
            .filter(|name| ["chunkStalled", "outputNeverStarted", "chunkRecovered"].contains(name))
            .collect()
    }
}

fn series(metric: &str) -> String {
    format!("{metric}{{format=\"hls\",group=\"g\",stream=\"cam\",track=\"\"}}")
}

fn value(samples: &Samples, metric: &str) -> Option<f64> {
    samples.get(&series(metric))
}

#[test]
fn an_output_that_writes_empty_chunks_stalls_once_until_one_holds_bytes() {
    let mut output = Measured::new();
    for second in [4.0, 8.0] {
        output.close(second);
        output.measure(Some(1000));
    }
    for second in 3..20 {
        let second = f64::from(second) * 4.0;
        output.close(second);
        if second > 12.0 {
            assert_eq!(output.track(second + 0.001).0, 8.0, "its size is waited for");
        }
        output.measure(Some(0));
        let (last, stalled, stalls) = output.track(second + 0.5);
        assert_eq!((last, stalled), (8.0, second + 0.5 > 20.0), "{second}");
        assert_eq!(stalls, f64::from(u8::from(stalled)));
    }
    let samples = output.harness.read(78.0);
    assert_eq!(value(&samples, "ems_chunk_bytes_total"), Some(2000.0));
    assert_eq!(value(&samples, "ems_chunks_empty_total"), Some(17.0));
    assert_eq!(value(&samples, "ems_chunks_closed_total"), Some(19.0));
    output.close(80.0);
    output.measure(Some(500));
    assert_eq!(output.track(81.0), (80.0, false, 1.0));
    output.close(84.0);
    assert_eq!(output.track(84.0), (84.0, false, 1.0), "sizes are no longer waited for");
    assert_eq!(output.derived(), ["chunkStalled", "chunkRecovered"]);
}

#[test]
fn an_output_whose_first_chunk_is_empty_has_never_started() {
    let mut output = Measured::new();
    output.close(4.0);
    output.measure(Some(0));
    assert_eq!(output.track(4.0), (0.0, false, 0.0));
    assert_eq!(output.track(12.5), (0.0, true, 1.0));
    assert_eq!(output.derived(), ["outputNeverStarted"]);
}

#[test]
fn the_creation_of_the_next_chunk_before_the_close_of_an_empty_one_is_no_sign_of_life() {
    let mut output = Measured::new();
    output.close(4.0);
    output.measure(Some(1));
    for second in [8.0, 12.0, 16.0, 20.0] {
        // The events overtake each other.
        output.harness.post("hlsChunkCreated", second - 4.0, json!({"file": "/srv/hls/cam/x.ts"}));
        output.harness.post("hlsChunkCreated", second, json!({"file": "/srv/hls/cam/y.ts"}));
        output.close(second + 0.01);
        output.measure(Some(0));
        assert_eq!(output.track(second + 0.02).0, 4.0, "{second}");
    }
    assert!(output.track(20.1).1);
}

#[test]
fn late_sizes_are_harmless() {
    let mut output = Measured::new();
    output.close(4.0);
    output.close(8.0);
    output.close(12.0);
    output.measure(Some(0));
    output.measure(Some(0));
    assert_eq!(output.track(12.0), (12.0, false, 0.0), "a newer chunk may hold bytes");
    output.measure(Some(0));
    assert_eq!(output.track(12.0), (0.0, false, 0.0), "all were empty");
    assert!(output.track(12.5).1);
    // A hanging mount: the sizes of twenty chunks come when it answers again.
    for second in 0..20 {
        output.close(13.0 + f64::from(second));
    }
    assert_eq!(output.track(40.0).0, 32.0, "a size is not waited for without end");
    assert!(!output.track(40.0).1);
    for _ in 0..19 {
        output.measure(Some(0));
    }
    assert_eq!(output.track(40.0).0, 32.0);
    output.measure(None);
    assert_eq!(output.track(40.0).0, 32.0);
    // A size of the run before, and one of an output that is gone.
    output.close(41.0);
    output.close(42.0);
    output.harness.post("outStreamClosed", 43.0, crate::support::output(1, "hls", "cam", 4));
    output.harness.post("outStreamCreated", 80.0, crate::support::output(2, "hls", "cam", 4));
    output.close(84.0);
    output.measure(Some(0));
    assert_eq!(output.track(84.0).0, 84.0);
    output.harness.post("outStreamClosed", 85.0, crate::support::output(2, "hls", "cam", 4));
    output.harness.read(500.0);
    output.measure(Some(0));
    output.measure(Some(7));
    assert_eq!(value(&output.harness.read(500.0), "ems_chunk_bytes_total"), None, "its row has been removed");
}

#[test]
fn chunks_that_share_a_file_count_by_its_growth() {
    let mut output = Measured::new();
    for (second, size) in [(4.0, 100), (8.0, 250), (12.0, 400)] {
        output.harness.post("hlsChunkClosed", second, json!({"file": "/srv/hls/cam/all.ts"}));
        output.measure(Some(size));
    }
    output.close(16.0);
    output.measure(Some(30));
    output.harness.post("hlsChunkClosed", 20.0, json!({"file": "/srv/hls/cam/all.ts"}));
    output.measure(Some(5));
    assert_eq!(value(&output.harness.read(20.0), "ems_chunk_bytes_total"), Some(435.0));
}

#[test]
fn video_without_frames_is_empty_except_at_the_end_of_an_output() {
    let mut harness = Harness::new();
    let known = json!({"audio": {"codec": "AAAC"}, "video": {"codec": "VH264"}});
    harness.post("outStreamCreated", 0.0, with(output(1, "dash", "cam", 4), known));
    let mut close = |seconds: u64, track: &str, frames: u64, length: u64| {
        let time = |second: u64| format!("2026-11-22T16:10:{second:02}.000");
        let file = format!("/srv/dash/cam//{track}/264000/segment_{seconds}.m4s");
        let (start, stop) = (time(seconds - length), time(seconds));
        let payload = json!({"file": file, "frameCount": frames, "startTime": start, "stopTime": stop});
        harness.post("dashChunkClosed", seconds as f64, payload);
        let samples = harness.read(seconds as f64);
        let of = |metric: &str| {
            samples.get(&format!("{metric}{{format=\"dash\",group=\"g\",stream=\"cam\",track=\"{track}\"}}"))
        };
        let last = of("ems_chunk_last_closed_timestamp_seconds").unwrap() - at(0.0).seconds();
        (last, of("ems_chunks_empty_total"))
    };
    assert_eq!(close(4, "video", 100, 4), (4.0, None));
    assert_eq!(close(4, "audio", 0, 4), (4.0, None), "frames are those of video");
    assert_eq!(close(8, "video", 0, 4), (4.0, Some(1.0)));
    assert_eq!(close(8, "audio", 0, 4), (8.0, None));
    assert_eq!(close(12, "video", 100, 4), (12.0, Some(1.0)), "the event itself shows that it holds media");
    assert_eq!(close(12, "video", 0, 0), (12.0, Some(1.0)), "this is how an output ends");
}

#[test]
fn only_files_in_folders_that_the_server_named_are_measured() {
    let mut output = Measured::new();
    // Its path looks like that of the same group and stream.
    output.harness.post("hlsChunkClosed", 4.0, json!({"file": "/etc/g/cam/1.ts"}));
    output.harness.post("hlsChunkClosed", 4.0, json!({"file": "/srv/hls/1.ts"}));
    output.harness.post("recordChunkClosed", 4.0, json!({"file": "/etc/passwd"}));
    output.harness.post("hlsChunkCreated", 4.0, json!({"file": "/srv/hls/cam/1.ts"}));
    output.harness.post("hlsChildPlaylistUpdated", 4.0, json!({"file": "/srv/hls/cam/1.m3u8"}));
    assert_eq!(output.chunks.lock().unwrap().len(), 0);
    let record =
        json!({"recordSettings": {"localStreamName": "cam", "pathToFile": "/rec/cam.flv", "type": "flv"}});
    output.harness.post("outStreamCreated", 5.0, with(stream(2, "OFRFLV", "cam"), record));
    output.harness.post("recordChunkClosed", 5.0, json!({"file": "/rec/cam_part0000.flv"}));
    output.harness.post("recordChunkClosed", 5.0, json!({"file": "/rec/camera_part0000.flv"}));
    let chunks = output.chunks.lock().unwrap();
    assert_eq!(
        chunks.iter().map(|chunk| (&*chunk.folder, &*chunk.file)).collect::<Vec<_>>(),
        [("/rec/cam", "/rec/cam_part0000.flv")]
    );
}

/// An exporter, and what a media server posts to it.
struct Posting {
    exporter: testkit::Exporter,
    harness: Harness,
}

impl Posting {
    fn new(config: &str) -> Self {
        Self { exporter: PROGRAM.configured(config), harness: Harness::new() }
    }

    fn post(&mut self, name: &str, payload: Value) {
        assert_eq!(self.exporter.post(self.harness.event(name, 1.0, payload)).status, 200);
    }

    fn open(&mut self, id: u64, name: &str, folder: &str) {
        let settings =
            json!({"chunkLength": 600, "groupName": "g", "localStreamName": name, "targetFolder": folder});
        self.post("outStreamCreated", with(stream(id, "OFHLS", name), json!({"hlsSettings": settings})));
    }

    fn close(&mut self, file: &str) {
        self.post("hlsChunkClosed", json!({"file": file, "segmentDuration": 4000.0}));
    }

    /// The chunks by what became of them: measured, missing, unreadable, dropped.
    fn outcomes(&self) -> [f64; 4] {
        let page = self.exporter.metrics();
        ["measured", "missing", "unreadable", "dropped"].map(|result| {
            let series = format!("ems_exporter_chunk_files_total{{server=\"ems\",result=\"{result}\"}}");
            page.get(&series).copied().unwrap_or_default()
        })
    }

    fn wait_for_outcomes(&self, wanted: [f64; 4]) {
        wait_for("the files of chunks", || {
            let seen = self.outcomes();
            holds(seen == wanted, seen)
        });
    }

    fn of_stream(&self, metric: &str, stream: &str) -> Option<f64> {
        let series =
            format!("{metric}{{server=\"ems\",format=\"hls\",group=\"g\",stream=\"{stream}\",track=\"\"}}");
        self.exporter.metrics().get(&series).copied()
    }
}

fn write(path: &Path, bytes: usize) -> String {
    fs::write(path, vec![0; bytes]).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn files_of_chunks_are_measured_where_their_folder_can_be_read() {
    let folder = TempDir::new().unwrap();
    let (cam, outside) = (folder.path().join("hls/cam"), folder.path().join("outside.ts"));
    fs::create_dir_all(&cam).unwrap();
    write(&outside, 99);
    let mut server = Posting::new("web: {listen_address: '127.0.0.1:0'}");
    let target = cam.to_str().unwrap().to_owned();
    server.open(1, "cam", &target);
    server.open(2, "gone", "/does/not/exist");
    server.open(3, "relative", "../evo-webroot/g/relative");
    let full = write(&cam.join("1.ts"), 1000);
    server.close(&full);
    // A writer that renames its file when it is complete.
    write(&cam.join("2.ts.tmp"), 500);
    fs::rename(cam.join("2.ts.tmp"), cam.join("2.ts")).unwrap();
    server.close(&format!("{target}//2.ts"));
    let empty = write(&cam.join("3.ts"), 0);
    server.close(&empty);
    server.close(&format!("{target}/deleted.ts"));
    std::os::unix::fs::symlink(&outside, cam.join("link.ts")).unwrap();
    server.close(&format!("{target}/link.ts"));
    server.close(&format!("{target}/../../outside.ts"));
    server.close(&format!("{target}/../cam/1.ts"));
    server.close("/does/not/exist/1.ts");
    server.close("/does/not/exist/2.ts");
    server.close("../evo-webroot/g/relative/1.ts");
    server.wait_for_outcomes([4.0, 2.0, 4.0, 0.0]);
    assert_eq!(server.of_stream("ems_chunk_bytes_total", "cam"), Some(2500.0), "one was closed again");
    assert_eq!(server.of_stream("ems_chunks_empty_total", "cam"), Some(1.0));
    assert_eq!(server.of_stream("ems_chunks_empty_total", "gone"), None, "unknown is not 0");
    assert_eq!(server.of_stream("ems_chunk_bytes_total", "gone"), None);
    for (state, count) in [("readable", 1.0), ("unreadable", 2.0), ("unknown", 0.0)] {
        let series = format!("ems_folders{{server=\"ems\",state=\"{state}\"}}");
        server.exporter.wait_for_value(&series, |value| value == count);
    }
    let free = server.exporter.sum("ems_folder_free_bytes{server=\"ems\",mountpoint=");
    let space = rustix::fs::statvfs(folder.path()).unwrap();
    let all = (space.f_blocks * space.f_frsize) as f64;
    assert!(free > 0.0 && free <= all, "{free} of {all}");
    let log = server.exporter.process.output();
    assert_eq!(log.matches("/does/not/exist of an output").count(), 1, "{log}");
}

#[test]
fn a_map_leads_to_the_folders_of_a_container() {
    let folder = TempDir::new().unwrap();
    fs::create_dir_all(folder.path().join("all/g/cam")).unwrap();
    fs::create_dir_all(folder.path().join("ems/cam2")).unwrap();
    write(&folder.path().join("all/g/cam/1.ts"), 10);
    write(&folder.path().join("ems/cam2/1.ts"), 20);
    let here = folder.path().display();
    let mut server = Posting::new(&format!(
        "folders: {{/no/www: {here}/all, ../evo-webroot: {here}/all}}\n\
         servers: [{{name: ems, folders: {{/no/www/g: {here}/ems}}}}]"
    ));
    server.open(1, "cam", "../evo-webroot/g/cam");
    server.open(2, "cam2", "/no/www/g/cam2");
    server.open(3, "cam3", "/no/www/g/cam3");
    server.close("../evo-webroot\\g/cam/1.ts");
    server.close("/no/www/g/cam2/1.ts");
    server.close("/no/www/g/cam2/../../cam/1.ts");
    server.wait_for_outcomes([2.0, 0.0, 1.0, 0.0]);
    assert_eq!(server.of_stream("ems_chunk_bytes_total", "cam"), Some(10.0));
    assert_eq!(server.of_stream("ems_chunk_bytes_total", "cam2"), Some(20.0));
}

/// A pipeline whose folders are looked at through `files`; and their readings, by label, of a metric.
fn looked_at(
    settings: &Settings,
    files: FileSystem,
) -> (Arc<Pipeline>, impl Fn(&str, &str) -> Option<f64> + use<>) {
    let folders = Folders::new(&PathMap::default(), &Default::default());
    let known = [ConfiguredServer { name: "ems".to_owned(), ..ConfiguredServer::default() }];
    let mut pipeline = Pipeline::new(&known, settings, 1);
    let measuring = Arc::clone(&folders);
    pipeline.set_measure(Box::new(move |server, chunk| measuring.enqueue(server, chunk)));
    let pipeline = Arc::new(pipeline);
    folders.start(&pipeline, files);
    let of = Arc::clone(&pipeline);
    let reading = move |metric: &str, label: &str| {
        let (own, mut page) = (ExporterMetrics::new(at(0.0)).unwrap(), Vec::new());
        let sources = Sources { folders: Some(&folders), ..Sources::of_events(&of, &own) };
        metrics::render(sources, Style::Prometheus, at(1.0), &mut |bytes| page.extend_from_slice(bytes));
        Samples::of(&String::from_utf8(page).unwrap()).get(&format!("{metric}{{{label}}}"))
    };
    (pipeline, reading)
}

/// Sends events of the process 100 to a pipeline, at once.
fn send(pipeline: &Pipeline, name: &str, payload: &Value) {
    let event = json!({"type": name, "processId": 100, "payload": payload}).to_string();
    let server = pipeline.server(None).unwrap();
    assert_eq!(pipeline.accept(Transport::Http, &server, event.as_bytes(), at(1.0)).first, None);
}

fn announced(id: u64, folder: &str) -> Value {
    let name = format!("cam{id}");
    let settings =
        json!({"chunkLength": 4, "groupName": "g", "localStreamName": name, "targetFolder": folder});
    with(stream(id, "OFHLS", &name), json!({"hlsSettings": settings}))
}

#[test]
fn a_mount_point_that_hangs_holds_up_nothing_else_and_a_bounded_number_of_looks() {
    let root = TempDir::new().unwrap().keep();
    let [hanging, healthy] = ["hanging", "healthy"].map(|name| root.join(name));
    for folder in [&hanging, &healthy] {
        fs::create_dir(folder).unwrap();
        write(&folder.join("1.ts"), 10);
    }
    let (release, released) = channel::<()>();
    let (points, hangs) = ([hanging.clone(), healthy.clone()], hanging.clone());
    let released = Mutex::new(released);
    let files = FileSystem {
        metadata: Box::new(move |path| {
            // Until the sender is gone.
            let hangs = path.starts_with(&hangs) && released.lock().unwrap().recv().is_ok();
            assert!(!hangs);
            path.symlink_metadata()
        }),
        mount_points: Box::new(move || points.to_vec()),
    };
    let (pipeline, reading) = looked_at(&Settings::default(), files);
    let outcome = |result: &str| {
        reading("ems_exporter_chunk_files_total", &format!("result=\"{result}\"")).unwrap_or_default()
    };
    for (id, folder) in [(1, &hanging), (2, &healthy)] {
        send(&pipeline, "outStreamCreated", &announced(id, folder.to_str().unwrap()));
    }
    const CHUNKS: usize = 3000;
    let started = Instant::now();
    for chunk in 0..CHUNKS {
        send(&pipeline, "hlsChunkClosed", &json!({"file": format!("{}/1.ts", hanging.display())}));
        if chunk % 500 == 0 {
            send(&pipeline, "hlsChunkClosed", &json!({"file": format!("{}/1.ts", healthy.display())}));
        }
    }
    assert!(started.elapsed() < Duration::from_secs(20), "events do not wait: {:?}", started.elapsed());
    let healthy = CHUNKS.div_ceil(500) as f64;
    wait_for("chunks of the other mount point, and a scrape", || {
        let seen = outcome("measured");
        holds(seen > 0.0 && seen <= healthy, seen)
    });
    wait_for("what does not fit into the queues to be dropped", || {
        // 1024 wait and one hangs.
        let dropped = outcome("dropped");
        holds(dropped >= (CHUNKS - 1025) as f64, dropped)
    });
    assert_eq!(reading("ems_folders", "state=\"unknown\""), Some(1.0));
    assert_eq!(reading("ems_folders", "state=\"readable\""), Some(1.0));
    drop(release);
    wait_for("the chunks that waited", || {
        let seen = [outcome("measured"), outcome("dropped")];
        holds(seen[0] > healthy && seen[0] + seen[1] == CHUNKS as f64 + healthy, seen)
    });
    fs::remove_dir_all(root).unwrap();
}

#[test]
fn folders_beyond_the_limit_are_counted_and_not_looked_at() {
    let paths_seen = Arc::new(Mutex::new(BTreeSet::new()));
    let paths = Arc::clone(&paths_seen);
    let files = FileSystem {
        metadata: Box::new(move |path| {
            paths.lock().unwrap().insert(path.to_owned());
            Err(std::io::ErrorKind::NotFound.into())
        }),
        ..FileSystem::default()
    };
    let settings = Settings { streams: 20_000, ..Settings::default() };
    let (pipeline, reading) = looked_at(&settings, files);
    for id in 0..10_100 {
        send(&pipeline, "outStreamCreated", &announced(id, &format!("/none/{id}")));
    }
    // A closed chunk in a new mount point has all folders looked at.
    send(&pipeline, "hlsChunkClosed", &json!({"file": "/none/1/1.ts"}));
    wait_for("the folders beyond the limit", || {
        let of = |state: &str| reading("ems_folders", &format!("state=\"{state}\""));
        let seen = (of("untracked"), of("unreadable"));
        holds(seen == (Some(100.0), Some(10_000.0)), seen)
    });
    assert!(paths_seen.lock().unwrap().len() <= 10_000);
}
