//! Paths of a media server as paths of this machine.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// Folders of a media server that this machine has elsewhere: the first text is the server's path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathMap(pub Vec<(String, PathBuf)>);

impl PathMap {
    /// The path on this machine of a folder that the server names, and of a file in it. `None` if the file is not
    /// below the folder, and for a relative folder that is not in the map: it is relative to the server's own working
    /// directory.
    pub fn find(&self, folder: &str, file: &str) -> Option<(PathBuf, PathBuf)> {
        let (folder, file) = (resolve(folder), resolve(file));
        let below = below(&file, &folder).filter(|below| !below.is_empty())?;
        let folder = self.resolved_folder(&folder)?;
        let file = folder.join(below);
        Some((folder, file))
    }

    /// The path on this machine of a folder that the server names.
    pub fn folder(&self, folder: &str) -> Option<PathBuf> {
        self.resolved_folder(&resolve(folder))
    }

    fn resolved_folder(&self, folder: &str) -> Option<PathBuf> {
        let mapped = self.0.iter().filter_map(|(from, to)| Some((from, to, below(folder, from)?)));
        // The longest prefix counts; of equal ones the last, which is the server's own.
        match mapped.max_by_key(|(from, ..)| from.len()) {
            Some((_, to, "")) => Some(to.clone()),
            Some((_, to, below)) => Some(to.join(below)),
            None => folder.starts_with('/').then(|| Path::new(folder).to_owned()),
        }
    }
}

/// The rest of a resolved path below a resolved folder; empty for the folder itself.
fn below<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    if folder.is_empty() {
        // The server's working directory.
        return (!path.starts_with('/') && path != ".." && !path.starts_with("../")).then_some(path);
    }
    let rest = path.strip_prefix(folder.trim_end_matches('/'))?;
    let rest = if rest.is_empty() { rest } else { rest.strip_prefix('/')? };
    // A relative folder may lead further up than its own path.
    (rest != ".." && !rest.starts_with("../")).then_some(rest)
}

/// A path with `/` for every separator and without `.`, `..` and empty components, as far as its text allows: a
/// relative path may begin with `..`.
pub fn resolve(path: &str) -> Cow<'_, str> {
    let below_root = path.strip_prefix('/').unwrap_or(path);
    if below_root
        .split('/')
        .all(|component| !matches!(component, "" | "." | "..") && !component.contains('\\'))
    {
        return Cow::Borrowed(path);
    }
    let mut resolved: Vec<&str> = Vec::new();
    let is_absolute = path.starts_with(['/', '\\']);
    for component in path.split(['/', '\\']) {
        match component {
            "" | "." => {}
            ".." if resolved.last().is_some_and(|last| *last != "..") => {
                resolved.pop();
            }
            ".." if is_absolute => {}
            component => resolved.push(component),
        }
    }
    Cow::Owned(format!("{}{}", if is_absolute { "/" } else { "" }, resolved.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(map: &[(&str, &str)], folder: &str, file: &str) -> Option<String> {
        let map =
            PathMap(map.iter().map(|(from, to)| (resolve(from).into_owned(), PathBuf::from(to))).collect());
        map.find(folder, file).map(|(_, file)| file.display().to_string())
    }

    #[test]
    fn the_longest_prefix_of_whole_components_is_mapped() {
        let map = [("/srv", "/a"), ("/srv/www/", "/b"), ("../evo-webroot", "/c"), ("C:\\www", "/d")];
        let cases = [
            ("/srv/www/hls/cam", "/srv/www/hls/cam/1.ts", Some("/b/hls/cam/1.ts")),
            ("/srv/www", "/srv/www/1.ts", Some("/b/1.ts")),
            ("/srv/wwwroot/cam", "/srv/wwwroot/cam/1.ts", Some("/a/wwwroot/cam/1.ts")),
            ("/data/cam", "/data/cam/1.ts", Some("/data/cam/1.ts")),
            ("../evo-webroot/hls/cam", "../evo-webroot/hls/cam//1.ts", Some("/c/hls/cam/1.ts")),
            ("../media/cam", "../media/cam/1.ts", None),
            ("C:/www/cam", "C:\\www\\cam\\1.ts", Some("/d/cam/1.ts")),
            ("D:/www/cam", "D:/www/cam/1.ts", None),
        ];
        for (folder, file, wanted) in cases {
            assert_eq!(find(&map, folder, file).as_deref(), wanted, "{file}");
        }
        assert_eq!(
            find(&[("/", "/host")], "/srv/cam", "/srv/cam/1.ts").as_deref(),
            Some("/host/srv/cam/1.ts")
        );
    }

    #[test]
    fn no_file_outside_its_folder_is_found() {
        let map = [("/srv/www", "/mnt/www"), (".", "/work")];
        for (folder, file) in [
            ("/srv/www/cam", "/srv/www/cam/../../../etc/shadow"),
            ("/srv/www/cam", "/srv/www/cam/../cam2/1.ts"),
            ("/srv/www/cam", "/srv/www/cam/."),
            ("/srv/www/cam", "/srv/www/cam/x/.."),
            ("/srv/www/cam", "\\srv\\www\\cam\\..\\1.ts"),
            ("/srv/www/cam", "/srv/www/camera/1.ts"),
            (".", "../1.ts"),
            ("..", "../../1.ts"),
        ] {
            assert_eq!(find(&map, folder, file), None, "{file}");
        }
        let inside = find(&map, "/srv/www/cam", "/srv/www/cam/x/../1.ts");
        assert_eq!(inside.as_deref(), Some("/mnt/www/cam/1.ts"));
        let escaping = find(&map, "/srv/www/../../etc", "/srv/www/../../etc/shadow");
        assert_eq!(escaping.as_deref(), Some("/etc/shadow"), "the map does not apply outside its folder");
    }
}
