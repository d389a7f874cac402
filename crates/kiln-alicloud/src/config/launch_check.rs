//! What is wrong with the fields of the instance and its network.

use std::path::Path;

use kiln_core::scope::Scope;
use kiln_remote::config::CommunicatorConfig;

use super::check::{Check, given};
use super::image_plan::seconds;
use super::launch::{
    AddressPlan, HostKeySource, LaunchConfig, LaunchPlan, Market, Public, Source, address_plan,
};
use crate::cloud::Setup;
use crate::network::is_block;
use crate::sources::{self, ADDRESS_URL};
use crate::user_data::{self, RawUserData};

/// RunInstances takes no more, in Mbit/s.
const BANDWIDTH_MAX: i64 = 100;
/// How many types may be tried.
const INSTANCE_TYPES_MAX: usize = 20;
/// The characters a password may have besides letters and digits (RunInstances, `Password`).
const PASSWORD_SPECIALS: &str = "()`~!@#$%^&*-_+=|{}[]:;'<>,.?/";

impl Check<'_> {
    /// Checks the fields of the launch; `None` with at least one fault.
    pub(super) fn launch(
        &mut self,
        config: &LaunchConfig,
        scope: &Scope,
        setup: &Setup,
    ) -> Option<LaunchPlan> {
        self.run_tags(config);
        let (instance_types, source) = (self.instance_types(config), self.source(config));
        let host_key = self.host_key(config);
        let user_data = self.user_data(config, host_key, scope);
        let (market, sources) = (self.market(config), self.sources(config));
        let address = self.address(config, setup);
        self.words(config);
        if let Some(block) = given(&config.vpc_cidr_block).filter(|block| !is_block(block)) {
            let message = format!("vpc_cidr_block: '{block}' is not an address block");
            self.fault("vpc_cidr_block", message, "such as `172.16.0.0/16` or `192.168.0.0/16`");
        }
        Some(LaunchPlan {
            running_timeout: seconds(config.wait_instance_running_timeout, 1800),
            instance_types: instance_types?,
            market: market?,
            source: source?,
            address,
            user_data,
            sources,
            address_url: setup.env(ADDRESS_URL),
            host_key,
        })
    }

    fn instance_types(&mut self, config: &LaunchConfig) -> Option<Vec<String>> {
        let mut types: Vec<String> = Vec::new();
        let others = config.instance_types.iter().map(String::as_str).filter(|name| !name.is_empty());
        for name in given(&config.instance_type).into_iter().chain(others) {
            if !types.iter().any(|known| known == name) {
                types.push(name.to_owned());
            }
        }
        if types.len() > INSTANCE_TYPES_MAX {
            let message = format!("more than {INSTANCE_TYPES_MAX} instance types");
            self.fault("instance_types", message, "a shorter list is tried faster");
        }
        if types.is_empty() {
            self.fault("instance_type", "An alicloud_instance_type must be specified", "set `instance_type`");
            return None;
        }
        Some(types)
    }

    fn source(&mut self, config: &LaunchConfig) -> Option<Source> {
        let spaced = |text: &str| text.trim() != text;
        match (given(&config.source_image), given(&config.image_family)) {
            (None, None) => {
                self.fault("source_image", "A source_image must be specified", "or an `image_family`");
                None
            }
            (Some(_), Some(_)) => {
                let message = "An image_family and source_image can not be specified at the same time. Please use only \
                               one.";
                self.fault("image_family", message, "");
                None
            }
            (Some(image), None) if spaced(image) => {
                self.fault("source_image", "The source_image can't include spaces", "");
                None
            }
            (None, Some(family)) if spaced(family) => {
                self.fault("image_family", "The image_family can't include spaces", "");
                None
            }
            (Some(image), None) => Some(Source::Image(image.to_owned())),
            (None, Some(family)) => Some(Source::Family(family.to_owned())),
        }
    }

    fn user_data(
        &mut self,
        config: &LaunchConfig,
        host_key: HostKeySource,
        scope: &Scope,
    ) -> Option<RawUserData> {
        let (field, bytes) = match (given(&config.user_data), given(&config.user_data_file)) {
            (None, None) => return None,
            (Some(_), Some(_)) => {
                self.fault("user_data_file", "Only one of user_data or user_data_file can be specified.", "");
                return None;
            }
            (Some(text), None) => ("user_data", text.as_bytes().to_vec()),
            (None, Some(file)) => match scope.world.read_bytes(Path::new(file)) {
                Ok(bytes) => ("user_data_file", bytes),
                Err(error) => {
                    let hint = format!("{error}; the path is relative to the working directory");
                    self.fault("user_data_file", format!("user_data_file not found: {file}"), &hint);
                    return None;
                }
            },
        };
        let data = RawUserData::new(bytes);
        if data.len() > user_data::MAX {
            let message = format!("user data of {} bytes", data.len());
            self.fault(field, message, "the cloud takes at most 32 KiB before encoding");
        } else if host_key == HostKeySource::UserData
            && let Err(why) = data.may_be_combined()
        {
            let message =
                format!("ssh_host_key = \"user-data\" cannot be combined with this user data: {why}");
            self.fault(
                "ssh_host_key",
                message,
                "use `console`, or install the host key in user data of your own",
            );
        }
        Some(data)
    }

    /// Which way is meant; a wrong word is a fault.
    fn host_key(&mut self, config: &LaunchConfig) -> HostKeySource {
        let known = [
            ("console", HostKeySource::Console),
            ("user-data", HostKeySource::UserData),
            ("first-use", HostKeySource::FirstUse),
        ];
        self.word("ssh_host_key", &config.ssh_host_key, &known.map(|(word, _)| word));
        let asked = given(&config.ssh_host_key).unwrap_or_default();
        known
            .into_iter()
            .find(|(word, _)| word.eq_ignore_ascii_case(asked))
            .map(|(_, way)| way)
            .unwrap_or_default()
    }

    fn market(&mut self, config: &LaunchConfig) -> Option<Market> {
        let known = ["NoSpot", "SpotAsPriceGo", "SpotWithPriceLimit"];
        self.word("spot_strategy", &config.spot_strategy, &known);
        let asked = given(&config.spot_strategy).unwrap_or("NoSpot");
        let strategy = known.into_iter().find(|word| word.eq_ignore_ascii_case(asked))?;
        let limit = config.spot_price_limit.filter(|limit| *limit != 0.0);
        let fallback = config.spot_fallback.unwrap_or(true);
        if limit.is_some_and(|limit| limit < 0.0 || !limit.is_finite()) {
            self.fault(
                "spot_price_limit",
                "spot_price_limit must be more than 0",
                "the price of an hour, such as 0.05",
            );
        }
        match (strategy, limit) {
            ("SpotWithPriceLimit", None) => {
                let hint = "the highest price of an hour, such as 0.05; or use `SpotAsPriceGo`";
                self.fault("spot_strategy", "SpotWithPriceLimit needs a spot_price_limit", hint);
                None
            }
            ("NoSpot" | "SpotAsPriceGo", Some(_)) => {
                let hint = "set `spot_strategy` to `SpotWithPriceLimit`";
                self.fault(
                    "spot_price_limit",
                    format!("spot_price_limit has no effect with {strategy}"),
                    hint,
                );
                None
            }
            ("NoSpot", None) => Some(Market::OnDemand),
            (_, limit) => Some(Market::Spot { limit, fallback }),
        }
    }

    fn sources(&mut self, config: &LaunchConfig) -> Vec<String> {
        let listed = &config.temporary_security_group_source_cidrs;
        if config.temporary_security_group_source_public_ip && !listed.is_empty() {
            let message = "Only one of temporary_security_group_source_cidrs or \
                           temporary_security_group_source_public_ip can be specified.";
            self.fault("temporary_security_group_source_public_ip", message, "");
        }
        let mut blocks = Vec::new();
        for text in listed {
            match sources::block(text) {
                Some(block) => blocks.push(block),
                None => self.fault(
                    "temporary_security_group_source_cidrs",
                    format!("`{text}` is no IPv4 address or block"),
                    "such as `203.0.113.7` or `203.0.113.0/24`",
                ),
            }
        }
        blocks.sort();
        blocks.dedup();
        blocks
    }

    /// An address that nobody could reach is refused here, not after the connection's time-out.
    fn address(&mut self, config: &LaunchConfig, setup: &Setup) -> AddressPlan {
        let plan = address_plan(config);
        // The embedded cloud's instances are reached by any of their addresses.
        if plan.connect_private && config.makes_network() && !setup.is_embedded {
            let field = if config.ssh_private_ip { "ssh_private_ip" } else { "associate_public_ip_address" };
            let hint = "name an existing `vpc_id` or `vswitch_id` that this machine has a way into, or leave \
                        `ssh_private_ip` and `associate_public_ip_address` out";
            let message =
                "the private address of an instance in a temporary VPC cannot be reached from anywhere";
            self.fault(field, message, hint);
        }
        let bandwidth = config.internet_max_bandwidth_out.unwrap_or_default();
        if plan.public == Public::Own && bandwidth > BANDWIDTH_MAX {
            let message = format!("internet_max_bandwidth_out is {bandwidth}");
            self.fault(
                "internet_max_bandwidth_out",
                message,
                "an instance's own address has at most 100 Mbit/s",
            );
        }
        plan
    }

    /// Fields that take a few words only, as the API spells them or in any other case.
    fn words(&mut self, config: &LaunchConfig) {
        let charge_types = ["PayByTraffic", "PayByBandwidth"];
        self.word("internet_charge_type", &config.internet_charge_type, &charge_types);
        let strategies = ["Active", "Deactive"];
        self.word("security_enhancement_strategy", &config.security_enhancement_strategy, &strategies);
        self.word("http_tokens", &config.http_tokens, &["optional", "required"]);
    }

    fn word(&mut self, field: &str, text: &Option<String>, known: &[&str]) {
        let Some(text) = given(text) else {
            return;
        };
        if !known.iter().any(|word| word.eq_ignore_ascii_case(text)) {
            let hint = match kiln_core::diagnostic::nearest(text, known.iter().copied()) {
                Some(near) => format!("is `{near}` meant?"),
                None => format!("one of {}", known.join(", ")),
            };
            self.fault(field, format!("{field} is `{text}`"), &hint);
        }
    }

    fn run_tags(&mut self, config: &LaunchConfig) {
        // Kiln's own three tags take their place among the twenty.
        if config.run_tags.len() > 17 {
            self.fault(
                "run_tags",
                "more than 17 run_tags",
                "the cloud takes 20 tags a resource; Kiln needs three",
            );
        }
        let reserved = ["aliyun", "acs:", "http://", "https://"];
        for key in config.run_tags.keys() {
            if key.is_empty() || key.chars().count() > 128 || reserved.iter().any(|it| key.starts_with(it)) {
                let hint =
                    "1 to 128 characters, not beginning with `aliyun`, `acs:`, `http://` or `https://`";
                self.fault("run_tags", format!("`{key}` cannot be the key of a tag"), hint);
            }
        }
    }

    /// The password becomes the instance's, so the cloud's rule applies to it.
    pub(super) fn password(&mut self, config: &CommunicatorConfig) {
        let Some(password) = config.ssh_password.as_ref().filter(|password| !password.is_empty()) else {
            return;
        };
        if !is_password(password.expose()) {
            let hint = format!(
                "it becomes the instance's password: 8 to 30 characters of at least three kinds (capital letters, \
                 small letters, digits, {PASSWORD_SPECIALS})"
            );
            self.fault("ssh_password", "ssh_password is not one that the cloud takes", &hint);
        }
    }
}

/// RunInstances, `Password`.
fn is_password(text: &str) -> bool {
    let kinds: [fn(char) -> bool; 4] = [
        |letter| letter.is_ascii_uppercase(),
        |letter| letter.is_ascii_lowercase(),
        |letter| letter.is_ascii_digit(),
        |letter| PASSWORD_SPECIALS.contains(letter),
    ];
    let used = kinds.iter().filter(|kind| text.chars().any(**kind)).count();
    let known = text.chars().all(|letter| kinds.iter().any(|kind| kind(letter)));
    (8..=30).contains(&text.chars().count()) && used >= 3 && known
}

#[cfg(test)]
mod tests {
    use super::is_password;

    #[test]
    fn a_password_has_three_of_four_kinds() {
        for good in ["Test12345", "Aliyun@1234", "abc-def-123", "ABC(def)ghi"] {
            assert!(is_password(good), "{good}");
        }
        for bad in ["Test123", "onlyletters", "lower12345", "Test12345\u{e4}", &"Aa1".repeat(11)] {
            assert!(!is_password(bad), "{bad}");
        }
    }
}
