//! Deletes what the engine made, with the original builder's lines.

use std::sync::Arc;

use async_trait::async_trait;
use kiln_core::error::Result;
use kiln_core::ledger::{Intent, Resource};
use kiln_core::reclaim::{Announcement, Reason, Reclaim, ReclaimTable};
use tokio_util::sync::CancellationToken;

use crate::cloud::Cloud;
use crate::reclaim::{self, Kind};

/// The kinds the original told of: before and after.
const TOLD: [(Kind, &str, &str); 2] = [
    (Kind::Snapshot, "Delete snapshot...", "Snapshot has been deleted!"),
    (Kind::Instance, "Delete instance...", "Instance has been deleted!"),
];

/// Returns the engine's table with other lines.
pub(super) fn table(cloud: &Cloud) -> ReclaimTable {
    let mut table = reclaim::table(cloud);
    for (kind, begins, gone) in TOLD {
        if let Ok(row) = table.get(kind.name()).cloned() {
            table.insert(kind.name(), Arc::new(Told { row, begins, gone }));
        }
    }
    table
}

struct Told {
    row: Arc<dyn Reclaim>,
    begins: &'static str,
    gone: &'static str,
}

#[async_trait]
impl Reclaim for Told {
    fn rank(&self) -> u32 {
        self.row.rank()
    }

    fn is_quick(&self) -> bool {
        self.row.is_quick()
    }

    fn noun(&self) -> &'static str {
        self.row.noun()
    }

    fn announce(&self, _: &Resource, _: Reason) -> Vec<Announcement> {
        vec![Announcement::Say(self.begins.to_owned())]
    }

    fn announce_gone(&self, _: &Resource, _: Reason) -> Vec<Announcement> {
        vec![Announcement::Message(self.gone.to_owned())]
    }

    async fn find(&self, intent: &Intent) -> Result<Vec<Resource>> {
        self.row.find(intent).await
    }

    async fn delete(&self, resource: &Resource, cancel: &CancellationToken) -> Result<()> {
        self.row.delete(resource, cancel).await
    }
}
