//! The table of commands, and the way from arguments to one of them.

pub mod build;
pub mod cloud;
pub mod gc;
pub mod help;
pub mod inspect;
pub mod meta;
pub mod runs;
pub mod template;
pub mod validate;
pub mod version;
pub mod whoami;

#[cfg(test)]
pub mod tests;

use kiln_core::secret::SecretFilter;

use crate::env_vars::{Environment, PACKER_NO_COLOR};
use crate::failure::{DONE, FAILED, Failure, NO_COMMAND, Outcome};
use crate::flags::{self, Flag, FlagError, Parsed};
use crate::render::Format;
use crate::ui::Ui;

/// The Packer version Kiln stands for: what templates and scripts are told.
pub const PACKER_VERSION: &str = "1.16.0";

/// One command.
pub struct Command {
    /// Its words: `build`, `cloud serve`.
    pub name: &'static str,
    /// Its line in the list of commands.
    pub synopsis: &'static str,
    /// What stands behind its name in the usage line.
    pub usage: &'static str,
    /// Its description, from its doc comment.
    pub help: &'static str,
    /// Its flags, in groups.
    pub flags: &'static [&'static [Flag]],
    /// Its work.
    pub run: fn(&Invocation) -> Outcome,
}

/// All commands, in alphabetical order.
pub const COMMANDS: &[Command] = &[
    build::COMMAND,
    cloud::COMMAND,
    gc::COMMAND,
    inspect::COMMAND,
    runs::COMMAND,
    validate::COMMAND,
    version::COMMAND,
    whoami::COMMAND,
];

/// What a command is handed.
pub struct Invocation {
    /// The command.
    pub command: &'static Command,
    /// What was typed behind it.
    pub flags: Parsed,
    /// Where to speak.
    pub ui: Ui,
    /// The environment.
    pub environment: Environment,
    /// The id a run of this process has.
    pub run: String,
}

impl Invocation {
    /// Returns the failure of a command line that makes no sense: the command's help, and nothing more.
    pub fn usage(&self) -> Failure {
        Failure::Usage { help: help::of(self.command), reason: None }
    }
}

/// Finds the command and runs it; returns the exit code.
pub fn main(mut arguments: Vec<String>, environment: Environment, run: String) -> u8 {
    let machine = flags::take_machine_readable(&mut arguments);
    let environment = match machine {
        true => environment.with([(PACKER_NO_COLOR.to_owned(), "1".to_owned())]),
        false => environment,
    };
    let format = if machine { Format::Machine } else { Format::Human };
    let ui = Ui { format, secrets: SecretFilter::default() };
    if let Err(error) = crate::logging::start(&environment, &ui.secrets) {
        return ui.failure(&Failure::told(format!("open the log: {error}")));
    }
    let outcome = dispatch(&arguments, &ui, environment, run);
    ui.conclude(outcome)
}

fn dispatch(arguments: &[String], ui: &Ui, environment: Environment, run: String) -> Outcome {
    let first_word = arguments.iter().position(|argument| !argument.starts_with('-'));
    let (before, rest) = arguments.split_at(first_word.unwrap_or(arguments.len()));
    if before.iter().any(|argument| matches!(argument.as_str(), "-v" | "-version" | "--version")) {
        let invocation = Invocation {
            command: &version::COMMAND,
            flags: Parsed::default(),
            ui: ui.clone(),
            environment,
            run,
        };
        return (version::COMMAND.run)(&invocation);
    }
    let asks_help = |arguments: &[String]| {
        let flags = arguments.iter().take_while(|argument| *argument != "--");
        flags.into_iter().any(|argument| matches!(argument.as_str(), "-h" | "-help" | "--help"))
    };
    let Some((command, words)) = find(rest) else {
        if rest.is_empty() && asks_help(before) {
            ui.say(&help::list())?;
            return Ok(DONE);
        }
        if !rest.is_empty() {
            ui.aside(&help::unknown(&rest[0]));
        }
        ui.say(&help::list())?;
        return Ok(NO_COMMAND);
    };
    if asks_help(before) || asks_help(&rest[words..]) {
        ui.say(&help::of(command))?;
        return Ok(DONE);
    }
    if !before.is_empty() {
        ui.error(
            "Invalid flags before the subcommand. If these flags are for\nthe subcommand, please put them after the \
             subcommand.\n",
        )?;
        ui.say(&help::of(command))?;
        return Ok(FAILED);
    }
    let flags = match flags::parse(command.flags, &rest[words..]) {
        Ok(flags) => flags,
        Err(FlagError::Help) => {
            ui.say(&help::of(command))?;
            return Ok(DONE);
        }
        Err(FlagError::Usage(reason)) => {
            return Err(Failure::Usage { help: help::of(command), reason: Some(reason) });
        }
    };
    (command.run)(&Invocation { command, flags, ui: ui.clone(), environment, run })
}

/// Returns the command the words name, the longest match first, and how many words it took.
fn find(words: &[String]) -> Option<(&'static Command, usize)> {
    let matching = COMMANDS.iter().filter_map(|command| {
        let name: Vec<&str> = command.name.split(' ').collect();
        let here: Vec<&str> = words.iter().take(name.len()).map(String::as_str).collect();
        (name == here).then_some((command, name.len()))
    });
    matching.max_by_key(|(_, length)| *length)
}
