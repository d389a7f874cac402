//! How local files that a build makes are found and deleted again.

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use kiln_core::error::{Context, Result};
use kiln_core::ledger::{Intent, Resource};
use kiln_core::reclaim::{Announcement, Reason, Reclaim};
use tokio_util::sync::CancellationToken;

/// The kind of a local file in the reclaim table.
pub const FILE: &str = "file";

/// Deletes files that a build wrote. The resource's id, and the intent's name, is the absolute path.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileReclaim;

/// Returns the resource that stands for the file at `path` (absolute), made under the ledger key `key`.
pub fn file_resource(key: &str, path: &Path) -> Resource {
    let path = path.to_string_lossy().into_owned();
    let intent =
        Intent { key: key.to_owned(), kind: FILE.to_owned(), name: Some(path.clone()), ..Intent::default() };
    Resource { intent, id: Some(path), facts: BTreeMap::new() }
}

#[async_trait]
impl Reclaim for FileReclaim {
    fn rank(&self) -> u32 {
        900
    }

    fn is_quick(&self) -> bool {
        true
    }

    fn noun(&self) -> &'static str {
        "file"
    }

    fn announce(&self, _resource: &Resource, _reason: Reason) -> Vec<Announcement> {
        // Packer deletes files without a word.
        Vec::new()
    }

    async fn find(&self, intent: &Intent) -> Result<Vec<Resource>> {
        let Some(path) = &intent.name else { return Ok(Vec::new()) };
        let exists = tokio::fs::try_exists(path).await.context(format!("look for `{path}`"))?;
        let found = Resource { intent: intent.clone(), id: Some(path.clone()), facts: BTreeMap::new() };
        Ok(exists.then_some(found).into_iter().collect())
    }

    async fn delete(&self, resource: &Resource, _cancel: &CancellationToken) -> Result<()> {
        let Some(path) = resource.id.as_ref().or(resource.intent.name.as_ref()) else { return Ok(()) };
        match tokio::fs::remove_file(path).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).context(format!("delete `{path}`"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_found_deleted_and_deleting_it_again_is_no_failure() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.txt");
        let resource = file_resource("target", &path);
        assert!(FileReclaim.find(&resource.intent).await.unwrap().is_empty());

        std::fs::write(&path, "x").unwrap();
        assert_eq!(FileReclaim.find(&resource.intent).await.unwrap(), vec![resource.clone()]);
        let never = CancellationToken::new();
        FileReclaim.delete(&resource, &never).await.unwrap();
        assert!(!path.exists());
        FileReclaim.delete(&resource, &never).await.unwrap();
    }
}
