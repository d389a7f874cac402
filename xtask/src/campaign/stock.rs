//! What exists in a cloud, told from what was there before.

use std::collections::BTreeSet;

use serde_json::Value;

/// Some things in a cloud.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stock {
    /// As `kind id`; all but images and the snapshots they are made of.
    pub things: BTreeSet<String>,
    /// As `id status`.
    pub images: BTreeSet<String>,
}

impl Stock {
    /// Reads what `GET /_local/inventory` answers: a list of objects a kind.
    pub(super) fn of(inventory: &Value) -> Stock {
        let mut stock = Stock::default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let parts: BTreeSet<String> =
            inventory["snapshots_of_images"].as_array().into_iter().flatten().map(text).collect();
        for (kind, list) in inventory.as_object().into_iter().flatten() {
            for thing in list.as_array().into_iter().flatten().filter(|thing| thing.is_object()) {
                let id = text(&thing["id"]);
                match &kind[..] {
                    "images" => drop(stock.images.insert(format!("{id} {}", text(&thing["status"])))),
                    "snapshots" if parts.contains(&id) => {}
                    kind => drop(stock.things.insert(format!("{} {id}", kind.trim_end_matches('s')))),
                }
            }
        }
        stock
    }

    /// Returns what is here and was not there `before`.
    pub(super) fn since(&self, before: &Stock) -> Stock {
        Stock {
            things: self.things.difference(&before.things).cloned().collect(),
            images: self.images.difference(&before.images).cloned().collect(),
        }
    }

    /// Returns what was there `before` and is gone, of what is not an image.
    pub(super) fn missing(&self, before: &Stock) -> Vec<String> {
        before.things.difference(&self.things).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_image_and_its_snapshots_are_no_leftovers() {
        let inventory = json!({
            "vpcs": [{"id": "vpc-1"}], "disks": [],
            "snapshots": [{"id": "s-1"}, {"id": "s-2"}], "snapshots_of_images": ["s-1"],
            "images": [{"id": "m-1", "status": "Available"}],
        });
        let stock = Stock::of(&inventory);
        assert_eq!(stock.things.iter().collect::<Vec<_>>(), ["snapshot s-2", "vpc vpc-1"]);
        assert_eq!(stock.images.iter().collect::<Vec<_>>(), ["m-1 Available"]);
        let before =
            Stock { things: ["vpc vpc-1".to_owned(), "eip e".to_owned()].into(), ..Stock::default() };
        assert_eq!(stock.since(&before).things.into_iter().collect::<Vec<_>>(), ["snapshot s-2"]);
        assert_eq!(stock.missing(&before), ["eip e"]);
    }
}
