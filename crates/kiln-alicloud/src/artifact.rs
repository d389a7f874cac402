//! What a build hands over: images by region.

use std::collections::BTreeMap;

use kiln_core::artifact::Artifact;
use kiln_core::ledger::Resource;

/// Packer's name for artifacts of this builder.
const BUILDER_ID: &str = "alibaba.alicloud";

/// Returns the artifact of `images` (region → image id). `resources` are what destroying it deletes.
pub(crate) fn artifact(
    images: &BTreeMap<String, String>,
    source_image: &str,
    generated: serde_json::Value,
    resources: Vec<Resource>,
) -> Artifact {
    let lines = |separator: &str| -> Vec<String> {
        images.iter().map(|(region, image)| format!("{region}{separator}{image}")).collect()
    };
    let metadata: serde_json::Map<String, serde_json::Value> =
        images.iter().map(|(region, image)| (format!("region.{region}"), image.clone().into())).collect();
    let mut state = BTreeMap::from([
        ("atlas.artifact.metadata".to_owned(), metadata.into()),
        ("generated_data".to_owned(), generated),
    ]);
    state.insert("source_image".to_owned(), source_image.into());
    state.insert("par.artifact.metadata".to_owned(), registry_entries(images, source_image));
    Artifact {
        builder_id: BUILDER_ID.to_owned(),
        id: lines(":").join(","),
        files: Vec::new(),
        text: format!("Alicloud images were created:\n\n{}", lines(": ").join("\n")),
        state,
        resources,
    }
}

/// Returns what HCP Packer's registry wants to know of each image; the names are its own.
fn registry_entries(images: &BTreeMap<String, String>, source_image: &str) -> serde_json::Value {
    let entry = |(region, image): (&String, &String)| {
        serde_json::json!({
            "ImageID": image, "ProviderName": "alicloud", "ProviderRegion": region,
            "SourceImageID": source_image, "Labels": {},
        })
    };
    images.iter().map(entry).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_text_are_sorted_by_region() {
        let images =
            BTreeMap::from([("cn-b".to_owned(), "m-2".to_owned()), ("cn-a".to_owned(), "m-1".to_owned())]);
        let artifact = artifact(&images, "source", serde_json::json!({}), Vec::new());
        assert_eq!(artifact.id, "cn-a:m-1,cn-b:m-2");
        assert_eq!(artifact.text, "Alicloud images were created:\n\ncn-a: m-1\ncn-b: m-2");
    }
}
