//! A JSON template: what it says, with the place of everything that can be wrong later.

use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;
use kiln_core::span::Span;
use kiln_core::value::Value;

/// A template whose shape is right. Names that refer to nothing, missing variables and the like are found when it is
/// planned.
#[derive(Debug, Clone, Default)]
pub struct Template {
    /// How the user named it.
    pub name: String,
    /// Its absolute path, if it is a file.
    pub path: Option<PathBuf>,
    /// `min_packer_version`.
    pub min_version: Option<Word>,
    /// `description`; empty if there is none.
    pub description: String,
    /// `variables`, in the order of the text.
    pub variables: IndexMap<String, Variable>,
    /// `sensitive-variables`.
    pub sensitive: Vec<Word>,
    /// `builders`, in the order of the text. Their raw names are unique.
    pub builders: Vec<Builder>,
    /// `provisioners`.
    pub provisioners: Vec<Provisioner>,
    /// `error-cleanup-provisioner`.
    pub error_cleanup: Option<Provisioner>,
    /// `post-processors`: chains.
    pub post_processors: Vec<Vec<PostProcessor>>,
}

/// A text of the template with its place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Word {
    /// The text.
    pub text: String,
    /// Where it was written.
    pub span: Option<Span>,
}

/// One entry of `variables`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Variable {
    /// The default; `None`: a value must be given.
    pub default: Option<String>,
    /// Where its name stands.
    pub span: Option<Span>,
    /// Where its default stands.
    pub default_span: Option<Span>,
}

/// One entry of `builders`.
#[derive(Debug, Clone, PartialEq)]
pub struct Builder {
    /// `type`.
    pub kind: Word,
    /// `name`, or the type. Not rendered yet: `only`, `except` and `override` mean this text.
    pub name: Word,
    /// Everything else: an object.
    pub config: Value,
}

/// One entry of `provisioners`.
#[derive(Debug, Clone, PartialEq)]
pub struct Provisioner {
    /// `type`.
    pub kind: Word,
    /// Which builds it is for.
    pub filter: Filter,
    /// `override`: settings by raw builder name.
    pub overrides: IndexMap<String, Override>,
    /// `pause_before`.
    pub pause_before: Duration,
    /// `timeout`.
    pub timeout: Duration,
    /// `max_retries`: a template, not rendered yet.
    pub max_retries: Option<Word>,
    /// Everything else: an object.
    pub config: Value,
}

/// What `override` says for one builder.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// Where the builder's name stands.
    pub span: Option<Span>,
    /// The settings.
    pub config: Value,
}

/// One element of a post-processor chain.
#[derive(Debug, Clone, PartialEq)]
pub struct PostProcessor {
    /// `type`.
    pub kind: Word,
    /// `name`, or the type.
    pub name: String,
    /// Which builds it is for.
    pub filter: Filter,
    /// `keep_input_artifact`; unset: the post-processor's own default.
    pub keep_input_artifact: Option<bool>,
    /// Everything else: an object.
    pub config: Value,
}

/// `only` and `except` of a component: raw builder names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// If any: it is for these builders alone.
    pub only: Vec<Word>,
    /// It is not for these builders.
    pub except: Vec<Word>,
}

impl Filter {
    /// Returns whether a component is left out of the build of the builder with this raw name.
    pub fn skips(&self, name: &str) -> bool {
        let named = |names: &[Word]| names.iter().any(|word| word.text == name);
        (!self.only.is_empty() && !named(&self.only)) || named(&self.except)
    }
}
