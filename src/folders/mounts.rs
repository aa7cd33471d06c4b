//! To which mount point a path belongs, by the path alone: a look at the file system may hang.

use std::path::{Path, PathBuf};

/// Mount points, the longest path first.
#[derive(Debug, Clone, Default)]
pub(super) struct Mounts(Vec<PathBuf>);

impl Mounts {
    /// Those of a list; without any there is only `/`.
    pub(super) fn new(mut points: Vec<PathBuf>) -> Self {
        points.sort_by_key(|point| std::cmp::Reverse(point.as_os_str().len()));
        Self(points)
    }

    /// The mount point of an absolute path without empty components.
    pub(super) fn of(&self, path: &Path) -> &Path {
        let path = path.as_os_str().as_encoded_bytes();
        let holds = |point: &&PathBuf| {
            let below = path.strip_prefix(point.as_os_str().as_encoded_bytes());
            below.is_some_and(|below| matches!(below.first(), None | Some(b'/')))
        };
        self.0.iter().find(holds).map_or(Path::new("/"), PathBuf::as_path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_belongs_to_the_longest_mount_point_that_holds_it() {
        let mounts = Mounts::new(["/", "/srv/media", "/srv"].map(PathBuf::from).into());
        for (path, point) in
            [("/srv/media/hls", "/srv/media"), ("/srv/www", "/srv"), ("/srv2/www", "/"), ("/srv", "/srv")]
        {
            assert_eq!(mounts.of(Path::new(path)), Path::new(point), "{path}");
        }
        assert_eq!(Mounts::default().of(Path::new("/srv")), Path::new("/"));
    }
}
