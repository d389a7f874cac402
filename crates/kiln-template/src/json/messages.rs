//! Lists of faults as the libraries behind Packer print them.

use std::fmt::Write as _;

use kiln_core::diagnostic::Fault;

/// Faults of one stage: the lines Packer would print, and the faults with their places. Packer stops at the first
/// stage that has any; Kiln prints that stage's text and shows the faults of all.
#[derive(Debug)]
pub(super) struct Stage {
    /// Packer's lines, in its order.
    lines: Vec<String>,
    /// How Packer prints them.
    list: List,
    /// The faults.
    pub faults: Vec<Fault>,
}

/// Lines to text: [`multi_error`], [`decoding_errors`] or [`first`].
type List = fn(&[String]) -> String;

impl Stage {
    /// Returns a stage without faults.
    pub fn new(list: List) -> Stage {
        Stage { lines: Vec::new(), list, faults: Vec::new() }
    }

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
}

/// Returns Packer's text of the first stage that has any, and the faults of all as they follow in the text; those
/// without a place come last.
pub(super) fn told(stages: Vec<Stage>) -> Option<(String, Vec<Fault>)> {
    let text = stages.iter().find(|stage| !stage.lines.is_empty()).map(|stage| (stage.list)(&stage.lines))?;
    let mut faults: Vec<Fault> = stages.into_iter().flat_map(|stage| stage.faults).collect();
    faults.sort_by_key(|fault| fault.span.as_ref().map_or(usize::MAX, |span| span.start));
    Some((text, faults))
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
