//! Lists of faults as the libraries behind Packer print them.

use std::fmt::Write as _;

use kiln_core::diagnostic::Fault;

/// Faults of one stage: the lines Packer would print, and the faults with their places. Packer stops at the first
/// stage that has any; Kiln prints that stage's text and shows the faults of all.
#[derive(Debug, Default)]
pub(super) struct Stage {
    /// Packer's lines, in its order.
    pub lines: Vec<String>,
    /// The faults.
    pub faults: Vec<Fault>,
}

impl Stage {
    /// Adds a fault whose message is Packer's line.
    pub fn add(&mut self, fault: Fault) {
        self.lines.push(fault.message.clone());
        self.faults.push(fault);
    }

    /// Adds one line of Packer's that stands for several faults.
    pub fn add_all(&mut self, line: String, faults: Vec<Fault>) {
        self.lines.push(line);
        self.faults.extend(faults);
    }

    /// Returns Packer's text, if there is anything to say.
    pub fn text(&self, list: fn(&[String]) -> String) -> Option<String> {
        (!self.lines.is_empty()).then(|| list(&self.lines))
    }
}

/// `2 errors occurred:` with starred lines and an empty line at the end.
pub(super) fn multi_error(lines: &[String]) -> String {
    let mut text = match lines.len() {
        1 => "1 error occurred:".to_owned(),
        count => format!("{count} errors occurred:"),
    };
    for line in lines {
        let _ = write!(text, "\n\t* {line}");
    }
    text + "\n\n"
}

/// `2 error(s) decoding:` with starred lines in sorted order.
pub(super) fn decoding_errors(lines: &[String]) -> String {
    let mut lines: Vec<String> = lines.iter().map(|line| format!("* {line}")).collect();
    lines.sort();
    format!("{} error(s) decoding:\n\n{}", lines.len(), lines.join("\n"))
}

/// The first line alone, for stages that end at their first fault.
pub(super) fn first(lines: &[String]) -> String {
    lines.first().cloned().unwrap_or_default()
}
