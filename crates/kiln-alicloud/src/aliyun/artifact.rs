//! What a build hands over, as the original builder says it: one image.

use kiln_core::artifact::Artifact;

use crate::config::Plan;
use crate::reclaim::Kind;

/// The original's name for its artifacts.
const BUILDER_ID: &str = "packer.aliyun";

/// Returns the newer builder's artifact with the id and the text of the older one.
pub(super) fn in_older_words(made: Artifact, plan: &Plan) -> Artifact {
    let image = made.resources.iter().find(|resource| resource.intent.kind == Kind::Image.name());
    let id = image.and_then(|image| image.id.clone()).unwrap_or_default();
    let text =
        format!("A disk image was created: '{}' (ID: {id}) in region '{}'", plan.image.name, plan.region);
    Artifact { builder_id: BUILDER_ID.to_owned(), id, text, ..made }
}
