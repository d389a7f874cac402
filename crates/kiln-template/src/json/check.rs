//! What the parts of a template say of each other: found when it is planned, not when it is read, as in Packer.

use kiln_core::diagnostic::{Fault, nearest};

use super::given::Given;
use super::messages::{Stage, first, multi_error};
use super::model::{Filter, Template, Word};
use crate::version::Version;

/// There are builders, and `only`, `except` and `override` name them.
pub(super) fn references(template: &Template) -> Stage {
    let mut stage = Stage::new(multi_error);
    if template.builders.is_empty() {
        let hint = "add one, such as \"builders\": [{ \"type\": \"alicloud-ecs\", … }]";
        stage.add(Fault::new("at least one builder must be defined").hint(hint));
    }
    let names = Names(template.builders.iter().map(|builder| builder.name.text.as_str()).collect());
    for (index, provisioner) in template.provisioners.iter().enumerate() {
        let what = format!("provisioner {}", index + 1);
        names.check_filter(&what, &provisioner.filter, &mut stage);
        for (name, settings) in &provisioner.overrides {
            if !names.0.contains(&name.as_str()) {
                let fault = Fault::new(format!("{what}: override '{name}' doesn't exist"));
                stage.add(fault.at(settings.span.clone()).hint(names.hint(name)));
            }
        }
    }
    for (chain_index, chain) in template.post_processors.iter().enumerate() {
        for (index, post_processor) in chain.iter().enumerate() {
            let what = format!("post-processor {}.{}", chain_index + 1, index + 1);
            names.check_filter(&what, &post_processor.filter, &mut stage);
        }
    }
    stage
}

/// The raw names of all builders.
struct Names<'a>(Vec<&'a str>);

impl Names<'_> {
    fn check_filter(&self, what: &str, filter: &Filter, stage: &mut Stage) {
        if let (Some(_), Some(except)) = (filter.only.first(), filter.except.first()) {
            let fault = Fault::new(format!("{what}: only one of 'only' or 'except' may be specified"));
            stage.add(fault.at(except.span.clone()).hint("remove one of the two"));
        }
        for (key, words) in [("only", &filter.only), ("except", &filter.except)] {
            for Word { text, span } in words {
                if !self.0.contains(&text.as_str()) {
                    let fault = Fault::new(format!("{what}: '{key}' specified builder '{text}' not found"));
                    stage.add(fault.at(span.clone()).hint(self.hint(text)));
                }
            }
        }
    }

    fn hint(&self, name: &str) -> String {
        match nearest(name, self.0.iter().copied()) {
            Some(near) => format!("is `{near}` meant?"),
            None if self.0.is_empty() => "the template has no builders".to_owned(),
            None => format!("builders are: {}", self.0.join(", ")),
        }
    }
}

/// The template is not for a later version.
pub(super) fn minimum_version(template: &Template, core_version: &str) -> Stage {
    let mut stage = Stage::new(first);
    let Some(Word { text, span }) = &template.min_version else { return stage };
    match (Version::parse(text), Version::parse(core_version)) {
        (Err(error), _) => {
            let fault = Fault::new(format!("min_version is invalid: {error}")).at(span.clone());
            stage.add(fault.hint("write a plain version, such as \"1.7.0\""));
        }
        (Ok(wanted), Ok(have)) if have < wanted => {
            let message = format!("This template requires Packer version {wanted} or higher; using {have}");
            stage.add(Fault::new(message).at(span.clone()));
        }
        _ => {}
    }
    stage
}

/// Every variable without a default has a value.
pub(super) fn required_variables(template: &Template, given: &Given) -> Stage {
    let mut stage = Stage::new(multi_error);
    for (name, variable) in &template.variables {
        if variable.default.is_none() && !given.0.contains_key(name) {
            let fault = Fault::new(format!("required variable not set: {name}")).at(variable.span.clone());
            stage.add(fault.hint(format!("give it with `-var {name}=…` or in a `-var-file`")));
        }
    }
    stage
}
