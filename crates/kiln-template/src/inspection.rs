//! What `inspect` prints, free of how it is printed.

/// One line of `inspect`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InspectLine {
    /// A text for the person; may hold line feeds.
    Say(String),
    /// An event that only the machine-readable output shows: its type and its data.
    Machine {
        /// `template-variable`, `template-builder`, `template-provisioner`.
        kind: &'static str,
        /// The fields after the type.
        data: Vec<String>,
    },
}

/// Returns the human text of `lines`, as Packer prints it.
pub fn human(lines: &[InspectLine]) -> String {
    let said = lines.iter().filter_map(|line| match line {
        InspectLine::Say(text) => Some(format!("{text}\n")),
        InspectLine::Machine { .. } => None,
    });
    said.collect()
}
