//! The mount points of this machine. If a single file was mounted into our container, a rotation of it is never seen
//! inside: the mount stays with the old file.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// The mount points, by the kernel's list: no file system is touched, so none can hang. Empty where the list cannot be
/// read.
pub fn mount_points() -> Vec<PathBuf> {
    listed(&fs::read("/proc/self/mountinfo").unwrap_or_default()).collect()
}

/// Whether one of `paths` is itself a mount point, by the kernel's list of mounts. Where the
/// list cannot be read nothing is said to be one.
pub(super) fn mounted_files<'a>(paths: impl Iterator<Item = &'a Path>) -> Vec<&'a Path> {
    let mounts = mount_points();
    paths.filter(|path| fs::canonicalize(path).is_ok_and(|real| mounts.contains(&real))).collect()
}

/// The mount points that a list in the form of `/proc/self/mountinfo` names.
fn listed(list: &[u8]) -> impl Iterator<Item = PathBuf> {
    let points = list.split(|&byte| byte == b'\n').filter_map(|line| line.split(|&byte| byte == b' ').nth(4));
    points.map(|point| PathBuf::from(OsString::from_vec(unescaped(point))))
}

/// Undoes the octal escapes of blanks and backslashes.
fn unescaped(point: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(point.len());
    let mut rest = point;
    while let Some((&first, after)) = rest.split_first() {
        let code = after
            .get(..3)
            .filter(|_| first == b'\\')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) => {
                bytes.push(code);
                rest = &after[3..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &[u8] = b"21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n\
        98 21 8:1 /logs/events.json /var/log/ems/events.json rw - ext4 /dev/sda1 rw\n\
        99 21 8:1 /logs /srv/my\\040logs rw - ext4 /dev/sda1 rw\n";

    #[test]
    fn a_bind_mounted_file_is_distinguished_from_one_in_a_mounted_directory() {
        let points: Vec<_> = listed(MOUNTS).collect();
        assert_eq!(points, ["/", "/var/log/ems/events.json", "/srv/my logs"].map(PathBuf::from));
    }
}
