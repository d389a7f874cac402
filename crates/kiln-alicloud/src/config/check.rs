//! What is wrong with a configuration, all at once and in Packer's words and order: access, image, communicator, run.
//! What passes is a [`Plan`]: nothing in it can still be missing.

use alicloud_api::RegionId;
use kiln_core::diagnostic::Fault;
use kiln_core::scope::Scope;
use kiln_core::value::Value;
use kiln_remote::config::Resolved;
use kiln_remote::connect::ConnectConfig;
use kiln_remote::keys::KeyKind;

use super::launch::LaunchPlan;
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
    pub launch: LaunchPlan,
    pub login: Login,
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

impl Plan {
    /// Returns the texts that must not be shown.
    pub(crate) fn secrets(&self) -> Vec<kiln_core::Secret> {
        let mut secrets = self.access.secrets.clone();
        secrets.extend(self.config.communicator.ssh_password.clone());
        secrets
    }

    /// Returns what the user should know before the build.
    pub(crate) fn warnings(&self, scope: &Scope) -> Vec<String> {
        let mut warnings = self.access.warnings.clone();
        warnings.extend(self.config.communicator.warnings(scope.world.as_ref()));
        warnings.extend(self.config.image.warnings());
        warnings.extend(self.config.launch.warnings());
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
        let mut check = Check::new(settings);
        let access = check.access(&config.access, setup);
        Plan::of(check, config, access, scope, setup)
    }

    /// Checks all of `config` but its access, which has been settled: `None` is one with faults.
    pub(crate) fn of(
        mut check: Check<'_>,
        config: Config,
        access: Option<Access>,
        scope: &Scope,
        setup: &Setup,
    ) -> Result<Plan, Vec<Fault>> {
        let image = check.image(&config.image, scope, access.as_ref().map(|access| &access.region));
        let login = check.login(&config, scope);
        let launch = check.launch(&config.launch, scope, setup);
        let (Some(access), Some(image), Some(login), Some(launch)) = (access, image, login, launch) else {
            return Err(check.faults);
        };
        if !check.faults.is_empty() {
            return Err(check.faults);
        }
        Ok(Plan { region: access.region.clone(), access, image, launch, login, config })
    }
}

/// Returns the text of a field that is set and not empty.
pub(crate) fn given(field: &Option<String>) -> Option<&str> {
    field.as_deref().filter(|text| !text.is_empty())
}

/// The block that is checked, and what is wrong with it so far.
pub(crate) struct Check<'a> {
    pub(super) settings: &'a Value,
    pub(super) faults: Vec<Fault>,
}

impl<'a> Check<'a> {
    pub(crate) fn new(settings: &'a Value) -> Check<'a> {
        Check { settings, faults: Vec::new() }
    }
}

impl Check<'_> {
    /// Adds a fault at the place of `field`, or of the whole block where the field is absent.
    pub(crate) fn fault(&mut self, field: &str, message: impl Into<String>, hint: &str) {
        let span = self.settings.get(field).and_then(|value| value.span.clone());
        let fault = Fault::new(message).at(span.or_else(|| self.settings.span.clone()));
        self.faults.push(if hint.is_empty() { fault } else { fault.hint(hint) });
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
        self.password(&config.communicator);
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
}
