//! Pages of the book that are made of tables.

use std::path::Path;

use super::{COMMANDS, help};

/// Compares a page of the book with what the code says; with `KILN_REWRITE_DOCS=1` writes it instead.
#[expect(clippy::disallowed_methods, reason = "for whoever runs the tests")]
pub fn assert_page(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    if std::env::var_os("KILN_REWRITE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(page, text, "docs/{name} is out of date: KILN_REWRITE_DOCS=1 cargo test -p kiln page");
}

#[test]
fn command_pages_say_what_the_commands_say() {
    for command in COMMANDS {
        let name = command.name.replace(' ', "-");
        assert_page(&format!("commands/{name}.md"), &help::page(command));
    }
}

#[test]
fn commands_stand_in_alphabetical_order() {
    assert!(COMMANDS.is_sorted_by_key(|command| command.name));
}
