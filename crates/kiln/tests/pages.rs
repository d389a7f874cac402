//! The book: what is generated in it says what the code says, and its links lead somewhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kiln_alicloud::Setup;
use kiln_core::component::Registry;
use kiln_remote::dial::{Dialer, Direct};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns every component there is, by kind and name, with its table of fields.
fn components() -> BTreeMap<(&'static str, &'static str), String> {
    let dialer: Arc<dyn Dialer> = Arc::new(Direct);
    let setup = Setup::new(Arc::new(|_| None), Arc::clone(&dialer));
    let mut registry = Registry::default();
    kiln_components::register(&mut registry, dialer);
    kiln_alicloud::register(&mut registry, &setup);
    let mut tables = BTreeMap::new();
    for (name, factory) in &registry.builders {
        tables.insert(("builder", *name), factory.schema().to_markdown());
    }
    for (name, factory) in &registry.provisioners {
        tables.insert(("provisioner", *name), factory.schema().to_markdown());
    }
    for (name, factory) in &registry.post_processors {
        tables.insert(("post-processor", *name), factory.schema().to_markdown());
    }
    for (name, factory) in &registry.data_sources {
        tables.insert(("data-source", *name), factory.schema().to_markdown());
    }
    tables
}

/// Puts `table` between the markers of its component; with `KILN_REWRITE_DOCS=1` on disk too.
fn check_page(kind: &str, name: &str, table: &str) {
    let page = format!("docs/components/{kind}-{name}.md");
    let path = root().join(&page);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"));
    let (begin, end) = (format!("<!-- fields:begin {kind} {name} -->\n"), "<!-- fields:end -->");
    assert_eq!(text.matches("<!-- fields:begin").count(), 1, "{page} has one table of fields");
    let parts = text.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(end)?.1)));
    let (before, after) = parts.unwrap_or_else(|| panic!("{page} lacks `{begin}` or `{end}` behind it"));
    let wanted = format!("{before}{begin}{table}{end}{after}");
    if std::env::var_os("KILN_REWRITE_DOCS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
        return;
    }
    assert_eq!(text, wanted, "{page} is out of date: `cargo xtask docs` writes it anew");
}

#[test]
fn component_pages_have_the_fields_that_are_declared() {
    let components = components();
    let contents = std::fs::read_to_string(root().join("docs/README.md")).unwrap();
    for ((kind, name), table) in &components {
        check_page(kind, name, table);
        let link = format!("(components/{kind}-{name}.md)");
        assert!(contents.contains(&link), "docs/README.md does not name {kind} `{name}`: {link}");
    }
    let pages = std::fs::read_dir(root().join("docs/components")).unwrap().count();
    assert_eq!(pages, components.len(), "a page in docs/components belongs to no component");
}

/// Returns the Markdown files of the project that people read.
fn markdown() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root().join("docs"), root().join("examples")];
    let top = std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    files.extend(top.filter(|path| path.extension().is_some_and(|end| end == "md")));
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "md") {
                files.push(path);
            }
        }
    }
    files
}

/// Returns the anchors of a page's headings, as they are made of the headings' text.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let kept = |letter: char| match letter {
        ' ' => Some('-'),
        letter if letter.is_alphanumeric() || letter == '-' || letter == '_' => Some(letter),
        _ => None,
    };
    let anchor =
        |line: &str| line.trim_start_matches('#').trim().to_lowercase().chars().filter_map(kept).collect();
    headings.map(anchor).collect()
}

#[test]
fn links_of_the_pages_lead_somewhere() {
    let mut lost = Vec::new();
    for file in markdown() {
        let text = std::fs::read_to_string(&file).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            if link.contains("://") || link.contains(char::is_whitespace) {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { file.clone() } else { file.parent().unwrap().join(path) };
            let is_there = target.exists()
                && (anchor.is_empty()
                    || std::fs::read_to_string(&target)
                        .is_ok_and(|text| anchors(&text).iter().any(|known| known == anchor)));
            if !is_there {
                lost.push(format!("{}: {link}", file.display()));
            }
        }
    }
    assert!(lost.is_empty(), "{lost:#?}");
}
