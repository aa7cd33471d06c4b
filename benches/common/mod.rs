//! Shared by the benchmarks: recorded events rewritten for other streams, and the printing of figures.

#![allow(dead_code, reason = "each bench uses a part of this")]

pub(crate) mod load;

use std::path::Path;
use std::time::Duration;

/// The allocator of the program.
#[cfg(target_env = "gnu")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Names that the recorded events carry, each replaced by that of the requested stream.
const NAMES: [&str; 7] = ["stream1", "pulled1", "ed2", "ts_2639_9qCO", "127.0.0.1_46566", "short1", "short2"];
/// The paths of recordings carry no stream name; they end in this folder.
const RECORDINGS: &str = "media\\/g_";

/// The events of a stream with one HLS output until its first chunk is complete.
pub(crate) const START: [&str; 7] = [
    "inStreamCreated.INR",
    "inStreamCodecsUpdated.INR",
    "outStreamCreated.OFHLS",
    "outStreamCodecsUpdated.OFHLS",
    "hlsChunkCreated",
    "hlsChunkClosed",
    "hlsChildPlaylistUpdated",
];

/// A recorded event, of which any number can be made that differ in their numbers and names.
pub(crate) struct Recorded {
    /// The name of its file: the event, and for streams the type.
    pub(crate) name: String,
    body: String,
}

impl Recorded {
    /// The JSON recording of this name.
    pub(crate) fn read(name: &str) -> Self {
        let file = format!("tests/fixtures/examples/{name}.json.http");
        let request = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let (_, body) = request.split_once("\r\n\r\n").unwrap();
        Self { name: name.to_owned(), body: body.trim_end().to_owned() }
    }

    /// The event with sequence number `id`, for the object with the id `unique`, of the stream `name`.
    pub(crate) fn body(&self, id: u64, unique: u64, name: &str) -> String {
        let mut body = self.body.replace(RECORDINGS, &format!("media\\/{name}_"));
        for recorded in NAMES {
            body = body.replace(recorded, name);
        }
        set_number(&mut body, "id", &id.to_string());
        set_number(&mut body, "uniqueId", &unique.to_string());
        set_number(&mut body, "creationTimestamp", &format!("{}.5000", 1_795_364_000_000 + unique));
        body
    }
}

/// Replaces the number that is the first member called `key`, if there is one.
fn set_number(body: &mut String, key: &str, number: &str) {
    let key = format!("\"{key}\":");
    if let Some(start) = body.find(&key).map(|at| at + key.len()) {
        let end = body[start..].find([',', '}']).map_or(body.len(), |length| start + length);
        body.replace_range(start..end, number);
    }
}

/// The middle one of `values`.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// `time` in milliseconds.
pub(crate) const fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Prints a table: the first column to the left, all others to the right.
pub(crate) fn print_table(title: &str, heads: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([heads[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let print = |cells: &[String]| {
        let mut line = String::new();
        for (column, cell) in cells.iter().enumerate() {
            let width = widths[column];
            line += &if column == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
        }
        println!("{}", line.trim_end());
    };
    println!("\n{title}\n");
    print(&heads.iter().map(|head| (*head).to_owned()).collect::<Vec<_>>());
    print(&widths.iter().map(|width| "-".repeat(*width)).collect::<Vec<_>>());
    for row in rows {
        print(row);
    }
}
