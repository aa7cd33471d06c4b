//! The compose file and the image: what can be judged without Docker Engine. `tests/compose/run` brings them up.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[derive(Deserialize)]
struct Stack {
    services: BTreeMap<String, Service>,
    volumes: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct Service {
    image: String,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    ports: Vec<Port>,
    #[serde(default)]
    volumes: Vec<Volume>,
    #[serde(default)]
    profiles: Vec<String>,
    #[serde(default)]
    depends_on: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    cap_drop: Vec<String>,
    read_only: bool,
    restart: String,
}

/// Compose 1 prints the short form, Compose 2 the long one.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Port {
    Short(String),
    Long { host_ip: String },
}

impl Port {
    /// The address of the host on which it is published.
    fn address(&self) -> &str {
        match self {
            Self::Short(port) => port.split(':').next().unwrap(),
            Self::Long { host_ip } => host_ip,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Volume {
    Short(String),
    Long {
        source: String,
        #[serde(default)]
        read_only: bool,
    },
}

impl Volume {
    /// What is mounted, and whether the container may not write to it.
    fn source(&self) -> (&str, bool) {
        match self {
            Self::Short(volume) => (volume.split(':').next().unwrap(), volume.ends_with(":ro")),
            Self::Long { source, read_only } => (source, *read_only),
        }
    }
}

/// The compose file as docker-compose reads it, with a directory of events that is there.
fn stack(events: &Path) -> Stack {
    let mut command = Command::new("docker-compose");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("COMPOSE_")) {
        command.env_remove(name);
    }
    let output = command
        .args(["--file", "docker-compose.yml", "--profile", "ems", "config"])
        .current_dir(ROOT)
        .env("EMS_EVENTS", events)
        .env_remove("DEMO_STALL")
        .output()
        .expect("docker-compose cannot be run: install the Debian package docker-compose");
    let [said, complained] = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap());
    assert!(output.status.success(), "{said}{complained}");
    serde_saphyr::from_str(&said).unwrap()
}

fn here() -> Stack {
    stack(Path::new(ROOT))
}

fn text(name: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(name)).unwrap()
}

#[test]
fn the_services_are_those_of_the_readme() {
    let stack = here();
    let of_profile = |profile: &[&str]| -> Vec<&str> {
        let chosen = stack.services.iter().filter(|(_, service)| service.profiles == profile);
        chosen.map(|(name, _)| name.as_str()).collect()
    };
    assert_eq!(of_profile(&[]), ["alertmanager", "exporter", "grafana", "prometheus", "simulator"]);
    assert_eq!(of_profile(&["ems"]), ["exporter-ems"]);
    // Grafana brings its Prometheus along but neither exporter: which of them there is, is the reader's choice.
    let needs = |name: &str| stack.services[name].depends_on.keys().collect::<Vec<_>>();
    assert_eq!(needs("grafana"), ["prometheus"]);
    assert_eq!(needs("prometheus"), ["alertmanager"]);
    assert_eq!(needs("simulator"), ["exporter"]);
}

#[test]
fn ports_are_published_on_the_loopback_address_only() {
    let stack = here();
    let ports: Vec<&Port> = stack.services.values().flat_map(|service| &service.ports).collect();
    assert_eq!(ports.len(), 5);
    for port in ports {
        assert_eq!(port.address(), "127.0.0.1", "{port:?}");
    }
}

#[test]
fn images_are_pinned_and_ours_is_of_this_version() {
    for (name, service) in here().services {
        let (image, tag) = service.image.split_once(':').unwrap_or_else(|| panic!("{name} has no tag"));
        let version = tag.trim_start_matches('v');
        let numbers: Vec<Result<u32, _>> = version.split('.').map(str::parse).collect();
        assert!(numbers.len() == 3 && numbers.iter().all(Result::is_ok), "{image}: {tag}");
        if image == "ems-exporter" {
            assert_eq!(version, env!("CARGO_PKG_VERSION"));
        }
    }
    for line in text("Dockerfile").lines().filter_map(|line| line.strip_prefix("FROM ")) {
        let pinned =
            line.split_once(':').is_some_and(|(_, tag)| tag.starts_with(|c: char| c.is_ascii_digit()));
        assert!(line == "scratch" || pinned, "{line}");
    }
}

#[test]
fn the_image_is_built_of_all_that_the_source_includes() {
    let mut folders = vec![Path::new(ROOT).join("src")];
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

#[test]
fn containers_may_do_only_what_they_must() {
    for (name, service) in here().services {
        assert!(service.read_only, "{name}");
        assert_eq!(service.cap_drop, ["ALL"], "{name}");
        assert_eq!(service.restart, "unless-stopped", "{name}");
    }
}

#[test]
fn what_is_mounted_exists_and_is_not_written_to() {
    let events = tempfile::tempdir().unwrap();
    let stack = stack(events.path());
    let mut files = 0;
    for (name, service) in &stack.services {
        for (source, read_only) in service.volumes.iter().map(Volume::source) {
            if source.starts_with('/') {
                files += 1;
                assert!(read_only, "{name} may write to {source}");
                assert!(Path::new(source).exists(), "{name} mounts {source}");
            } else {
                assert!(stack.volumes.contains_key(source), "{name} mounts {source}");
            }
        }
    }
    assert_eq!(files, 5);
    // What programs are told to read is in what they are given.
    for file in ["prometheus/prometheus.yml", "prometheus/alertmanager.yml", "grafana/ems-overview.json"] {
        assert!(Path::new(ROOT).join("dashboards").join(file).exists(), "{file}");
    }
}

#[test]
fn names_in_configurations_are_names_in_the_stack() {
    let compose = text("docker-compose.yml");
    let stack = here();
    assert!(compose.contains("aliases: [ems-exporter]"));
    let prometheus = text("dashboards/prometheus/prometheus.yml");
    assert!(prometheus.contains("targets: ['ems-exporter:10777']"));
    assert!(
        prometheus.contains("targets: ['alertmanager:9093']") && stack.services.contains_key("alertmanager")
    );
    let grafana = text("dashboards/grafana/provisioning/datasources/prometheus.yml");
    assert!(grafana.contains("url: http://prometheus:9090") && stack.services.contains_key("prometheus"));
    let provider = text("dashboards/grafana/provisioning/dashboards/ems-exporter.yml");
    assert!(
        provider.contains("path: /etc/grafana/dashboards") && compose.contains(":/etc/grafana/dashboards:ro")
    );
}

#[test]
fn the_simulator_understands_what_it_is_told() {
    use clap::Parser;
    let stack = here();
    let command = &stack.services["simulator"].command;
    let line = std::iter::once("ems-exporter").chain(command.iter().map(String::as_str));
    let parsed = ems_exporter::cli::Cli::try_parse_from(line).unwrap();
    let Some(ems_exporter::cli::Command::Simulate(options)) = parsed.command else {
        panic!("{command:?} does not simulate");
    };
    let stall = &options.stall[0];
    // Longer than a scrape, an evaluation and the threshold together, so that one sees it fire.
    let lasting = stall.lasting.unwrap();
    assert!(lasting.as_secs() >= 12 + 15 + 15, "{stall:?}");
    assert!(stall.every.is_some_and(|every| every > lasting * 2), "{stall:?}");
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
    for needed in ["Cargo.toml", "Cargo.lock", "src", "benches"] {
        assert!(given.contains(&needed), "{needed}");
    }
}
