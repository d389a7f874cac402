//! What `inspect` shows of a JSON template: what is written, without evaluating anything.

use super::model::Template;
use crate::inspection::InspectLine;

impl Template {
    /// Returns the lines of `inspect`, in order.
    pub fn inspect(&self) -> Vec<InspectLine> {
        let mut page = Page(Vec::new());
        page.say("Packer Inspect: JSON mode");
        if !self.description.is_empty() {
            page.say("Description:\n");
            page.say(format!("{}\n", self.description));
        }
        self.inspect_variables(&mut page);
        page.say("");
        self.inspect_builders(&mut page);
        page.say("");
        page.say("Provisioners:\n");
        if self.provisioners.is_empty() {
            page.say("  <No provisioners>");
        }
        for provisioner in &self.provisioners {
            let kind = &provisioner.kind.text;
            page.row("template-provisioner", [kind.clone()], format!("  {kind}"));
        }
        page.say(
            "\nNote: If your build names contain user variables or template\nfunctions such as 'timestamp', these are \
             processed at build time,\nand therefore only show in their raw form here.",
        );
        page.0
    }

    fn inspect_variables(&self, page: &mut Page) {
        if self.variables.is_empty() {
            page.say("Variables:\n");
            return page.say("  <No variables>");
        }
        let mut variables: Vec<_> = self.variables.iter().collect();
        variables.sort_by_key(|(name, _)| *name);
        let width = widest(variables.iter().map(|(name, _)| name.as_str()));
        let (required, optional): (Vec<_>, Vec<_>) =
            variables.into_iter().partition(|(_, variable)| variable.default.is_none());
        if !required.is_empty() {
            page.say("Required variables:\n");
            for (name, _) in required {
                let data = [name.clone(), self.shown_default(""), "1".to_owned()];
                page.row("template-variable", data, format!("  {name}"));
            }
            page.say("");
        }
        page.say("Optional variables and their defaults:\n");
        for (name, variable) in optional {
            let default = self.shown_default(variable.default.as_deref().unwrap_or_default());
            let text = format!("  {} = {default}", padded(name, width));
            page.row("template-variable", [name.clone(), default, "0".to_owned()], text);
        }
    }

    /// A default is hidden if it equals the default of any sensitive variable: the same text elsewhere would give it
    /// away.
    fn shown_default(&self, default: &str) -> String {
        let mut sensitive = self.sensitive.iter().filter_map(|word| self.variables.get(&word.text));
        match sensitive.any(|variable| variable.default.as_deref().unwrap_or_default() == default) {
            true => kiln_core::secret::MASK.to_owned(),
            false => default.to_owned(),
        }
    }

    fn inspect_builders(&self, page: &mut Page) {
        page.say("Builders:\n");
        if self.builders.is_empty() {
            page.say("  <No builders>");
        }
        let mut builders: Vec<_> = self
            .builders
            .iter()
            .map(|builder| (builder.name.text.as_str(), builder.kind.text.as_str()))
            .collect();
        builders.sort_unstable();
        let width = widest(builders.iter().map(|(name, _)| *name));
        for (name, kind) in builders {
            let mut text = format!("  {}", padded(name, width));
            if name != kind {
                text = format!("{text} ({kind})");
            }
            page.row("template-builder", [name.to_owned(), kind.to_owned()], text);
        }
    }
}

struct Page(Vec<InspectLine>);

impl Page {
    fn say(&mut self, text: impl Into<String>) {
        self.0.push(InspectLine::Say(text.into()));
    }

    /// An entry: an event for machines, a line for people.
    fn row(&mut self, kind: &'static str, data: impl Into<Vec<String>>, text: String) {
        self.0.push(InspectLine::Machine { kind, data: data.into() });
        self.say(text);
    }
}

/// Packer counts bytes.
fn widest<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.map(str::len).max().unwrap_or_default()
}

fn padded(name: &str, width: usize) -> String {
    format!("{name}{}", " ".repeat(width - name.len()))
}
