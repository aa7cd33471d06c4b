//! The generator of the dashboards.

use std::fs;

use testkit::grafana::{dashboards, folder};
use testkit::process::run_successfully;
use testkit::programs::require;

#[test]
fn the_generator_writes_the_committed_dashboards() {
    require(&["python3"]);
    let fresh = tempfile::tempdir().unwrap();
    run_successfully(
        testkit::programs::command("python3").arg(folder().join("generate.py")).arg(fresh.path()),
        b"",
    );
    let committed = dashboards();
    assert_eq!(fs::read_dir(fresh.path()).unwrap().count(), committed.len());
    for dashboard in committed {
        let name = format!("{}.json", dashboard.file);
        let (old, new) = (folder().join(&name), fresh.path().join(&name));
        let same = fs::read_to_string(old).unwrap() == fs::read_to_string(new).unwrap();
        assert!(same, "{name} is out of date: run dashboards/grafana/generate.py");
    }
}
