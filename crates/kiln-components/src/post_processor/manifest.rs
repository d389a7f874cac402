//! Post-processor `manifest`: a JSON file that lists what each build has made.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kiln_core::artifact::Artifact;
use kiln_core::component::{
    Factory, KeepInput, PostProcessContext, PostProcessed, PostProcessor, Preparation, Prepared,
};
use kiln_core::decode::decode;
use kiln_core::error::{Context, Error, Result};
use kiln_core::interpolate::Interpolator;
use kiln_core::schema::Schema;
use kiln_core::scope::Scope;
use kiln_core::value::Value;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::late;
use crate::paths::{absolute, given, go_reason};

/// The settings of post-processor `manifest`.
#[derive(Deserialize, JsonSchema)]
pub struct ManifestConfig {
    /// Path of the manifest. Builds are added to a manifest that is there.
    #[schemars(extend("x-default" = "packer-manifest.json"))]
    pub output: Option<String>,
    /// List files by their names alone.
    #[serde(default)]
    pub strip_path: bool,
    /// Leave the time out, so that the same build gives the same text.
    #[serde(default)]
    pub strip_time: bool,
    /// Anything to write down with the build. Generated data is known here: `{{ build `ID` }}`.
    pub custom_data: Option<BTreeMap<String, String>>,
}

/// Prepares `manifest`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ManifestFactory;

impl Factory<dyn PostProcessor> for ManifestFactory {
    fn name(&self) -> &'static str {
        "manifest"
    }

    fn summary(&self) -> &'static str {
        "Writes a list of artifacts as JSON."
    }

    fn schema(&self) -> Schema {
        Schema::of::<ManifestConfig>()
    }

    fn prepare(&self, settings: &Value, scope: &Scope) -> Preparation<dyn PostProcessor> {
        let config: ManifestConfig = decode(settings, scope)?;
        Ok(Prepared { component: Arc::new(Manifest { config }), warnings: Vec::new(), generated: Vec::new() })
    }
}

/// The file. Field order is the order of the text.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct ManifestFile {
    builds: Vec<Build>,
    last_run_uuid: String,
}

/// One build in the file.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Build {
    name: String,
    builder_type: String,
    #[serde(skip_serializing_if = "is_zero")]
    build_time: i64,
    files: Option<Vec<File>>,
    artifact_id: String,
    packer_run_uuid: String,
    custom_data: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct File {
    name: String,
    size: u64,
}

fn is_zero(time: &i64) -> bool {
    *time == 0
}

struct Manifest {
    config: ManifestConfig,
}

#[async_trait]
impl PostProcessor for Manifest {
    async fn post_process(&self, cx: &PostProcessContext, input: &Artifact) -> Result<PostProcessed> {
        let scope = late::scope_of(input, &cx.scope);
        let build = self.describe(&scope, input).await?;
        self.add(&scope, build).await?;
        Ok(PostProcessed { artifact: Some(input.clone()), keep_input: KeepInput::Forced })
    }
}

/// Builds of this process take turns here; the lock file is for other processes.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// When a lock file that is taken is looked at, Packer's three times; then the work goes on without it: it was left
/// by somebody who died.
const LOCK_PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_millis(200), Duration::from_millis(400)];

impl Manifest {
    async fn describe(&self, scope: &Scope, input: &Artifact) -> Result<Build> {
        let mut files = Vec::new();
        for path in &input.files {
            let size = tokio::fs::metadata(absolute(scope, path)).await.map_or(0, |metadata| metadata.len());
            files.push(File { name: self.file_name(path), size });
        }
        let build_time = match self.config.strip_time {
            true => 0,
            false => jiff::Timestamp::now().as_second(),
        };
        Ok(Build {
            name: scope.build_name.clone(),
            builder_type: scope.builder_type.clone(),
            build_time,
            files: (!files.is_empty()).then_some(files),
            artifact_id: input.id.clone(),
            packer_run_uuid: scope.run_uuid.clone(),
            custom_data: self.custom_data(scope)?,
        })
    }

    fn file_name(&self, path: &Path) -> String {
        match path.file_name() {
            Some(name) if self.config.strip_path => name.to_string_lossy().into_owned(),
            _ => path.to_string_lossy().into_owned(),
        }
    }

    fn custom_data(&self, scope: &Scope) -> Result<Option<BTreeMap<String, String>>> {
        let Some(data) = &self.config.custom_data else { return Ok(None) };
        let interpolator = Interpolator::new(scope);
        let render = |(name, text): (&String, &String)| {
            let rendered = interpolator.render(text).context(format!("render `custom_data` `{name}`"))?;
            Ok((name.clone(), rendered))
        };
        data.iter().map(render).collect::<Result<_>>().map(Some)
    }

    async fn add(&self, scope: &Scope, build: Build) -> Result<()> {
        let output = given(&self.config.output).unwrap_or("packer-manifest.json");
        let path = absolute(scope, output);
        let _turn = TURN.lock().await;
        let lock = lock(&path).await;
        let written = self.append(scope, output, &path, build).await;
        // Also a lock that was somebody else's: nobody has let go of it for longer than this takes.
        let _ = tokio::fs::remove_file(lock).await;
        written
    }

