//! What is wrong with a configuration, all at once and in Packer's words and order: access, image, communicator, run.
//! What passes is a [`Plan`]: nothing in it can still be missing.

use std::path::Path;

use alicloud_api::{RegionId, UserData};
use kiln_core::diagnostic::Fault;
use kiln_core::scope::Scope;
use kiln_core::value::Value;
use kiln_remote::config::Resolved;
use kiln_remote::connect::ConnectConfig;
use kiln_remote::keys::KeyKind;

use super::{Access, Config, ImagePlan};
use crate::cloud::Setup;

/// A configuration that can be built.
pub(crate) struct Plan {
    /// The fields. Those repeated below are checked there.
    pub config: Config,
    /// Who builds; `region` repeats its region.
    pub access: Access,
    pub region: RegionId,
    pub image: ImagePlan,
    pub instance_type: String,
    pub source: Source,
    pub login: Login,
    pub address: AddressPlan,
    pub user_data: Option<UserData>,
}

/// What to start from.
pub(crate) enum Source {
    Image(String),
    Family(String),
}

/// How to get in.
pub(crate) struct Login {
    pub connect: Box<ConnectConfig>,
    pub key: KeyPlan,
}

/// Which key pair the instance gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyPlan {
    /// A temporary one, by this name if one is given.
    Temporary { name: Option<String>, kind: KeyKind },
    /// One the account owns.
    Existing(String),
    /// None: a password, or a key that is in the source image.
    None,
}

/// Which address the instance gets, and which one we connect to (the three-way reading of
/// `associate_public_ip_address`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AddressPlan {
    pub public: Public,
    pub connect_private: bool,
}

/// The public address, if any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Public {
    /// The instance's own, given at creation.
    Own,
    /// An elastic address of the account, bound during the build.
    Eip(String),
    None,
}

/// What an EIP gets when nothing is said; an instance without a figure gets no address at all.
pub(crate) const DEFAULT_BANDWIDTH: u32 = 5;
/// The API's limit, before encoding.
const USER_DATA_MAX: usize = 32 * 1024;

impl Plan {
    /// Returns the texts that must not be shown.
    pub(crate) fn secrets(&self) -> Vec<kiln_core::Secret> {
        let mut secrets = self.access.secrets.clone();
        secrets.extend(self.config.communicator.ssh_password.clone());
        secrets
    }

    /// Returns what the user should know before the build.
    pub(crate) fn warnings(&self, scope: &Scope) -> Vec<String> {
        let mut warnings = self.config.communicator.warnings(scope.world.as_ref());
        warnings.extend(self.config.image.warnings());
        if given(&self.config.communicator.ssh_host).is_some() {
            warnings
                .push("ssh_host is not used: the builder connects to the address of its instance".to_owned());
        }
        warnings
    }

    /// Checks `config`.
    pub(crate) fn check(
        config: Config,
        settings: &Value,
        scope: &Scope,
        setup: &Setup,
    ) -> Result<Plan, Vec<Fault>> {
        let mut check = Check { settings, faults: Vec::new() };
        let access = check.access(&config.access, setup);
        let image = check.image(&config.image, scope);
        check.run_tags(&config);
        let login = check.login(&config, scope);
        let (instance_type, source) = check.source(&config);
        let user_data = check.user_data(&config, scope);
        let address = address_plan(&config);
        let parts = (access, image, login, instance_type, source);
        let (
            Some(access),
            Some(image),
            Some(login),
            Some(instance_type),
            Some(source),
        ) = parts
        else {
            return Err(check.faults);
        };
        if !check.faults.is_empty() {
            return Err(check.faults);
        }
        Ok(Plan {
            region: access.region.clone(),
            access,
            image,
            instance_type,
            source,
            login,
            address,
            user_data,
            config,
        })
    }
}

fn address_plan(config: &Config) -> AddressPlan {
    let eip = given(&config.eip_id).map(str::to_owned);
    let wants_public = config.associate_public_ip_address;
    let public = match (config.ssh_private_ip, wants_public, eip) {
        (false, _, Some(eip)) | (true, Some(true), Some(eip)) => Public::Eip(eip),
        (false, None | Some(true), None) | (true, Some(true), None) => Public::Own,
        (false, Some(false), None) | (true, None | Some(false), _) => Public::None,
    };
    AddressPlan { connect_private: config.ssh_private_ip || public == Public::None, public }
}

/// Returns the text of a field that is set and not empty.
pub(crate) fn given(field: &Option<String>) -> Option<&str> {
    field.as_deref().filter(|text| !text.is_empty())
}

pub(super) struct Check<'a> {
    pub(super) settings: &'a Value,
    pub(super) faults: Vec<Fault>,
}

