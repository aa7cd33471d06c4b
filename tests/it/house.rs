//! The house: each room imports only what the map in `src/lib.rs` allows it.

use std::collections::BTreeMap;
use std::path::Path;

/// Room → what it may import, from the table in the crate's documentation.
fn map() -> BTreeMap<String, Vec<String>> {
    let lib = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let rows = lib.lines().filter_map(|line| line.strip_prefix("//! | `"));
    rows.map(|row| {
        let columns: Vec<&str> = row.split('|').collect();
        let room = columns[0].split('`').next().unwrap().trim_end_matches(".rs").to_owned();
        let imports = columns[2].split(',').map(|room| room.trim().to_owned()).filter(|room| room != "–");
        (room, imports.collect())
    })
    .collect()
}

fn sources(folder: &Path, into: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// The rooms of the crate that a source file names after `crate::`, tests left out.
fn imports(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap();
    let code: String =
        code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut rooms: Vec<String> = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if rest.starts_with('{') {
            let group = &rest[1..rest.find("};").unwrap()];
            rooms.extend(group.split(',').map(|item| first_word(item.trim())));
        } else {
            rooms.push(first_word(rest));
        }
    }
    rooms
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}

#[test]
fn no_room_imports_what_the_map_does_not_allow() {
    let map = map();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut seen = 0;
    for file in files {
        let inside = file.strip_prefix(&src).unwrap();
        let room = inside.iter().next().unwrap().to_string_lossy().trim_end_matches(".rs").to_owned();
        let allowed = map.get(&room).unwrap_or_else(|| panic!("{room} is not on the map"));
        if ["lib", "main"].contains(&room.as_str()) {
            continue;
        }
        let families = ["stream", "output", "timer", "session", "connection", "api", "process", "server"];
        let own_family =
            inside.iter().nth(1).map(|name| name.to_string_lossy().trim_end_matches(".rs").to_owned());
        let source = std::fs::read_to_string(&file).unwrap();
        for import in imports(&source) {
            seen += 1;
            let fine = import == room || allowed.contains(&import);
            assert!(fine, "{} imports {import}, which is not on its line of the map", inside.display());
        }
        if room == "family" {
            for family in families.iter().filter(|family| Some(**family) != own_family.as_deref()) {
                let other = [format!("crate::family::{family}"), format!("use super::{family}")];
                assert!(
                    own_family.is_none() || !other.iter().any(|other| source.contains(other)),
                    "{} knows the family {family}",
                    inside.display()
                );
            }
        }
    }
    assert!(seen > 50, "the test has lost sight of the imports: {seen}");
}
