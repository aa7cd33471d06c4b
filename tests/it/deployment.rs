//! The files in `deploy/` agree with the program and with each other. `tests/package/run` and
//! `tests/kubernetes/run` try it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use ems_exporter::cli::Cli;
use ems_exporter::config::keys::KEYS;
use ems_exporter::config::{Config, Overrides};
use serde::de::DeserializeOwned;
use serde_json::Value;

const CHART: &str = "deploy/kubernetes/ems-exporter";
const UNIT: &str = "deploy/systemd/ems-exporter.service";
const VERSION: &str = env!("CARGO_PKG_VERSION");

fn at(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(at(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn yaml<T: DeserializeOwned>(text: &str) -> T {
    serde_saphyr::from_str(text).unwrap()
}

/// The plain manifests of the sidecar, as JSON.
fn sidecar() -> Vec<Value> {
    text("deploy/kubernetes/sidecar.yaml").split("\n---\n").map(yaml).collect()
}

/// All environment variables.
fn variables() -> BTreeSet<String> {
    KEYS.iter().map(|key| key.variable.to_owned()).filter(|variable| !variable.is_empty()).collect()
}

/// The files of a folder and of those in it, by their path from it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// The words of a text that begin with `start`.
fn words<'a>(text: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    let breaks = |letter: char| !(letter.is_ascii_alphanumeric() || "_.-$".contains(letter));
    text.split(breaks).filter(move |word| word.starts_with(start) && *word != start)
}

/// The command of the unit, as it is given to the program.
fn unit_command() -> Vec<String> {
    let unit = text(UNIT);
    let command = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    command.split(' ').map(str::to_owned).collect()
}

#[test]
fn deployed_files_name_existing_flags() {
    let known = variables();
    let mut seen = 0;
    for path in files(&at("deploy")).into_iter().chain([at("Dockerfile"), at("docker-compose.yml")]) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for variable in words(&text, "EMS_EXPORTER_") {
            seen += 1;
            assert!(known.contains(variable), "{}: there is no {variable}", path.display());
        }
    }
    assert!(seen >= 8, "too few variables: {seen}");
    let command = unit_command();
    assert_eq!(command[0], "/usr/bin/ems-exporter");
    Cli::try_parse_from(&command).unwrap();
    for pod in pods() {
        for container in containers(&pod).filter(|container| container["name"] == "exporter") {
            let arguments: Vec<&str> =
                container["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
            Cli::try_parse_from([&["ems-exporter"][..], &arguments].concat()).unwrap();
        }
    }
}

/// The configuration of the package, with its examples commented out or in effect.
pub fn default_configuration(with_examples: bool) -> String {
    let is_example = |line: &str| {
        let rest = line.strip_prefix('#').unwrap_or_default();
        !rest.is_empty() && (!rest.starts_with(' ') || rest.starts_with("  "))
    };
    let text = text("deploy/debian/ems-exporter.yml");
    let lines = text.lines().map(|line| if with_examples && is_example(line) { &line[1..] } else { line });
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_default_configuration_is_the_default() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ems-exporter.yml");
    let load = |text: &str| {
        fs::write(&file, text).unwrap();
        // Where it came from is all that differs.
        let origin = Config::default().origin;
        Config { origin, ..Config::load(Some(&file), &Overrides::default()).unwrap() }
    };
    assert_eq!(load(&default_configuration(false)), Config::default());
    let examples = load(&default_configuration(true));
    // The servers are examples, all else repeats the defaults.
    assert_eq!((examples.servers.len(), examples.sources.len(), examples.apis.len()), (1, 1, 1));
    let others = Config { servers: Vec::new(), sources: Vec::new(), apis: Vec::new(), ..examples };
    assert_eq!(others, Config::default());
}

#[test]
fn the_unit_keeps_its_state_in_the_state_directory_of_systemd() {
    let unit = text(UNIT);
    let has = |line: &str| assert!(unit.lines().any(|ours| ours == line), "{UNIT} lacks {line}");
    has("Type=notify");
    has("ExecReload=/bin/sh -c 'kill -HUP $MAINPID'");
    has("StateDirectory=ems-exporter");
    has("Environment=EMS_EXPORTER_STORAGE_PATH=%S/ems-exporter");
    has("Environment=EMS_EXPORTER_CONFIG_FILE=/etc/ems-exporter/ems-exporter.yml");
    has("EnvironmentFile=-/etc/default/ems-exporter");
    assert!(text("deploy/debian/postrm").contains("/var/lib/private/ems-exporter"));
    for line in text("deploy/debian/default").lines() {
        assert!(line.starts_with('#'), "/etc/default/ems-exporter sets something: {line}");
    }
}

#[test]
fn the_package_contains_existing_files() {
    let manifest = text("Cargo.toml");
    let (_, package) = manifest.split_once("[package.metadata.deb]").unwrap();
    let assets = package.lines().filter_map(|line| line.trim().strip_prefix("[\"")).map_while(|line| {
        let source = line.split('"').next().unwrap();
        (!source.is_empty()).then_some(source)
    });
    let mut seen = 0;
    for source in assets.filter(|source| !source.starts_with("target/")) {
        let pattern = at(source);
        let found = glob::glob(pattern.to_str().unwrap()).unwrap().count();
        assert!(found > 0, "the package wants {source}");
        seen += 1;
    }
    assert!(seen >= 10, "too few assets: {seen}");
    let shells = fs::read_dir(at("deploy/completions")).unwrap();
    for file in shells.map(|entry| entry.unwrap().file_name().into_string().unwrap()) {
        assert!(manifest.contains(&format!("\"deploy/completions/{file}\"")), "{file} is not in the package");
    }
}

#[test]
fn versions_equal_that_of_the_program() {
    let chart: Value = yaml(&text(&format!("{CHART}/Chart.yaml")));
    assert_eq!([&chart["version"], &chart["appVersion"]], [VERSION, VERSION]);
    let changelog = text("deploy/debian/changelog");
    assert!(changelog.starts_with(&format!("ems-exporter ({VERSION}-")), "{changelog}");
    let image = format!("ems-exporter:{VERSION}");
    let mut seen = 0;
    for pod in pods() {
        for container in containers(&pod).filter(|container| container["name"] == "exporter") {
            assert_eq!(container["image"], *image);
            seen += 1;
        }
    }
    assert_eq!(seen, 1);
}

/// The Pods of the plain manifests.
fn pods() -> Vec<Value> {
    sidecar()
        .into_iter()
        .map(|object| object["spec"]["template"]["spec"].clone())
        .filter(Value::is_object)
        .collect()
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    let list = |name: &str| pod[name].as_array().map(Vec::as_slice).unwrap_or_default();
    list("initContainers").iter().chain(list("containers"))
}

#[test]
fn ports_and_paths_are_those_of_the_program() {
    let listening = Config::default().listen;
    let [address] = &*listening else { panic!("{listening:?}") };
    let (_, port) = address.rsplit_once(':').unwrap();
    let number: u64 = port.parse().unwrap();
    assert!(text("Dockerfile").contains(&format!("EXPOSE {port}\n")));
    let deployment = text(&format!("{CHART}/templates/deployment.yaml"));
    assert!(deployment.contains(&format!("containerPort: {port}\n")));
    assert!(text(&format!("{CHART}/templates/service.yaml")).contains(&format!("port: {port}\n")));
    let objects = sidecar();
    let exporter = objects[0]["spec"]["template"]["spec"]["initContainers"][0].clone();
    assert_eq!(exporter["ports"][0]["containerPort"], number);
    let ports = objects[1]["spec"]["ports"].as_array().unwrap();
    assert!(ports.iter().any(|one| one["port"] == number));
    for file in files(&at("deploy")) {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        for (place, _) in text.match_indices(":10") {
            let digits: String = text[place + 1..].chars().take_while(char::is_ascii_digit).collect();
            assert!(digits.len() != 5 || digits == port, "{}: port {digits}", file.display());
        }
    }
    let probes = ["startupProbe", "livenessProbe"].map(|probe| &exporter[probe]["httpGet"]);
    let plain = probes.map(|probe| {
        assert_eq!(probe["port"], exporter["ports"][0]["name"]);
        probe["path"].as_str().unwrap().to_owned()
    });
    let of_chart =
        deployment.lines().filter_map(|line| line.trim().strip_prefix("path: ")).map(str::to_owned);
    let probed: Vec<String> = of_chart.chain(plain).collect();
    assert_eq!(probed.len(), 4);
    let routes = text("src/http/router.rs");
    for path in probed {
        assert!(routes.contains(&format!(".route(\"{path}\", get(")), "nothing answers at {path}");
    }
}

#[test]
fn containers_are_restricted() {
    for pod in pods() {
        assert_eq!(pod["automountServiceAccountToken"], false);
        for container in containers(&pod).filter(|container| container["name"] != "media-server") {
            let may = &container["securityContext"];
            let name = &container["name"];
            assert_eq!(may["runAsNonRoot"], true, "{name}");
            assert_eq!(may["runAsUser"], 65532, "{name}");
            assert_eq!(may["readOnlyRootFilesystem"], true, "{name}");
            assert_eq!(may["allowPrivilegeEscalation"], false, "{name}");
            assert_eq!(may["capabilities"]["drop"][0], "ALL", "{name}");
            assert!(container["resources"]["limits"]["memory"].is_string(), "{name}");
        }
    }
    let chart = text(&format!("{CHART}/templates/deployment.yaml"));
    for line in ["runAsNonRoot: true", "runAsUser: 65532", "readOnlyRootFilesystem: true", "drop: [ALL]"] {
        assert!(chart.contains(line), "{line}");
    }
    assert!(text("Dockerfile").contains("USER 65532:65532\n"));
}

#[test]
fn the_chart_contains_the_rules_and_dashboards_themselves() {
    let same = |copy: &str, source: &str| {
        assert_eq!(fs::canonicalize(at(copy)).unwrap(), fs::canonicalize(at(source)).unwrap(), "{copy}");
    };
    same(&format!("{CHART}/files/alerts.yml"), "dashboards/prometheus/alerts.yml");
    same(&format!("{CHART}/files/grafana"), "dashboards/grafana");
    // Helm ignores every file that is not a dashboard.
    let ignored = text(&format!("{CHART}/.helmignore"));
    for entry in fs::read_dir(at("dashboards/grafana")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let mark = if entry.path().is_dir() { "/" } else { "" };
        let left_out = ignored.lines().any(|line| line == format!("files/grafana/{name}{mark}"));
        assert_eq!(left_out, !name.ends_with(".json"), "{name}");
    }
    assert!(text(&format!("{CHART}/templates/servicemonitor.yaml")).contains("replacement: ems\n"));
}

/// The paths of all values; maps that users fill count as one value.
fn leaves(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    match value.as_object() {
        Some(map) if !map.is_empty() && !path.ends_with("labels") && path != "resources" => {
            for (key, value) in map {
                leaves(value, format!("{path}.{key}").trim_start_matches('.'), into);
            }
        }
        _ => {
            into.insert(path.to_owned());
        }
    }
}

#[test]
fn values_of_the_chart_exist_and_are_used_and_described() {
    let values: Value = yaml(&text(&format!("{CHART}/values.yaml")));
    let schema: Value = serde_json::from_str(&text(&format!("{CHART}/values.schema.json"))).unwrap();
    let mut given = BTreeSet::new();
    leaves(&values, "", &mut given);
    for path in &given {
        let described = path.split('.').try_fold(&schema, |schema, key| schema["properties"].get(key));
        assert!(described.is_some(), "values.schema.json does not know {path}");
    }
    let templates: String = files(&at(&format!("{CHART}/templates")))
        .iter()
        .map(|file| fs::read_to_string(file).unwrap().replace("$.Values.", ".Values."))
        .collect();
    let used: BTreeSet<String> =
        words(&templates, ".Values.").map(|word| word[".Values.".len()..].to_owned()).collect();
    assert_eq!(used, given);
}

#[test]
fn templates_of_the_chart_are_balanced_and_include_existing_templates() {
    let helpers = text(&format!("{CHART}/templates/_helpers.tpl"));
    for file in files(&at(&format!("{CHART}/templates"))) {
        let template = fs::read_to_string(&file).unwrap();
        let actions: Vec<&str> = template
            .split("{{")
            .skip(1)
            .map(|rest| rest.split_once("}}").unwrap_or_else(|| panic!("{}: {rest}", file.display())).0)
            .map(|action| action.trim_matches(['-', ' ']))
            .collect();
        let count = |starts: &[&str]| {
            actions.iter().filter(|action| starts.contains(&action.split(' ').next().unwrap())).count()
        };
        assert_eq!(count(&["if", "with", "range", "define"]), count(&["end"]), "{}", file.display());
        for included in actions.iter().filter_map(|action| action.split_once("include \"")) {
            let name = included.1.split('"').next().unwrap();
            assert!(helpers.contains(&format!("define \"{name}\"")), "{}: {name}", file.display());
        }
    }
}