    async fn append(&self, scope: &Scope, output: &str, path: &Path, build: Build) -> Result<()> {
        let mut manifest = match tokio::fs::read_to_string(path).await {
            Ok(text) if text.is_empty() => ManifestFile::default(),
            Ok(text) => parse(&text).map_err(|reason| {
                Error::new(format!("Unable to parse content from {output}: {reason}"))
                    .hint(format!("`{output}` is no manifest: move it away, or choose another `output`"))
            })?,
            Err(error) if error.kind() == ErrorKind::NotFound => ManifestFile::default(),
            Err(error) => {
                return Err(Error::new(format!(
                    "Unable to open {output} for reading: {}",
                    go_reason(&error)
                )));
            }
        };
        if scope.force && manifest.last_run_uuid != scope.run_uuid {
            manifest = ManifestFile::default();
        }
        manifest.builds.push(build);
        manifest.last_run_uuid = scope.run_uuid.clone();
        let text = render(&manifest).context("render the manifest")?;
        let replaced = replace(path.to_path_buf(), text).await;
        replaced.map_err(|error| Error::new(format!("Unable to write {output}: {}", go_reason(&error))))
    }
}

/// Makes the lock file, or goes on without it; returns its path.
async fn lock(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock = PathBuf::from(name);
    for pause in LOCK_PAUSES {
        tokio::time::sleep(pause).await;
        let made = tokio::fs::OpenOptions::new().write(true).create_new(true).open(&lock).await;
        if made.is_ok() {
            return lock;
        }
    }
    tracing::warn!(lock = %lock.display(), "the manifest's lock is taken; going on without it");
    lock
}

/// Replaces the file as a whole: a crash leaves the old manifest or the new one, never half of one.
async fn replace(path: PathBuf, text: String) -> std::io::Result<()> {
    let writing = move || {
        use std::io::Write;
        use std::os::unix::fs::PermissionsExt;
        // Through a symbolic link, what it leads to is replaced and not the link.
        let path = std::fs::canonicalize(&path).unwrap_or(path);
        let folder = path.parent().unwrap_or(Path::new("/"));
        let old = std::fs::metadata(&path).ok().map(|metadata| metadata.permissions());
        let permissions = std::fs::Permissions::from_mode(0o664);
        let mut file = tempfile::Builder::new()
            .prefix(".packer-manifest")
            .permissions(permissions)
            .tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        if let Some(old) = old {
            file.as_file().set_permissions(old)?;
        }
        file.as_file().sync_all()?;
        file.persist(&path)?;
        Ok(())
    };
    tokio::task::spawn_blocking(writing).await.map_err(std::io::Error::other)?
}

/// Reads a manifest; the reason is in Go's words where Go's are known.
fn parse(text: &str) -> std::result::Result<ManifestFile, String> {
    serde_json::from_str(text).map_err(|error| match error.is_eof() {
        true => "unexpected end of JSON input".to_owned(),
        false => error.to_string(),
    })
}

/// Writes a manifest as Go's encoder does: two spaces, no final line end, and the characters that mean something in
/// HTML escaped.
fn render(manifest: &ManifestFile) -> serde_json::Result<String> {
    let text = serde_json::to_string_pretty(manifest)?;
    // These characters stand nowhere but inside strings.
    let escaped = text.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e");
    Ok(escaped.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_go_writes() {
        let build = Build {
            name: "f1".to_owned(),
            builder_type: "file".to_owned(),
            build_time: 1_795_217_078,
            files: Some(vec![File { name: "a&b.txt".to_owned(), size: 9 }]),
            artifact_id: "File".to_owned(),
            packer_run_uuid: "f4353d0b".to_owned(),
            custom_data: None,
        };
        let bare = Build { name: "n".to_owned(), custom_data: Some(BTreeMap::new()), ..Build::default() };
        let manifest = ManifestFile { builds: vec![build, bare], last_run_uuid: "f4353d0b".to_owned() };
        let text = render(&manifest).unwrap();
        insta::assert_snapshot!(text, @r#"
        {
          "builds": [
            {
              "name": "f1",
              "builder_type": "file",
              "build_time": 1795217078,
              "files": [
                {
                  "name": "a\u0026b.txt",
                  "size": 9
                }
              ],
              "artifact_id": "File",
              "packer_run_uuid": "f4353d0b",
              "custom_data": null
            },
            {
              "name": "n",
              "builder_type": "",
              "files": null,
              "artifact_id": "",
              "packer_run_uuid": "",
              "custom_data": {}
            }
          ],
          "last_run_uuid": "f4353d0b"
        }
        "#);
        assert_eq!(parse(&text).unwrap(), manifest);
    }

    #[test]
    fn half_a_manifest_is_refused_in_gos_words() {
        assert_eq!(parse("{").unwrap_err(), "unexpected end of JSON input");
    }
}
