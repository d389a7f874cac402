//! The older builder's fields, its own words for what is wrong with them, and what they come to: a plan of the newer
//! builder, whose engine does the work.

use std::collections::BTreeMap;
use std::time::Duration;

use alicloud_api::{Credentials, RegionId};
use kiln_core::Secret;
use kiln_core::diagnostic::Fault;
use kiln_core::duration::GoDuration;
use kiln_core::interpolate::Interpolator;
use kiln_core::scope::Scope;
use kiln_core::value::Value;
use kiln_remote::config::CommunicatorConfig;
use rand::RngExt as _;
use rand::distr::Alphanumeric;
use schemars::JsonSchema;
use serde::Deserialize;

use super::NAME;
use crate::cloud::{self, Setup};
use crate::config::{
    self, Access, AccessConfig, Check, DEFAULT_REGION, ImageConfig, LaunchConfig, Plan, given,
};
use crate::steps::key_pair::time_ordered_uuid;

/// Builder `aliyun`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Config {
    /// **Required.** Access key id. From `ALIYUN_ACCESS_KEY_ID` if unset.
    pub access_key_id: Option<String>,
    /// **Required.** Access key secret. From `ALIYUN_ACCESS_KEY_SECRET` if unset.
    pub access_key_secret: Option<Secret>,
    /// **Required.** Region to build in, such as `cn-shanghai`.
    pub region_id: Option<String>,
    /// **Required.** Image to start from, offered any more or not.
    pub base_image_id: Option<String>,
    /// **Required.** Type of the temporary instance, such as `ecs.g7.large`.
    pub instance_type: Option<String>,
    /// **Required.** Security group of the temporary instance; its VPC is built in. From `ALIYUN_SECURITY_GROUP_ID` if
    /// unset.
    pub security_group_id: Option<String>,
    /// vSwitch of the temporary instance; by default one of the security group's VPC in a zone that has the instance
    /// type in stock. The original builder did not have this field.
    pub vswitch_id: Option<String>,
    /// Give the temporary instance a public address and connect to that; by default it has a private one only. The
    /// original builder did not have this field.
    pub associate_public_ip_address: bool,
    /// Name of the image.
    #[schemars(extend("x-default" = IMAGE_NAME, "x-late" = true))]
    pub image_name: Option<String>,
    /// Description of the image.
    #[schemars(extend("x-default" = IMAGE_DESCRIPTION))]
    pub image_description: Option<String>,
    /// Name of the temporary instance; `packer-aliyun-` and a time-ordered UUID by default.
    pub instance_name: Option<String>,
    /// How long the instance may take to run, and to stop.
    #[schemars(extend("x-default" = "6m"))]
    pub status_timeout: Option<GoDuration>,
    /// How to reach the instance. The user is `root`, whatever `ssh_username` says.
    #[serde(flatten)]
    pub communicator: CommunicatorConfig,
}

/// The original builder's defaults.
const IMAGE_NAME: &str = "packer-{{timestamp}}";
const IMAGE_DESCRIPTION: &str = "Created by Packer for Aliyun";
const STATUS_TIMEOUT: Duration = Duration::from_secs(6 * 60);
/// How long a snapshot may take, in seconds: the original builder's 20 minutes.
const SNAPSHOT_SECONDS: i64 = 1200;
/// The only user there is.
const USER: &str = "root";

/// Environment variables of the original builder. The one for the security group is promised by its document.
const KEY_ID: &str = "ALIYUN_ACCESS_KEY_ID";
const KEY_SECRET: &str = "ALIYUN_ACCESS_KEY_SECRET";
const SECURITY_GROUP: &str = "ALIYUN_SECURITY_GROUP_ID";
const ENDPOINT: &str = "ECS_ENDPOINT";

impl Config {
    /// Returns what the newer builder is to do; everything that is wrong is told at once.
    pub(crate) fn plan(&self, settings: &Value, scope: &Scope, setup: &Setup) -> Result<Plan, Vec<Fault>> {
        let mut check = Check::new(settings);
        let access = access(&mut check, self, setup);
        let newer = config::Config {
            access: AccessConfig { skip_image_validation: true, ..AccessConfig::default() },
            launch: launch(&mut check, self, setup),
            image: image(&mut check, self, scope),
            communicator: communicator(self),
        };
        Plan::of(check, newer, access, scope, setup)
    }

    /// Returns what the user should know before the build.
    pub(crate) fn warning(&self) -> Option<String> {
        let asked = given(&self.communicator.ssh_username).filter(|name| *name != USER)?;
        Some(format!("ssh_username is {asked}: the user of builder aliyun is {USER} all the same"))
    }
}

/// Template first, environment second; a key is never paired with the secret of another source.
fn access(check: &mut Check<'_>, config: &Config, setup: &Setup) -> Option<Access> {
    let secret = config.access_key_secret.as_ref().filter(|secret| !secret.is_empty());
    let template = (given(&config.access_key_id).map(str::to_owned), secret.map(|it| it.expose().to_owned()));
    let (source, (key, secret)) = match template {
        (None, None) => ("the environment", (setup.env(KEY_ID), setup.env(KEY_SECRET))),
        template => ("the template", template),
    };
    let key = half(check, "access_key_id", key, KEY_ID);
    let secret = half(check, "access_key_secret", secret, KEY_SECRET);
    let region =
        required(check, "region_id", given(&config.region_id).map(str::to_owned), "such as `cn-shanghai`");
    let access = Access::from_keys(Credentials::new(key?, secret?), RegionId::from(region?), source);
    Some(Access { endpoint_ecs: setup.env(ENDPOINT), place: place(), ..access })
}

