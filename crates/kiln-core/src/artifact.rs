//! What a build made.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::ledger::Resource;

/// What a builder or a post-processor made: plain data, never a live client.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Artifact {
    /// Who made it, as Packer names it: `alibaba.alicloud`, `packer.file`, …
    pub builder_id: String,
    /// The id scripts look for: `cn-beijing:m-…`.
    pub id: String,
    /// Local files.
    pub files: Vec<PathBuf>,
    /// The text of the closing summary.
    pub text: String,
    /// Data for post-processors (`generated_data` and more).
    pub state: BTreeMap<String, serde_json::Value>,
    /// What to delete, through the [`crate::reclaim::ReclaimTable`], when the artifact is not kept.
    pub resources: Vec<Resource>,
}
