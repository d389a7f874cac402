//! Builder `file`: writes a file, so that post-processors have something to work on. For trying templates out.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use kiln_core::artifact::Artifact;
use kiln_core::component::{BuildContext, Builder, Factory, Preparation, Prepared};
use kiln_core::decode::decode;
use kiln_core::diagnostic::Fault;
use kiln_core::error::{Context, Result};
use kiln_core::reclaim::ReclaimTable;
use kiln_core::run::Acquired;
use kiln_core::schema::Schema;
use kiln_core::scope::Scope;
use kiln_core::value::Value;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;

use super::accept_all::AcceptAll;
use crate::paths::{absolute, given, span};
use crate::reclaim::file_resource;

/// The settings of builder `file`.
#[derive(Deserialize, JsonSchema)]
pub struct FileBuilderConfig {
    /// Path of the file to write; required. A file that is there is overwritten; missing folders are made.
    pub target: Option<String>,
    /// What to write.
    pub content: Option<String>,
    /// Path of a file to copy. Not with `content`.
    pub source: Option<String>,
}

/// Prepares the builder `file`.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileBuilderFactory;

impl Factory<dyn Builder> for FileBuilderFactory {
    fn name(&self) -> &'static str {
        "file"
    }

    fn summary(&self) -> &'static str {
        "Writes a file."
    }

    fn schema(&self) -> Schema {
        Schema::of::<FileBuilderConfig>()
    }

    fn prepare(&self, settings: &Value, scope: &Scope) -> Preparation<dyn Builder> {
        let config: FileBuilderConfig = decode(settings, scope)?;
        let mut faults = Vec::new();
        let (source, content) = (given(&config.source), given(&config.content));
        if source.is_some() && content.is_some() {
            faults.push(Fault::new("Cannot specify source file AND content").at(span(settings, "content")));
        }
        let warnings = match (source, content) {
            (None, None) => {
                vec!["Both source file and contents are blank; target will have no content".to_owned()]
            }
            _ => Vec::new(),
        };
        let Some(target) = given(&config.target).map(str::to_owned) else {
            faults.push(Fault::new("target required").at(settings.span.clone()));
            return Err(faults);
        };
        if !faults.is_empty() {
            return Err(faults);
        }
        let origin = match source {
            Some(source) => Origin::Source(source.to_owned()),
            None => Origin::Content(config.content.unwrap_or_default()),
        };
        Ok(Prepared { component: Arc::new(FileBuilder { target, origin }), warnings, generated: Vec::new() })
    }
}

struct FileBuilder {
    target: String,
    origin: Origin,
}

/// What the file will hold.
enum Origin {
    Content(String),
    /// A file's path.
    Source(String),
}

#[async_trait]
impl Builder for FileBuilder {
    async fn build(&self, cx: &BuildContext) -> Result<Option<Artifact>> {
        let target = absolute(&cx.scope, &self.target);
        self.write(cx, &target).await?;
        // Provisioners find a machine that accepts everything, and no generated data.
        cx.provision(Arc::new(AcceptAll), BTreeMap::new()).await?;
        Ok(Some(Artifact {
            builder_id: "packer.file".to_owned(),
            id: "File".to_owned(),
            files: vec![PathBuf::from(&self.target)],
            text: format!("Stored file: {}", self.target),
            state: BTreeMap::new(),
            resources: vec![file_resource(TARGET, &target)],
        }))
    }

    fn reclaim(&self) -> ReclaimTable {
        crate::registry::reclaim_table()
    }
}

/// The ledger key of the file.
const TARGET: &str = "target";

impl FileBuilder {
    /// Writes the file through the ledger. It's the user's as soon as it is written, as it is for Packer: a build
    /// that fails later leaves it. A half-written one does not stay, unless it was there before.
    async fn write(&self, cx: &BuildContext, target: &Path) -> Result<()> {
        let existed = tokio::fs::try_exists(target).await.unwrap_or(false);
        if existed {
            return cx.run.step(TARGET, || self.fill(cx, target)).await;
        }
        let intent = file_resource(TARGET, target).intent;
        let id = target.to_string_lossy().into_owned();
        let held = cx
            .run
            .acquire(intent, || async { self.fill(cx, target).await.map(|()| Acquired::id(id)) })
            .await?;
        cx.run.keep(&held).await.map(drop)
    }

    async fn fill(&self, cx: &BuildContext, target: &Path) -> Result<()> {
        if let Some(folder) = target.parent() {
            create_folders(folder).await?;
        }
        match &self.origin {
            Origin::Source(source) => {
                cx.events.say(format!("Copying {source} to {}", self.target)).await;
                let copied = self.copy(&absolute(&cx.scope, source), target).await;
                let bytes = copied.context(format!("copy `{source}` to `{}`", self.target))?;
                cx.events.say(format!("Copied {bytes} bytes")).await;
            }
            Origin::Content(content) => {
                let mut options = tokio::fs::OpenOptions::new();
                let file = options.write(true).create(true).truncate(true).mode(0o600).open(target).await;
                let mut file = file.context(format!("create `{}`", self.target))?;
                file.write_all(content.as_bytes()).await.context(format!("write `{}`", self.target))?;
                file.sync_all().await.context(format!("write `{}`", self.target))?;
            }
        }
        Ok(())
    }

    async fn copy(&self, source: &Path, target: &Path) -> std::io::Result<u64> {
        let mut reader = tokio::fs::File::open(source).await?;
        let mut writer = tokio::fs::File::create(target).await?;
        let bytes = tokio::io::copy(&mut reader, &mut writer).await?;
        writer.sync_all().await?;
        Ok(bytes)
    }
}

async fn create_folders(folder: &Path) -> Result<()> {
    let mut builder = tokio::fs::DirBuilder::new();
    match builder.recursive(true).mode(0o755).create(folder).await {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(error).context(format!("create the folder `{}`", folder.display()))
        }
        _ => Ok(()),
    }
}