impl Check<'_> {
    /// Adds a fault at the place of `field`, or of the whole block where the field is absent.
    pub(super) fn fault(&mut self, field: &str, message: impl Into<String>, hint: &str) {
        let span = self.settings.get(field).and_then(|value| value.span.clone());
        let fault = Fault::new(message).at(span.or_else(|| self.settings.span.clone()));
        self.faults.push(if hint.is_empty() { fault } else { fault.hint(hint) });
    }

    fn run_tags(&mut self, config: &Config) {
        // Kiln's own three tags take their place among the twenty.
        if config.run_tags.len() > 17 {
            self.fault(
                "run_tags",
                "more than 17 run_tags",
                "the cloud takes 20 tags a resource; Kiln needs three",
            );
        }
    }

    fn login(&mut self, config: &Config, scope: &Scope) -> Option<Login> {
        let resolved = match config.communicator.resolve(scope.world.as_ref()) {
            Ok(resolved) => resolved,
            Err(faults) => {
                self.faults.extend(kiln_remote::config::place(faults, self.settings));
                return None;
            }
        };
        let Resolved::Ssh(connect) = resolved else {
            let hint = "the builder reaches its instance by SSH";
            self.fault("communicator", "communicator `none` is not possible with alicloud-ecs", hint);
            return None;
        };
        let key = self.key_plan(config, &connect)?;
        Some(Login { connect, key })
    }

    fn key_plan(&mut self, config: &Config, connect: &ConnectConfig) -> Option<KeyPlan> {
        let communicator = &config.communicator;
        let has_own_key = !connect.credentials.keys.is_empty() || communicator.ssh_agent_auth;
        if let Some(name) = given(&communicator.ssh_keypair_name) {
            if !has_own_key {
                let hint = "the cloud never gives a private key away: name its file in `ssh_private_key_file`, or set \
                            `ssh_agent_auth`";
                self.fault("ssh_keypair_name", "ssh_keypair_name needs its private key", hint);
                return None;
            }
            return Some(KeyPlan::Existing(name.to_owned()));
        }
        let name = given(&communicator.temporary_key_pair_name).map(str::to_owned);
        let has_password = communicator.ssh_password.as_ref().is_some_and(|password| !password.is_empty());
        if has_own_key || (has_password && name.is_none()) {
            return Some(KeyPlan::None);
        }
        // ECDSA is among the kinds ImportKeyPair documents, is understood by every sshd since 2011, and costs
        // microseconds where RSA costs a good part of a second.
        let asked = given(&communicator.temporary_key_pair_type).is_some()
            || communicator.temporary_key_pair_bits.is_some_and(|bits| bits > 0);
        let kind = if asked { connect.temporary_key } else { KeyKind::Ecdsa(256) };
        if kind == KeyKind::Ed25519 {
            let hint = "use `ecdsa` or `rsa`";
            self.fault("temporary_key_pair_type", "ECS does not import key pairs of type `ed25519`", hint);
            return None;
        }
        Some(KeyPlan::Temporary { name, kind })
    }

    fn source(&mut self, config: &Config) -> (Option<String>, Option<Source>) {
        let instance_type = given(&config.instance_type).map(str::to_owned);
        if instance_type.is_none() {
            self.fault("instance_type", "An alicloud_instance_type must be specified", "set `instance_type`");
        }
        let spaced = |text: &str| text.trim() != text;
        let source = match (given(&config.source_image), given(&config.image_family)) {
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
        };
        (instance_type, source)
    }

    fn user_data(&mut self, config: &Config, scope: &Scope) -> Option<UserData> {
        let bytes = match (given(&config.user_data), given(&config.user_data_file)) {
            (None, None) => return None,
            (Some(_), Some(_)) => {
                self.fault("user_data_file", "Only one of user_data or user_data_file can be specified.", "");
                return None;
            }
            (Some(text), None) => text.as_bytes().to_vec(),
            (None, Some(file)) => match scope.world.read_bytes(Path::new(file)) {
                Ok(bytes) => bytes,
                Err(error) => {
                    let hint = format!("{error}; the path is relative to the working directory");
                    self.fault("user_data_file", format!("user_data_file not found: {file}"), &hint);
                    return None;
                }
            },
        };
        if bytes.len() > USER_DATA_MAX {
            let message = format!("user data of {} bytes", bytes.len());
            self.fault("user_data", message, "the cloud takes at most 32 KiB before encoding");
        }
        Some(UserData::new(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn associate_public_ip_address_has_three_readings() {
        let cases = [
            ((false, None, None), (Public::Own, false)),
            ((false, Some(true), None), (Public::Own, false)),
            ((false, Some(false), None), (Public::None, true)),
            ((false, None, Some("eip-1")), (Public::Eip("eip-1".into()), false)),
            ((false, Some(false), Some("eip-1")), (Public::Eip("eip-1".into()), false)),
            ((true, None, None), (Public::None, true)),
            ((true, Some(true), None), (Public::Own, true)),
            ((true, None, Some("eip-1")), (Public::None, true)),
        ];
        for ((private, associate, eip), (public, connect_private)) in cases {
            let config = Config {
                ssh_private_ip: private,
                associate_public_ip_address: associate,
                eip_id: eip.map(str::to_owned),
                ..Config::default()
            };
            assert_eq!(address_plan(&config), AddressPlan { public, connect_private }, "{config:?}");
        }
    }
}
