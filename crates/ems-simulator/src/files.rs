//! Writes the files of chunks to a real folder.

use std::collections::{HashMap, VecDeque};
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Most files that stay in a folder; the oldest goes first.
const KEPT: usize = 10;

/// The files that have been written, by folder, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct WrittenFiles {
    kept: HashMap<PathBuf, VecDeque<PathBuf>>,
    failing: bool,
}

impl WrittenFiles {
    /// Writes a file of so many bytes.
    pub(crate) fn write(&mut self, file: &[u8], bytes: u64) {
        let path = PathBuf::from(OsString::from_vec(file.to_vec()));
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        let written = fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&path, vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)]));
        if let Err(error) = &written
            && !self.failing
        {
            tracing::warn!("cannot write the file {} of a chunk: {error}", path.display());
        }
        self.failing = written.is_err();
        let kept = self.kept.entry(folder).or_default();
        if kept.back() != Some(&path) {
            kept.push_back(path);
        }
        while kept.len() > KEPT
            && let Some(oldest) = kept.pop_front()
        {
            if let Err(error) = fs::remove_file(&oldest) {
                tracing::debug!("cannot remove {}: {error}", oldest.display());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{KEPT, WrittenFiles};
    use std::fs;

    #[test]
    fn a_bounded_number_of_files_stays_in_each_folder() {
        let root = tempfile::tempdir().unwrap();
        let mut files = WrittenFiles::default();
        let path = |number: usize| root.path().join(format!("cam/{number}.ts"));
        for number in 0..=KEPT {
            files.write(path(number).as_os_str().as_encoded_bytes(), number as u64);
        }
        assert!(!path(0).exists());
        for number in 1..=KEPT {
            assert_eq!(fs::metadata(path(number)).unwrap().len(), number as u64);
        }
        files.write(b"/proc/cam/1.ts", 1);
        assert!(files.failing, "and nothing else happens");
    }
}
