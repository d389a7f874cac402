//! A template goes in, and everything that comes out is compared: `cases/NAME.json` with its verdict in
//! `cases/NAME.snap`. `cases/NAME.args` holds flags, one a line; `cases/vars/` the variables files they name.
#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "tests read their cases themselves")]

mod world;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use kiln_core::diagnostic::{Diagnostics, Fault};
use kiln_core::plan::{PlannedBuild, PlannedProvisioner, Settings};
use kiln_core::scope::BuildValues;
use kiln_template::{InspectLine, LoadError, PlanError, PlanOptions, Planned, TemplateInput, json};

use world::TestWorld;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn templates(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|ext| ext == "json")).collect();
    paths.sort();
    paths
}

#[test]
fn every_template_has_its_verdict() {
    let paths = templates(&folder("cases"));
    assert!(paths.len() >= 60, "only {} cases", paths.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("cases");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let _guard = settings.bind_to_scope();
    for path in paths {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let flags = std::fs::read_to_string(path.with_extension("args")).unwrap_or_default();
        insta::assert_snapshot!(name, verdict(&std::fs::read(&path).unwrap(), &flags));
    }
}

#[test]
fn the_seeds_templates_are_planned_as_they_are() {
    let mut paths = templates(&folder("seeds"));
    // A file of profiles, which stands beside the template that uses it.
    paths.retain(|path| !path.ends_with("001-aliyun-config.json"));
    assert_eq!(paths.len(), 16);
    for path in paths {
        let text = std::fs::read(&path).unwrap();
        let input = TemplateInput { name: "seed.json".into(), text, path: None };
        let template = json::load(&input).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let world = TestWorld::default();
        let planned = template.plan(&options(""), &world).unwrap_or_else(|error| panic!("{error:?}"));
        assert!(planned.notes.is_empty() && planned.faulty.is_empty());
        let [build] = planned.plan.builds.as_slice() else { panic!("one build is expected") };
        assert!(["alicloud-ecs", "aliyun"].contains(&build.name.as_str()), "{}", build.name);
        // The values come from the environment, and the settings still name the variables.
        let settings = resolved(build.settings.as_ref());
        if let Some(key) = settings.get("access_key") {
            assert_eq!(key, "{{user `access_key`}}");
            assert_eq!(planned.plan.user_variables["access_key"], "key-of-the-environment");
        }
    }
}

fn options(flags: &str) -> PlanOptions {
    let mut options = PlanOptions { core_version: "1.16.0".into(), ..PlanOptions::default() };
    for line in flags.lines() {
        let (flag, value) = line.split_once(' ').unwrap();
        match flag {
            "-var" => {
                let (name, value) = value.split_once('=').unwrap();
                options.vars.push((name.into(), value.into()));
            }
            "-var-file" => options.var_files.push(value.into()),
            "-only" => options.selection.only = value.split(',').map(str::to_owned).collect(),
            "-except" => options.selection.except = value.split(',').map(str::to_owned).collect(),
            _ => panic!("unknown flag {flag}"),
        }
    }
    options
}

fn verdict(text: &[u8], flags: &str) -> String {
    let input =
        TemplateInput { name: "t.json".into(), text: text.to_vec(), path: Some("/templates/t.json".into()) };
    let mut world = TestWorld::default();
    for path in templates(&folder("cases/vars")) {
        let name = Path::new("vars").join(path.file_name().unwrap());
        world.files.insert(name, std::fs::read(path).unwrap());
    }
    let template = match json::load(&input) {
        Ok(template) => template,
        Err(error) => return unread(&error),
    };
    match template.plan(&options(flags), &world) {
        Ok(planned) => {
            let inspection = template.inspect();
            let machine = inspection.iter().filter_map(|line| match line {
                InspectLine::Machine { kind, data } => Some(format!("{kind},{}\n", data.join(","))),
                InspectLine::Say(_) => None,
            });
            let (plan, human) = (show(&planned), kiln_template::inspection::human(&inspection));
            format!("{plan}--- inspect\n{human}--- inspect, for machines\n{}", machine.collect::<String>())
        }
        Err(PlanError::Unread(error)) => unread(&error),
        Err(PlanError::Faulty(diagnostics)) => faulty(&diagnostics),
    }
}

fn unread(error: &LoadError) -> String {
    format!("unread\n--- packer\n{error}\n--- kiln\n{}", faults(&error.faults))
}

fn faulty(diagnostics: &Diagnostics) -> String {
    let mut text = "faulty\n".to_owned();
    for diagnostic in &diagnostics.0 {
        write!(text, "--- packer: {:?}\n{}\n", diagnostic.summary, diagnostic.detail).unwrap();
        write!(text, "--- kiln\n{}", faults(&diagnostic.faults)).unwrap();
    }
    text
}

fn faults(faults: &[Fault]) -> String {
    let mut text = String::new();
    for fault in faults {
        let place = fault.span.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        writeln!(text, "{place}: {}", fault.message.trim_end()).unwrap();
        if let Some(span) = fault.span.as_ref().filter(|span| span.text().len() <= 40) {
            writeln!(text, "  text: {}", span.text().escape_debug()).unwrap();
        }
        if let Some(hint) = &fault.hint {
            writeln!(text, "  hint: {hint}").unwrap();
        }
    }
    text
}

fn show(planned: &Planned) -> String {
    let mut text = "planned\n".to_owned();
    if !planned.faulty.is_empty() {
        text += &faulty(&planned.faulty);
    }
    for build in &planned.plan.builds {
        text += &show_build(build);
    }
    if !planned.plan.user_variables.is_empty() {
        writeln!(text, "variables {:?}", planned.plan.user_variables).unwrap();
    }
    if !planned.plan.secrets.is_empty() {
        writeln!(text, "secrets {:?}", planned.plan.secrets).unwrap();
    }
    if !planned.notes.is_empty() {
        write!(text, "--- notes\n{}", faults(&planned.notes)).unwrap();
    }
    text
}

fn show_build(build: &PlannedBuild) -> String {
    let PlannedBuild { name, build_name, builder_type, .. } = build;
    let mut text = format!("build {name} ({build_name}, {builder_type})");
    writeln!(text, " {}", resolved(build.settings.as_ref())).unwrap();
    for provisioner in &build.provisioners {
        writeln!(text, "  provisioner {}", show_provisioner(provisioner)).unwrap();
    }
    if let Some(provisioner) = &build.error_cleanup {
        writeln!(text, "  error cleanup {}", show_provisioner(provisioner)).unwrap();
    }
    for chain in &build.post_processors {
        writeln!(text, "  chain").unwrap();
        for one in chain {
            let keep = one.keep_input_artifact.map_or("default".to_owned(), |keep| keep.to_string());
            let settings = resolved(one.settings.as_ref());
            writeln!(text, "    {} ({}) keep={keep} {settings}", one.kind, one.name).unwrap();
        }
    }
    text
}

fn show_provisioner(provisioner: &PlannedProvisioner) -> String {
    let PlannedProvisioner { kind, pause_before, timeout, max_retries, .. } = provisioner;
    let settings = resolved(provisioner.settings.as_ref());
    format!("{kind} pause={pause_before:?} timeout={timeout:?} retries={max_retries} {settings}")
}

fn resolved(settings: &dyn Settings) -> serde_json::Value {
    settings.resolve(&BuildValues::None).unwrap().to_json()
}
