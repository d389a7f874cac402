//! `kiln inspect`.

use kiln_template::{InspectLine, TemplateInput, json};

use super::help::documented;
use super::template::Request;
use super::{Command, Invocation, meta};
use crate::failure::{DONE, Outcome};

documented! {
    /// Shows a template's variables, builders and provisioners. Without a template it shows the smallest there is.
    const HELP;
}

/// The row of the table.
pub const COMMAND: Command = Command {
    name: "inspect",
    synopsis: "see components of a template",
    usage: "[options] TEMPLATE",
    help: HELP,
    flags: &[meta::TEMPLATE, meta::EVALUATION],
    run,
};

/// What is inspected when no template is named.
const SMALLEST: &str = r#"{"builders":[{"type":"null"}]}"#;

fn run(cx: &Invocation) -> Outcome {
    let template = match cx.flags.arguments.as_slice() {
        [] => json::load(&TemplateInput { name: String::new(), text: SMALLEST.into(), path: None })?,
        [argument] => Request::new(&cx.flags, argument).load()?,
        _ => return Err(cx.usage()),
    };
    for line in template.inspect() {
        match line {
            InspectLine::Say(text) => cx.ui.say(&text)?,
            InspectLine::Machine { kind, data } => {
                let data: Vec<&str> = data.iter().map(String::as_str).collect();
                cx.ui.machine(kind, &data)?;
            }
        }
    }
    Ok(DONE)
}
