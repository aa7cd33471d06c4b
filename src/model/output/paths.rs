//! Reads the parts of an output from a path. Paths are the media server's: they are never opened
//! here, and may be relative or contain backslashes and doubled separators.

use std::borrow::Cow;

use super::format::{Format, Track};

/// `path` with `/` for every separator, none doubled and none at the end.
pub fn normalise(path: &str) -> Cow<'_, str> {
    if is_normal(path.as_bytes()) {
        return Cow::Borrowed(path);
    }
    let mut normal = String::with_capacity(path.len());
    for character in path.chars() {
        let character = if character == '\\' { '/' } else { character };
        if character != '/' || !normal.ends_with('/') {
            normal.push(character);
        }
    }
    if normal.len() > 1 && normal.ends_with('/') {
        normal.pop();
    }
    Cow::Owned(normal)
}

/// Whether a path is normalised already, as most are. It runs for each chunk, so it compares many
/// bytes at once and does not stop at the first match.
fn is_normal(path: &[u8]) -> bool {
    let Some((last, rest)) = path.split_last() else {
        return true;
    };
    let wrong = rest
        .iter()
        .zip(&path[1..])
        .fold(false, |wrong, (byte, next)| wrong | (*byte == b'\\') | ((*byte == b'/') & (*next == b'/')));
    !wrong && *last != b'\\' && (*last != b'/' || rest.is_empty())
}

/// The normalised path of a recording without extension and part number: what all its files have
/// in common.
pub fn recording(path: &str) -> &str {
    let name = path.rfind('/').map_or(0, |slash| slash + 1);
    let dot = path[name..].rfind('.').filter(|dot| *dot > 0);
    let path = dot.map_or(path, |dot| &path[..name + dot]);
    let whole = path.trim_end_matches(|character: char| character.is_ascii_digit());
    match whole.strip_suffix("_part") {
        Some(stem) if stem.len() > name && whole.len() < path.len() => stem,
        _ => path,
    }
}

/// The folders that hold a normalised path, the nearest first.
pub fn folders(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(parent(path), |folder| parent(folder))
}

fn parent(path: &str) -> Option<&str> {
    path.rfind('/').map(|slash| &path[..slash])
}

/// The last component of a path.
fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// The parts of a chunk's normalised path.
#[derive(Debug, PartialEq, Eq)]
pub struct Shape<'p> {
    /// The group's folder name; empty where the path has none.
    pub group: &'p str,
    /// The stream's folder name, which is the part of the stream's name after its last `/`.
    pub stream: &'p str,
    /// The stream's folder.
    pub folder: &'p str,
}

/// Splits a chunk's normalised path by its format's layout. `None` when the path is too short, and
/// for recordings, whose paths have no layout.
pub fn shape(format: Format, path: &str) -> Option<Shape<'_>> {
    let mut folder = parent(path)?;
    match format {
        Format::Record => return None,
        Format::Hls | Format::Hds => {}
        // …/<stream>/{audio,video}/<bandwidth>/<file>, or with the two middle ones exchanged.
        Format::Dash | Format::Mss => {
            let media = folders(path).position(|folder| track_of(last(folder)).is_some());
            let digits = |folder: &str| {
                let name = last(folder);
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
            };
            if let Some(at) = media {
                folder = folders(path).nth(at + 1)?;
                if at == 0 && digits(folder) {
                    folder = parent(folder)?;
                }
            }
        }
    }
    let stream = last(folder);
    let group = parent(folder).map(last).unwrap_or_default();
    (!stream.is_empty()).then_some(Shape { group, stream, folder })
}

/// Which track a chunk's normalised path belongs to.
pub fn track(format: Format, path: &str) -> Track {
    if !format.splits_tracks() {
        return Track::Whole;
    }
    folders(path).find_map(|folder| track_of(last(folder))).unwrap_or(Track::Whole)
}

fn track_of(component: &str) -> Option<Track> {
    match component {
        "audio" => Some(Track::Audio),
        "video" => Some(Track::Video),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_separators() {
        assert_eq!(normalise("C:\\www\\hls//cam\\"), "C:/www/hls/cam");
        assert_eq!(normalise("../evo-webroot/hls/cam/"), "../evo-webroot/hls/cam");
        assert_eq!(normalise("/"), "/");
        assert_eq!(normalise(""), "");
    }

    #[test]
    fn a_recordings_files_have_one_path_in_common() {
        for path in ["/rec/a.flv", "/rec/a_part0012.flv", "/rec/a", "\\rec\\a.flv"] {
            assert_eq!(recording(&normalise(path)), "/rec/a", "{path}");
        }
        assert_eq!(recording("/rec/a_party.flv"), "/rec/a_party");
        assert_eq!(recording("/rec.d/.hidden"), "/rec.d/.hidden");
    }

    #[test]
    fn reads_the_layouts_of_every_format() {
        let shaped = |format, path| {
            let path = normalise(path);
            let shape = shape(format, &path).map(|shape| (shape.group.to_owned(), shape.stream.to_owned()));
            (shape, track(format, &path))
        };
        let expected = |group: &str, stream: &str| Some((group.to_owned(), stream.to_owned()));
        let cases = [
            (Format::Hls, "/srv/hls/cam/segment_1505792278123_14.ts", expected("hls", "cam"), Track::Whole),
            (Format::Hls, "../evo-webroot\\hls\\cam/x.ts", expected("hls", "cam"), Track::Whole),
            (Format::Hds, "/srv/hds/cam/f4vSeg1-Frag1", expected("hds", "cam"), Track::Whole),
            (
                Format::Dash,
                "/srv/dash/cam//video/264000/segment_0.m4s",
                expected("dash", "cam"),
                Track::Video,
            ),
            (Format::Mss, "/srv/mss/cam/audio/128/1.fmp4", expected("mss", "cam"), Track::Audio),
            (Format::Mss, "/srv/mss/cam/524288/video/1.fmp4", expected("mss", "cam"), Track::Video),
            (Format::Dash, "/srv/dash/cam/1.m4s", expected("dash", "cam"), Track::Whole),
            (Format::Hls, "cam/x.ts", expected("", "cam"), Track::Whole),
            (Format::Hls, "x.ts", None, Track::Whole),
            (Format::Record, "/rec/cam_part0001.flv", None, Track::Whole),
        ];
        for (format, path, shape, track) in cases {
            assert_eq!(shaped(format, path), (shape, track), "{path}");
        }
    }
}
