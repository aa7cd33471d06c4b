//! The compose file as docker-compose reads it, as far as no Docker Engine is needed. `tests/compose/run` starts the stack.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use testkit::process::run_successfully;
use testkit::programs::require;

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

/// Compose 1 writes `HOST:PORT:PORT/PROTOCOL`, Compose 2 writes its parts.
#[derive(Deserialize)]
#[serde(untagged)]
enum Port {
    Short(String),
    Long { host_ip: String },
}

impl Port {
    /// The address on which it is published.
    fn host(&self) -> &str {
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
    /// The mounted source, and whether it is read-only.
    fn source(&self) -> (&str, bool) {
        match self {
            Self::Short(volume) => (volume.split(':').next().unwrap(), volume.ends_with(":ro")),
            Self::Long { source, read_only } => (source, *read_only),
        }
    }
}

/// The compose file as docker-compose reads it, with a directory of events that is there.
fn stack(events: &Path) -> Stack {
    require(&["docker-compose"]);
    let mut command = testkit::programs::command("docker-compose");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("COMPOSE_")) {
        command.env_remove(name);
    }
    command.args(["--file", "docker-compose.yml", "--profile", "ems", "config"]).current_dir(ROOT);
    let resolved = run_successfully(command.env("EMS_EVENTS", events).env_remove("DEMO_STALL"), b"");
    serde_saphyr::from_str(&resolved).unwrap()
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
    // Grafana starts its Prometheus but no exporter: the reader chooses one.
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
        assert_eq!(port.host(), "127.0.0.1");
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
}

#[test]
fn containers_are_restricted() {
    for (name, service) in here().services {
        assert!(service.read_only, "{name}");
        assert_eq!(service.cap_drop, ["ALL"], "{name}");
        assert_eq!(service.restart, "unless-stopped", "{name}");
    }
}

#[test]
fn mounts_exist_and_are_read_only() {
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
    // The files that the programs read are in the mounted directories.
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
fn the_simulator_accepts_its_command_line() {
    use clap::Parser;
    let stack = here();
    let command = &stack.services["simulator"].command;
    let line = std::iter::once("ems-exporter").chain(command.iter().map(String::as_str));
    let parsed = ems_exporter::cli::Cli::try_parse_from(line).unwrap();
    let Some(ems_exporter::cli::Command::Simulate(options)) = parsed.command else {
        panic!("{command:?} does not simulate");
    };
    let stall = &options.stall[0];
    // Longer than threshold, scrape and evaluation together, so that the alert fires.
    let lasting = stall.lasting.unwrap();
    assert!(lasting.as_secs() >= 12 + 15 + 15, "{stall:?}");
    assert!(stall.every.is_some_and(|every| every > lasting * 2), "{stall:?}");
}
