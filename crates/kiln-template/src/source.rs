//! A template's text and the language it is in.

use std::path::PathBuf;

/// A template's text, already read.
#[derive(Debug, Clone, Default)]
pub struct TemplateInput {
    /// How the user named it: `web.json`, `-`.
    pub name: String,
    /// Its bytes: JSON templates may hold text that is not UTF-8.
    pub text: Vec<u8>,
    /// Its absolute path, if it is a file.
    pub path: Option<PathBuf>,
}

/// What a template is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// A legacy JSON template.
    Json,
    /// HCL2, in its native or its JSON syntax.
    Hcl2,
}

impl Language {
    /// Returns the language a template argument asks for, as far as its name decides: `.pkr.hcl` and `.pkr.json`
    /// are HCL2, `-` and an empty name leave it open. Folders, which are HCL2 too, are the caller's to recognise.
    pub fn of_name(name: &str) -> Option<Language> {
        match name {
            "" | "-" => None,
            _ if name.ends_with(".pkr.hcl") || name.ends_with(".pkr.json") => Some(Language::Hcl2),
            _ => Some(Language::Json),
        }
    }
}
