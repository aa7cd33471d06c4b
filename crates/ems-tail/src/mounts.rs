//! Whether a single file was mounted into our container, in which case a rotation of it is
//! never seen inside: the mount stays with the old file.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Whether one of `paths` is itself a mount point, by the kernel's list of mounts. Where the
/// list cannot be read nothing is said to be one.
pub(super) fn mounted_files<'a>(paths: impl Iterator<Item = &'a Path>) -> Vec<&'a Path> {
    let Ok(mounts) = fs::read("/proc/self/mountinfo") else { return Vec::new() };
    paths.filter(|path| fs::canonicalize(path).is_ok_and(|real| is_mount_point(&mounts, &real))).collect()
}

/// Whether `mounts`, in the form of `/proc/self/mountinfo`, names `path` as a mount point.
fn is_mount_point(mounts: &[u8], path: &Path) -> bool {
    mounts
        .split(|&byte| byte == b'\n')
        .filter_map(|line| line.split(|&byte| byte == b' ').nth(4))
        .any(|point| unescaped(point) == path.as_os_str().as_bytes())
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
        assert!(is_mount_point(MOUNTS, Path::new("/var/log/ems/events.json")));
        assert!(!is_mount_point(MOUNTS, Path::new("/var/log/ems/other.json")));
        assert!(!is_mount_point(MOUNTS, Path::new("/srv/my logs/events.json")));
        assert!(is_mount_point(MOUNTS, Path::new("/srv/my logs")));
    }
}
