//! What the provisioner `file` may be told, and what is wrong with it.

use kiln_core::diagnostic::Fault;
use kiln_core::scope::Scope;
use kiln_core::value::Value;
use schemars::JsonSchema;
use serde::Deserialize;

use super::transfer::{Direction, Transfer};
use crate::paths::{self, given};

/// The settings of provisioner `file`.
#[derive(Deserialize, JsonSchema)]
pub struct FileProvisionerConfig {
    /// Path of the file or folder to copy. A folder with a slash at its end stands for what it holds.
    pub source: Option<String>,
    /// Several of them; `source` comes last.
    #[serde(default)]
    pub sources: Vec<String>,
    /// Text to upload instead of a file.
    pub content: Option<String>,
    /// Where to copy to; required. With a slash at its end it is a folder.
    pub destination: Option<String>,
    /// `upload` (to the machine) or `download` (from it).
    #[schemars(extend("x-default" = "upload"))]
    pub direction: Option<String>,
    /// The source does not exist yet when the template is checked: something makes it during the build.
    #[serde(default)]
    pub generated: bool,
}

impl FileProvisionerConfig {
    /// Returns what to copy and what is odd about it, or everything that is wrong.
    pub(super) fn check(
        self,
        settings: &Value,
        scope: &Scope,
    ) -> Result<(Transfer, Vec<String>), Vec<Fault>> {
        let mut faults = Vec::new();
        let direction = match given(&self.direction) {
            None | Some("upload") => Some(Direction::Upload),
            Some("download") => Some(Direction::Download),
            Some(_) => None,
        };
        if direction.is_none() {
            let message = "Direction must be one of: download, upload.";
            faults.push(Fault::new(message).at(paths::span(settings, "direction")));
        }
        let source = given(&self.source);
        let sources: Vec<String> = self.sources.iter().cloned().chain(source.map(str::to_owned)).collect();
        if direction == Some(Direction::Upload) && !self.generated {
            let missing = |field, path: &String| paths::missing("source", path, settings, field, scope);
            faults.extend(self.sources.iter().filter_map(|path| missing("sources", path)));
            faults.extend(
                self.source.iter().filter(|path| !path.is_empty()).filter_map(|path| missing("source", path)),
            );
        }
        let content = self.content.filter(|content| !content.is_empty());
        if content.is_some() && !sources.is_empty() {
            faults.push(Fault::new("source(s) conflicts with content.").at(paths::span(settings, "content")));
        }
        let destination = given(&self.destination).map(str::to_owned);
        if destination.is_none() {
            faults.push(Fault::new("Destination must be specified.").at(settings.span.clone()));
        }
        match (direction, destination) {
            (Some(direction), Some(destination)) if faults.is_empty() => {
                // Packer takes this for success without a word.
                let nothing = sources.is_empty() && content.is_none();
                let warning =
                    nothing.then(|| "the file provisioner copies nothing: it has no source".to_owned());
                let transfer = Transfer { direction, sources, content, destination };
                Ok((transfer, warning.into_iter().collect()))
            }
            _ => Err(faults),
        }
    }
}
