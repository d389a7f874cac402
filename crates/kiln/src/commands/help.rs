//! Help texts: made of the doc comments and the tables of flags.

use kiln_core::diagnostic::nearest;

use super::{COMMANDS, Command};

/// Makes a doc comment readable at run time: the comment *is* the help.
macro_rules! documented {
    ($(#[doc = $line:literal])* const HELP;) => {
        $(#[doc = $line])*
        pub const HELP: &str = concat!($($line, "\n"),*);
    };
}
pub(crate) use documented;

/// Flags stand in a column this wide.
const COLUMN: usize = 30;

/// Returns the list of commands.
pub fn list() -> String {
    let width = COMMANDS.iter().map(|command| command.name.len()).max().unwrap_or(0);
    let mut text =
        String::from("Usage: kiln [--version] [--help] <command> [<args>]\n\nAvailable commands are:\n");
    for command in COMMANDS {
        text.push_str(&format!("    {:<width$}    {}\n", command.name, command.synopsis));
    }
    text
}

/// Returns what to say of a word that is no command.
pub fn unknown(word: &str) -> String {
    match nearest(word, COMMANDS.iter().map(|command| command.name)) {
        Some(near) => format!("there is no command `{word}`; is `{near}` meant?"),
        None => format!("there is no command `{word}`"),
    }
}

/// Returns the help of one command.
pub fn of(command: &Command) -> String {
    let mut text = format!("Usage: kiln {} {}\n", command.name, command.usage);
    for line in command.help.lines() {
        let line = line.strip_prefix(' ').unwrap_or(line);
        text.push_str(&match line.is_empty() {
            true => "\n".to_owned(),
            false => format!("  {line}\n"),
        });
    }
    let flags: Vec<_> = command.flags.iter().copied().flatten().collect();
    if !flags.is_empty() {
        text.push_str("\nOptions:\n\n");
    }
    for flag in flags {
        let spelling = flag.spelling();
        text.push_str(&match spelling.len() < COLUMN {
            true => format!("  {spelling:<COLUMN$}{}\n", flag.help),
            false => format!("  {spelling}\n  {:COLUMN$}{}\n", "", flag.help),
        });
    }
    text
}

/// Returns the page of one command for the book.
#[cfg(test)]
pub fn page(command: &Command) -> String {
    let mut text = format!(
        "# kiln {}\n\n{}\n\n```\nkiln {} {}\n```\n\n",
        command.name, command.synopsis, command.name, command.usage
    );
    for line in command.help.lines() {
        text.push_str(line.strip_prefix(' ').unwrap_or(line));
        text.push('\n');
    }
    let flags: Vec<_> = command.flags.iter().copied().flatten().collect();
    if !flags.is_empty() {
        text.push_str("\n| option | meaning |\n| --- | --- |\n");
    }
    for flag in flags {
        let spelling = flag.spelling().replace('|', "\\|");
        text.push_str(&format!("| `{spelling}` | {} |\n", flag.help.replace('|', "\\|")));
    }
    text.push_str(
        "\nThis page is made of the doc comment and the table of flags in `crates/kiln/src/commands/`.\n",
    );
    text
}
