//! `deploy/man` and `deploy/completions`, written from the flags. `UPDATE_GOLDEN=1 cargo test` rewrites them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use ems_exporter::cli::Cli;

/// The files of a folder, by name.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let read = |entry: fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap())
    };
    entries.map(read).collect()
}

/// Compares a folder of the project with what `write` writes into one.
fn compare(folder: &str, write: impl Fn(&Path)) {
    let made = tempfile::tempdir().unwrap();
    write(made.path());
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        drop(fs::remove_dir_all(&kept));
        fs::create_dir(&kept).unwrap();
        write(&kept);
        return;
    }
    let (made, kept) = (files(made.path()), files(&kept));
    assert_eq!(made.keys().collect::<Vec<_>>(), kept.keys().collect::<Vec<_>>(), "{folder}");
    for (name, made) in &made {
        for (line, (made, kept)) in made.lines().zip(kept[name].lines()).enumerate() {
            assert_eq!(made, kept, "{folder}/{name}:{}: UPDATE_GOLDEN=1 rewrites it", line + 1);
        }
        assert_eq!(made.len(), kept[name].len(), "{folder}/{name}: UPDATE_GOLDEN=1 rewrites it");
    }
}

#[test]
fn every_command_has_a_current_manual_page() {
    compare("deploy/man", |folder| clap_mangen::generate_to(Cli::command(), folder).unwrap());
}

#[test]
fn shells_complete_the_current_flags() {
    compare("deploy/completions", |folder| {
        for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
            clap_complete::generate_to(shell, &mut Cli::command(), "ems-exporter", folder).unwrap();
        }
    });
}
