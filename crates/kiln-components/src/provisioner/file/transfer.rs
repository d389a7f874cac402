//! Copying, with Packer's rules for what a slash at the end of a path means.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use async_trait::async_trait;
use kiln_core::communicator::FileInfo;
use kiln_core::component::{ProvisionContext, Provisioner};
use kiln_core::error::{Context, Error, Result};
use kiln_core::interpolate::Interpolator;
use tokio::io::AsyncWriteExt;

use super::progress::Reported;
use crate::local_script;
use crate::paths::{absolute, go_reason};
use crate::remote::cancellable;

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// To the machine.
    Upload,
    /// From the machine.
    Download,
}

/// The provisioner, ready to run.
pub(super) struct Transfer {
    pub(super) direction: Direction,
    pub(super) sources: Vec<String>,
    pub(super) content: Option<String>,
    pub(super) destination: String,
}

#[async_trait]
impl Provisioner for Transfer {
    async fn provision(&self, cx: &ProvisionContext) -> Result<()> {
        let interpolator = Interpolator::new(&cx.scope);
        let render = |text: &str| interpolator.render(text).context(format!("render `{text}`"));
        let destination = render(&self.destination)?;
        let sources = self.sources.iter().map(|source| render(source)).collect::<Result<Vec<_>>>()?;
        match (self.direction, &self.content) {
            (Direction::Download, _) => {
                for source in &sources {
                    download(cx, source, &destination).await?;
                }
            }
            (Direction::Upload, Some(content)) => {
                // By way of a file, whose name stands in the line and, for a folder, on the machine.
                let content = content.clone();
                let file =
                    local_script::write(&*cx.scope.world, "pkr-file-content", "", content, 0o600).await?;
                upload(cx, &file.to_string_lossy(), &destination).await?;
            }
            (Direction::Upload, None) => {
                for source in &sources {
                    upload(cx, source, &destination).await?;
                }
            }
        }
        Ok(())
    }
}

async fn upload(cx: &ProvisionContext, source: &str, destination: &str) -> Result<()> {
    cx.events.say(format!("Uploading {source} => {destination}")).await;
    let local = absolute(&cx.scope, source);
    let kind = tokio::fs::metadata(&local).await;
    let kind = kind
        .map_err(|error| Error::new(format!("Bad source '{source}': stat {source}: {}", go_reason(&error))));
    let result = match kind {
        Err(error) => Err(error),
        Ok(metadata) if metadata.is_dir() => {
            let contents_only = source.ends_with('/');
            cancellable(cx, cx.communicator.upload_dir(destination, &local, contents_only)).await
        }
        Ok(metadata) => {
            let info = FileInfo { mode: metadata.permissions().mode() & 0o7777, size: metadata.len() };
            let destination = below(destination, source);
            cancellable(cx, upload_file(cx, &local, source, &destination, info)).await
        }
    };
    match result {
        Err(error) if !error.is_cancelled() => Err(explained(cx, error).await),
        result => result,
    }
}

async fn upload_file(
    cx: &ProvisionContext,
    local: &Path,
    source: &str,
    destination: &str,
    info: FileInfo,
) -> Result<()> {
    let file = tokio::fs::File::open(local).await;
    let file = file.map_err(|error| Error::new(format!("open {source}: {}", go_reason(&error))))?;
    let mut file = Reported::new(file, &cx.events, format!("upload {source}"), Some(info.size));
    cx.communicator.upload(destination, &mut file, Some(info)).await
}

/// Shows why an upload failed, as Packer does before the build's error repeats it.
async fn explained(cx: &ProvisionContext, error: Error) -> Error {
    let text = error.chain();
    let folder = text.contains("Error restoring file") || text.contains("Is a directory");
    cx.events.error(format!("Upload failed: {text}")).await;
    match folder {
        true => error.hint("a destination that is a folder needs a slash at its end"),
        false => error,
    }
}

async fn download(cx: &ProvisionContext, source: &str, destination: &str) -> Result<()> {
    let is_folder = source.ends_with('/') || source.contains(['*', '?', '[']);
    let whole = source.ends_with(['/', '*']);
    let folder = match destination.ends_with('/') {
        true => Some(Path::new(destination)),
        false => Path::new(destination).parent(),
    };
    if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) {
        let folder = absolute(&cx.scope, folder);
        let mut builder = tokio::fs::DirBuilder::new();
        let made = builder.recursive(true).mode(0o755).create(&folder).await;
        made.context(format!("create the folder `{}`", folder.display()))?;
    }
    let destination = match whole {
        true => destination.to_owned(),
        false => below(destination, source),
    };
    cx.events.say(format!("Downloading {source} => {destination}")).await;
    let local = absolute(&cx.scope, &destination);
    let work = async {
        match is_folder {
            true => cx.communicator.download_dir(source, &local).await,
            false => download_file(cx, source, &local).await,
        }
    };
    let result = cancellable(cx, work).await;
    if let Err(error) = &result
        && !error.is_cancelled()
    {
        cx.events.error(format!("Download failed: {}", error.chain())).await;
    }
    result
}

async fn download_file(cx: &ProvisionContext, source: &str, local: &Path) -> Result<()> {
    let mut options = tokio::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o644).open(local).await;
    let file =
        file.map_err(|error| Error::new(format!("open {}: {}", local.display(), go_reason(&error))))?;
    let mut file = Reported::new(file, &cx.events, format!("download {source}"), None);
    cx.communicator.download(source, &mut file).await?;
    let writing = || format!("write `{}`", local.display());
    let mut file = file.into_inner();
    // Without the flush an error of the last write would be lost.
    file.flush().await.context(writing())
}

/// Returns `destination`, with the source's own name if it is a folder by its slash.
fn below(destination: &str, source: &str) -> String {
    if !destination.ends_with('/') {
        return destination.to_owned();
    }
    let name = source.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    format!("{destination}{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_at_the_end_makes_a_folder() {
        assert_eq!(below("/d/name", "a/b.txt"), "/d/name");
        assert_eq!(below("/d/", "a/b.txt"), "/d/b.txt");
        assert_eq!(below("/d/", "b.txt"), "/d/b.txt");
    }
}
