//! The architecture: modules import what the map in `src/lib.rs` declares, and nothing imports in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::Visit;
use syn::{Attribute, Item, ItemUse, UseTree};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// The sources of the program.
const FOLDERS: [&str; 4] =
    ["src", "crates/ems-protocol/src", "crates/ems-tail/src", "crates/ems-simulator/src"];
const CRATES: [&str; 3] = ["ems_protocol", "ems_simulator", "ems_tail"];

/// A module by its path from the root of its crate, which itself is the empty path.
type Module = Vec<String>;

/// Module → the modules of the same crate, and the crates of the workspace, that it names.
type Imports = BTreeMap<Module, BTreeSet<Module>>;

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
    })
}

/// Collects the paths that the code of a file names, without its tests.
#[derive(Default)]
struct Paths {
    named: Vec<Vec<String>>,
    /// Modules that are compiled for tests only.
    tests: Vec<String>,
}

impl Paths {
    fn tree(&mut self, before: &[String], tree: &UseTree) {
        match tree {
            UseTree::Path(path) => {
                let mut longer = before.to_vec();
                longer.push(path.ident.to_string());
                self.tree(&longer, &path.tree);
            }
            UseTree::Name(name) => self.named.push([before, &[name.ident.to_string()]].concat()),
            UseTree::Rename(rename) => self.named.push([before, &[rename.ident.to_string()]].concat()),
            UseTree::Glob(_) => self.named.push(before.to_vec()),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.tree(before, item)),
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item(&mut self, item: &'ast Item) {
        if let Item::Mod(module) = item
            && is_test(&module.attrs)
        {
            self.tests.push(module.ident.to_string());
            return;
        }
        syn::visit::visit_item(self, item);
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {
        // `pub(super)` names the parent without using it.
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        // Re-exports make a name public; they use nothing.
        if matches!(item.vis, syn::Visibility::Inherited) {
            self.tree(&[], &item.tree);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.named.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        syn::visit::visit_path(self, path);
    }
}

/// The imports of the crate in a folder of sources.
fn imports(folder: &Path) -> Imports {
    let mut files = Vec::new();
    sources(folder, &mut files);
    let parsed: BTreeMap<Module, Paths> = files
        .iter()
        .map(|file| {
            let inside = file.strip_prefix(folder).unwrap().with_extension("");
            let mut module: Module = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            if module == ["lib"] {
                module.clear();
            }
            let syntax = syn::parse_file(&std::fs::read_to_string(file).unwrap()).unwrap();
            let mut paths = Paths::default();
            paths.visit_file(&syntax);
            (module, paths)
        })
        .collect();
    let is_tested = |module: &Module| {
        (1..=module.len()).any(|length| {
            let parent = parsed.get(&module[..length - 1]);
            parent.is_some_and(|parent| parent.tests.contains(&module[length - 1]))
        })
    };
    let modules: BTreeSet<&Module> = parsed.keys().filter(|module| !is_tested(module)).collect();
    let mut imports = Imports::new();
    for module in &modules {
        let named = parsed[*module].named.iter().filter_map(|path| resolve(&modules, module, path));
        let others = named.filter(|other| other != *module).collect();
        imports.insert((*module).clone(), others);
    }
    imports
}

/// The deepest module that a path leads to, or a crate of the workspace.
fn resolve(modules: &BTreeSet<&Module>, from: &Module, path: &[String]) -> Option<Module> {
    let first = path.first()?.as_str();
    let (mut at, rest) = match first {
        "crate" => (Vec::new(), &path[1..]),
        "self" => (from.clone(), &path[1..]),
        "super" => {
            let ups = path.iter().take_while(|part| *part == "super").count();
            (from[..from.len().checked_sub(ups)?].to_vec(), &path[ups..])
        }
        "ems_exporter" => (Vec::new(), &path[1..]),
        name if CRATES.contains(&name) => return Some(vec![name.to_owned()]),
        _ => (from.clone(), path),
    };
    let start = at.len();
    for part in rest {
        at.push(part.clone());
        if !modules.contains(&at) {
            at.pop();
            break;
        }
    }
    let absolute = matches!(first, "crate" | "super" | "self" | "ems_exporter");
    (absolute || at.len() > start).then_some(at)
}

/// One circle of imports, if there is any. The crate root takes part as the empty name.
fn circle(imports: &Imports) -> Option<Vec<String>> {
    fn visit(at: &Module, imports: &Imports, path: &mut Vec<Module>, done: &mut BTreeSet<Module>) -> bool {
        if path.contains(at) {
            path.push(at.clone());
            return true;
        }
        if done.contains(at) {
            return false;
        }
        path.push(at.clone());
        if imports.get(at).into_iter().flatten().any(|next| visit(next, imports, path, done)) {
            return true;
        }
        path.pop();
        done.insert(at.clone());
        false
    }
    let mut done = BTreeSet::new();
    imports.keys().find_map(|module| {
        let mut path = Vec::new();
        visit(module, imports, &mut path, &mut done)
            .then(|| path.iter().map(|module| module.join("::")).collect())
    })
}

/// Module → what it may import, from the table in the crate's documentation.
fn map() -> BTreeMap<String, BTreeSet<String>> {
    let lib = std::fs::read_to_string(Path::new(ROOT).join("src/lib.rs")).unwrap();
    let rows = lib.lines().filter_map(|line| line.strip_prefix("//! | `"));
    rows.map(|row| {
        let columns: Vec<&str> = row.split('|').collect();
        let module = columns[0].split('`').next().unwrap().to_owned();
        let imports = columns[2].split(',').map(|name| name.trim().to_owned()).filter(|name| name != "–");
        (module, imports.collect())
    })
    .collect()
}

#[test]
fn modules_import_exactly_what_the_map_declares() {
    let map = map();
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, others) in imports(&Path::new(ROOT).join("src")) {
        let Some(top) = module.first() else { continue };
        let row = found.entry(top.clone()).or_default();
        row.extend(others.iter().filter_map(|other| other.first()).filter(|other| *other != top).cloned());
    }
    assert!(found.len() > 15, "too few modules: {}", found.len());
    for (module, imports) in found {
        let declared = map.get(&module).unwrap_or_else(|| panic!("{module} is not on the map"));
        assert_eq!(imports, *declared, "imports of {module}, beside its line of the map");
    }
}

#[test]
fn the_map_has_no_circle() {
    let map = map()
        .into_iter()
        .map(|(module, imports)| (vec![module], imports.into_iter().map(|import| vec![import]).collect()));
    assert_eq!(circle(&map.collect()), None);
}

#[test]
fn nothing_imports_in_a_circle() {
    for folder in FOLDERS.into_iter().chain(["crates/testkit/src"]) {
        let imports = imports(&Path::new(ROOT).join(folder));
        assert_eq!(circle(&imports), None, "in {folder}");
    }
}

#[test]
fn a_circle_is_found() {
    let module = |name: &str| vec![name.to_owned()];
    let mut imports = Imports::from([
        (module("a"), BTreeSet::from([module("b")])),
        (module("b"), BTreeSet::from([module("c")])),
        (module("c"), BTreeSet::new()),
    ]);
    assert_eq!(circle(&imports), None);
    imports.insert(module("c"), BTreeSet::from([module("b")]));
    assert_eq!(circle(&imports).unwrap(), ["a", "b", "c", "b"]);
}

/// A family's module imports no other family: shared code is in `lifecycle`, `discrepancies` and `model` itself.
#[test]
fn no_family_imports_another() {
    const FAMILIES: [&str; 8] =
        ["stream", "output", "timer", "session", "connection", "api_call", "process", "server"];
    let mut seen = 0;
    for (module, others) in imports(&Path::new(ROOT).join("src")) {
        let [model, family, ..] = module.as_slice() else { continue };
        if model != "model" || !FAMILIES.contains(&family.as_str()) {
            continue;
        }
        seen += 1;
        for other in others.iter().filter(|other| other.first().is_some_and(|name| name == "model")) {
            let foreign =
                other.get(1).is_some_and(|name| name != family && FAMILIES.contains(&name.as_str()));
            assert!(!foreign, "{} imports {}", module.join("::"), other.join("::"));
        }
    }
    assert!(seen >= FAMILIES.len(), "too few families: {seen}");
}

/// Time comes in as an argument: the map lists the modules that may read the clock.
#[test]
fn only_the_listed_modules_read_the_clock() {
    let lib = std::fs::read_to_string(Path::new(ROOT).join("src/lib.rs")).unwrap();
    let (_, listed) = lib.split_once("* Time comes in as an argument: only ").unwrap();
    let (listed, _) = listed.split_once(" read the clock.").unwrap();
    let listed: BTreeSet<&str> = listed.split('`').skip(1).step_by(2).collect();
    let mut asking = BTreeSet::new();
    for folder in FOLDERS {
        let folder = Path::new(ROOT).join(folder);
        let mut files = Vec::new();
        sources(&folder, &mut files);
        for file in files {
            let source = std::fs::read_to_string(&file).unwrap();
            let code = source.split("#[cfg(test)]").next().unwrap();
            if !["Timestamp::now()", "Instant::now()", "SystemTime::now()", "Wall::now()"]
                .iter()
                .any(|call| code.contains(call))
            {
                continue;
            }
            let inside = file.strip_prefix(&folder).unwrap().with_extension("");
            let package = folder.parent().unwrap().file_name().unwrap().to_string_lossy().replace('-', "_");
            let module = inside.iter().next().unwrap().to_string_lossy().into_owned();
            let is_test = inside.iter().any(|part| part.to_string_lossy().ends_with("tests"));
            if !is_test {
                asking.insert(if CRATES.contains(&package.as_str()) { package } else { module });
            }
        }
    }
    // It defines Timestamp::now.
    asking.remove("ems_protocol");
    let asking: BTreeSet<&str> = asking.iter().map(String::as_str).collect();
    assert_eq!(asking, listed);
}
