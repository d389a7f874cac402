//! Builder alicloud-ecs.
