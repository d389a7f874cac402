//! What to run: lines in the template, or files beside it.

use kiln_core::error::{Error, Result};
use kiln_core::interpolate::Interpolator;
use kiln_core::scope::Scope;

/// The scripts of a component, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scripts {
    /// Lines of the template, to be rendered and written to a file.
    Inline(Vec<String>),
    /// Files, as the template names them.
    Files(Vec<String>),
}

/// Returns the text of a script made of `lines`, each rendered with what is known of the build.
pub(crate) fn render_inline(lines: &[String], header: Option<&str>, scope: &Scope) -> Result<String> {
    let interpolator = Interpolator::new(scope);
    let mut text = header.map(|shebang| format!("#!{shebang}\n")).unwrap_or_default();
    for line in lines {
        let rendered = interpolator.render(line);
        text.push_str(&rendered.map_err(|error| Error::new("Error interpolating Inline").source(error))?);
        text.push('\n');
    }
    Ok(text)
}
