//! The container image: that its build is given all that it reads, and always the same.

use std::fs;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn text(name: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(name)).unwrap()
}

#[test]
fn images_to_build_on_are_pinned() {
    for line in text("Dockerfile").lines().filter_map(|line| line.strip_prefix("FROM ")) {
        let pinned =
            line.split_once(':').is_some_and(|(_, tag)| tag.starts_with(|c: char| c.is_ascii_digit()));
        assert!(line == "scratch" || pinned, "{line}");
    }
}

#[test]
fn the_image_is_built_of_all_that_the_source_includes() {
    let mut folders = vec![Path::new(ROOT).join("src"), Path::new(ROOT).join("crates")];
    let mut included = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = fs::read_to_string(&path).unwrap();
            for (_, rest) in
                source.match_indices("include_str!(\"").map(|(at, start)| source[at..].split_at(start.len()))
            {
                let file = path.parent().unwrap().join(rest.split('"').next().unwrap());
                let file =
                    fs::canonicalize(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
                included.push(file.strip_prefix(ROOT).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    assert!(included.len() > 1, "the test has lost sight of the files: {included:?}");
    let sent = text(".dockerignore");
    for file in included {
        let known =
            sent.lines().filter_map(|line| line.strip_prefix('!')).any(|known| file.starts_with(known));
        assert!(known, "{file} is not sent to the build");
    }
}

/// The image is built from what `.dockerignore` lets through, so each file that Cargo.toml names must be among it.
#[test]
fn the_build_is_given_what_it_reads() {
    let ignored = text(".dockerignore");
    let given: Vec<&str> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    assert!(ignored.lines().any(|line| line == "*"));
    for name in &given {
        assert!(Path::new(ROOT).join(name).exists(), "{name}");
    }
    for needed in ["Cargo.toml", "Cargo.lock", "crates", "src", "benches"] {
        assert!(given.contains(&needed), "{needed}");
    }
}