/// What an intent says of its place, so that `gc` signs in with this builder's variables.
const PLACE: &str = "builder";

fn place() -> BTreeMap<String, String> {
    BTreeMap::from([(PLACE.to_owned(), NAME.to_owned())])
}

/// Returns whether both places, or neither, are of this builder's accounts.
pub(crate) fn are_alike(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> bool {
    one.get(PLACE) == other.get(PLACE)
}

/// Returns the account of a place that a build of this builder named, if its variables are set.
pub(crate) fn of_place(setup: &Setup, place: &BTreeMap<String, String>) -> Option<Access> {
    if place.get(PLACE).is_none_or(|builder| builder != NAME) {
        return None;
    }
    let credentials = Credentials::new(setup.env(KEY_ID)?, setup.env(KEY_SECRET)?);
    let region = place.get(cloud::REGION).map_or(DEFAULT_REGION, String::as_str);
    let access = Access::from_keys(credentials, region.into(), "the environment");
    let endpoint_ecs = place.get(cloud::CUSTOM_ENDPOINT).cloned();
    Some(Access { endpoint_ecs, place: self::place(), ..access })
}

/// Returns a value that must be given, or tells what the original builder says of its absence.
fn required(check: &mut Check<'_>, field: &str, value: Option<String>, hint: &str) -> Option<String> {
    if value.is_none() {
        check.fault(field, format!("{field} is required"), hint);
    }
    value
}

/// Returns half of the access key, or tells where it was looked for.
fn half(check: &mut Check<'_>, field: &str, value: Option<String>, variable: &str) -> Option<String> {
    if value.is_none() {
        let hint = format!(
            "give `access_key_id` and `access_key_secret`, or set {KEY_ID} and {KEY_SECRET}: {variable} is not \
             paired with a key of the template; `--local` needs none"
        );
        check.fault(field, format!("{field} for auth must be specified"), &hint);
    }
    value
}

fn launch(check: &mut Check<'_>, config: &Config, setup: &Setup) -> LaunchConfig {
    let text = |field: &Option<String>| given(field).map(str::to_owned);
    let mut needed = |field, value, hint| {
        // A stand-in, so that the newer builder's check looks at the rest.
        required(check, field, value, hint).or_else(|| Some(MISSING.to_owned()))
    };
    let group = text(&config.security_group_id).or_else(|| setup.env(SECURITY_GROUP));
    LaunchConfig {
        source_image: needed("base_image_id", text(&config.base_image_id), ""),
        instance_type: needed("instance_type", text(&config.instance_type), ""),
        security_group_id: needed("security_group_id", group, "or set ALIYUN_SECURITY_GROUP_ID"),
        vswitch_id: text(&config.vswitch_id),
        instance_name: text(&config.instance_name)
            .or_else(|| Some(format!("packer-aliyun-{}", time_ordered_uuid()))),
        associate_public_ip_address: Some(config.associate_public_ip_address),
        wait_instance_running_timeout: Some(status_seconds(config)),
        ..LaunchConfig::default()
    }
}

fn image(check: &mut Check<'_>, config: &Config, scope: &Scope) -> ImageConfig {
    let name = Interpolator::new(scope).render_setting(given(&config.image_name).unwrap_or(IMAGE_NAME));
    let name = name.unwrap_or_else(|error| {
        let hint = error.hint().unwrap_or_default();
        // The original's text ends with a space.
        check.fault("image_name", format!("Unable to parse image name: {error} "), &hint);
        MISSING.to_owned()
    });
    ImageConfig {
        image_name: Some(name),
        image_description: Some(given(&config.image_description).unwrap_or(IMAGE_DESCRIPTION).to_owned()),
        image_ignore_data_disks: true,
        wait_snapshot_ready_timeout: Some(SNAPSHOT_SECONDS),
        wait_instance_stopped_timeout: Some(status_seconds(config)),
        ..ImageConfig::default()
    }
}

fn communicator(config: &Config) -> CommunicatorConfig {
    let communicator = &config.communicator;
    let password = communicator.ssh_password.clone().filter(|password| !password.is_empty());
    let has_key_pair = given(&communicator.ssh_keypair_name).is_some();
    CommunicatorConfig {
        ssh_username: Some(USER.to_owned()),
        ssh_password: password.or_else(|| (!has_key_pair).then(random_password)),
        ..communicator.clone()
    }
}

/// The original builder's default is a password that everybody can look up, and it stays the image's root password.
/// One that nobody knows lets the build in just as well.
fn random_password() -> Secret {
    let mut text: String = rand::rng().sample_iter(Alphanumeric).take(24).map(char::from).collect();
    // Three of four kinds are wanted, which chance alone may not bring.
    text.push_str("aA1-");
    Secret::new(text)
}

fn status_seconds(config: &Config) -> i64 {
    let given = config.status_timeout.map(|timeout| timeout.0).filter(|timeout| !timeout.is_zero());
    // Less than a second is a second.
    i64::try_from(given.unwrap_or(STATUS_TIMEOUT).as_millis().div_ceil(1000)).unwrap_or(i64::MAX)
}

/// Stands for a field whose absence has been told.
const MISSING: &str = "missing";
