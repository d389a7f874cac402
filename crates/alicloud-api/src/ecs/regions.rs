//! Regions: where there are clouds.

use serde::{Deserialize, Serialize};

use super::Ecs;
use crate::{RegionId, action::action, answer::nested};

/// Lists the regions.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeRegions {
    /// Language of the local names: `zh-CN`, `en-US`, `ja`.
    pub accept_language: Option<String>,
}

/// The regions.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeRegionsAnswer {
    /// All of them; there are no pages.
    #[serde(deserialize_with = "nested")]
    pub regions: Vec<Region>,
}

/// A region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Region {
    /// Its id.
    pub region_id: RegionId,
    /// The host of its Ecs endpoint.
    pub region_endpoint: String,
    /// Its name for people.
    pub local_name: String,
}

action!(
    /// Returns the regions.
    Ecs.describe_regions(DescribeRegions) -> DescribeRegionsAnswer, Read, 10 s
);
