//! A signed Alibaba Cloud client, useful on its own: credentials, endpoints, signatures, retries, waits; typed Ecs,
//! Vpc, Sts and Ram calls.
//!
//! The way of a call: a request struct ([`ecs`], [`vpc`], [`sts`], [`ram`]) is flattened to parameters ([`params`]),
//! then [`transport`] limits, signs ([`sign`]), sends and, where that is safe, repeats it. Every failure is one
//! [`Error`] that names the action, the request id and whether the effect may have happened all the same.
//!
//! ```no_run
//! # async fn example() -> alicloud_api::Result<()> {
//! use alicloud_api::{Client, ClientConfig, Credentials, ecs};
//!
//! let client = Client::new(ClientConfig::new(Credentials::new("LTAI…", "secret"), "cn-beijing"))?;
//! let created = client
//!     .ecs("cn-beijing")
//!     .run_instances(&ecs::RunInstances {
//!         client_token: Some("0191c2c6-…".into()),
//!         image_id: Some("m-2ze…".into()),
//!         instance_type: Some("ecs.g7.large".into()),
//!         vswitch_id: Some("vsw-2ze…".into()),
//!         security_group_id: Some("sg-2ze…".into()),
//!         tags: vec![ecs::Tag::new("kiln-run", "7f3a")],
//!         ..Default::default()
//!     })
//!     .await?;
//! println!("{}", created.instance_ids[0]);
//! # Ok(())
//! # }
//! ```
//!
//! This crate never reads the environment or a file itself (see [`credentials::Outside`]), with two exceptions that belong to its libraries: the proxy variables
//! (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`) and the certificate ones (`SSL_CERT_FILE`, `SSL_CERT_DIR`).

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod client;
pub mod credentials;
mod endpoint;
mod error;
mod id;
mod secret;

pub mod params;
pub mod sign;
pub mod transport;

mod action;
mod answer;
mod http;
mod limit;
mod observe;
mod own_address;
mod page;
mod refusal;
mod retry;
mod wait;

pub mod ecs;
pub mod ram;
pub mod sts;
pub mod vpc;

pub use action::{Action, Idempotency, Request};
pub use answer::Acknowledged;
pub use client::{Client, ClientConfig, Freshness, SystemFreshness};
pub use credentials::{Credentials, CredentialsProvider};
pub use endpoint::{Endpoint, Endpoints, Product};
pub use error::{Error, ErrorKind, NetworkFault, Result, Retry};
pub use id::{
    AllocationId, DiskId, ImageId, InstanceId, RegionId, SecurityGroupId, SecurityGroupRuleId, SnapshotId,
    VSwitchId, VpcId, ZoneId,
};
pub use limit::{Limits, Rate};
pub use observe::{CallObserver, CallOutcome, CallRecord, Throttled};
pub use own_address::own_address;
pub use page::{PAGES_MAX, Paged, Turn};
pub use retry::RetryPolicy;
pub use secret::{Secret, UserData};
pub use sign::SignatureMethod;
pub use wait::{Pace, Verdict, Wait, wait_until};
