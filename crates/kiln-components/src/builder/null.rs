//! Builder `null`: connects to a machine that is there already, provisions it, and makes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use kiln_core::artifact::Artifact;
use kiln_core::component::{BuildContext, Builder, Factory, Preparation, Prepared};
use kiln_core::decode::decode;
use kiln_core::diagnostic::Fault;
use kiln_core::error::Result;
use kiln_core::schema::Schema;
use kiln_core::scope::Scope;
use kiln_core::secret::Secret;
use kiln_core::value::Value;
use kiln_remote::config::{CommunicatorConfig, Resolved, place};
use kiln_remote::connect::{self, Address};
use kiln_remote::dial::Dialer;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::paths::{given, span};

/// The builder id of its artifacts.
const BUILDER_ID: &str = "fnoeding.null";

/// What stands for the instance and for the artifact.
const ID: &str = "Null";

/// The settings of builder `null`.
#[derive(Deserialize, JsonSchema)]
pub struct NullConfig {
    #[serde(flatten)]
    communicator: CommunicatorConfig,
}

/// Prepares `null`.
pub struct NullFactory {
    dialer: Arc<dyn Dialer>,
}

impl NullFactory {
    /// Returns the factory of builders that reach machines through `dialer`.
    pub fn new(dialer: Arc<dyn Dialer>) -> NullFactory {
        NullFactory { dialer }
    }
}

impl Factory<dyn Builder> for NullFactory {
    fn name(&self) -> &'static str {
        "null"
    }

    fn summary(&self) -> &'static str {
        "Provisions a machine that exists already, and makes nothing."
    }

    fn schema(&self) -> Schema {
        Schema::of::<NullConfig>()
    }

    fn prepare(&self, settings: &Value, scope: &Scope) -> Preparation<dyn Builder> {
        let NullConfig { communicator: config } = decode(settings, scope)?;
        let (resolved, mut faults) = match config.resolve(&*scope.world) {
            Ok(resolved) => (Some(resolved), Vec::new()),
            Err(faults) => (None, place(faults, settings)),
        };
        faults.extend(machine_faults(&config, settings));
        match resolved {
            Some(resolved) if faults.is_empty() => {
                let component = Arc::new(Null { config, resolved, dialer: Arc::clone(&self.dialer) });
                Ok(Prepared { component, warnings: Vec::new(), generated: Vec::new() })
            }
            _ => Err(faults),
        }
    }
}

/// Returns what is missing to reach the machine: nobody but the template knows it.
fn machine_faults(config: &CommunicatorConfig, settings: &Value) -> Vec<Fault> {
    let winrm = match given(&config.communicator) {
        None | Some("ssh") => false,
        Some("winrm") => true,
        Some(_) => return Vec::new(),
    };
    let (host, user, password) = match winrm {
        true => (&config.winrm_host, &config.winrm_username, &config.winrm_password),
        false => (&config.ssh_host, &config.ssh_username, &config.ssh_password),
    };
    let mut faults = Vec::new();
    let mut missing = |what: &str| {
        let message = format!("{what} must be specified, please reference your communicator documentation");
        faults.push(Fault::new(message).at(settings.span.clone()));
    };
    if given(host).is_none() {
        missing("a Host");
    }
    if given(user).is_none() {
        missing("a Username");
    }
    let password = password.as_ref().is_some_and(|password| !password.is_empty());
    let methods = [config.ssh_agent_auth, password, given(&config.ssh_private_key_file).is_some()];
    match methods.iter().filter(|given| **given).count() {
        0 => missing("one authentication method"),
        1 => {}
        _ => {
            let message =
                "only one of ssh_agent_auth, ssh_password, and ssh_private_key_file must be specified";
            faults.push(Fault::new(message).at(span(settings, "ssh_private_key_file")));
        }
    }
    faults
}

struct Null {
    config: CommunicatorConfig,
    resolved: Resolved,
    dialer: Arc<dyn Dialer>,
}

#[async_trait]
impl Builder for Null {
    async fn build(&self, cx: &BuildContext) -> Result<Option<Artifact>> {
        for secret in self.secrets() {
            cx.events.secrets().register(secret.expose());
        }
        let address = self.address();
        let machine = || async { Ok(address.clone()) };
        let connecting = || {
            connect::communicator(&self.resolved, Arc::clone(&self.dialer), machine, &cx.events, &cx.cancel)
        };
        let communicator = cx.step("StepConnect", connecting).await?;
        let values = self.values(cx);
        cx.step("StepProvision", || cx.provision(Arc::clone(&communicator), values.clone())).await?;
        let generated = serde_json::json!({ "ID": ID });
        Ok(Some(Artifact {
            builder_id: BUILDER_ID.to_owned(),
            id: ID.to_owned(),
            text: "Did not export anything. This is the null builder".to_owned(),
            state: BTreeMap::from([("generated_data".to_owned(), generated)]),
            ..Artifact::default()
        }))
    }
}

impl Null {
    fn address(&self) -> Address {
        match &self.resolved {
            Resolved::Ssh(config) => {
                Address { host: config.host.clone().unwrap_or_default(), port: config.port }
            }
            Resolved::None => Address { host: String::new(), port: 0 },
        }
    }

    fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let config = &self.config;
        let passwords = [
            &config.ssh_password,
            &config.ssh_bastion_password,
            &config.ssh_proxy_password,
            &config.winrm_password,
        ];
        passwords.into_iter().flatten()
    }

    /// Returns the build's generated data.
    fn values(&self, cx: &BuildContext) -> BTreeMap<String, Value> {
        let text = |field: &Option<String>| Value::from(field.clone().unwrap_or_default());
        let secret = |text: &str| Value::from(text).sensitive();
        let config = &self.config;
        let mut values = BTreeMap::from([
            ("ID", Value::from(ID)),
            ("PackerRunUUID", Value::from(cx.scope.run_uuid.clone())),
            ("PackerHTTPAddr", Value::from("ERR_HTTP_ADDR_NOT_IMPLEMENTED_BY_BUILDER")),
            ("PackerHTTPIP", Value::from("ERR_HTTP_IP_NOT_IMPLEMENTED_BY_BUILDER")),
            ("PackerHTTPPort", Value::from("ERR_HTTP_PORT_NOT_IMPLEMENTED_BY_BUILDER")),
            ("ConnType", Value::from(self.resolved.kind())),
            ("SSHPublicKey", key_text(config.ssh_public_key.as_ref().map(|key| key.0.as_slice()))),
            (
                "SSHPrivateKey",
                key_text(config.ssh_private_key.as_ref().map(|key| key.0.as_slice())).sensitive(),
            ),
            ("SSHPrivateKeyFile", text(&config.ssh_private_key_file)),
            ("SSHAgentAuth", Value::from(config.ssh_agent_auth)),
            ("WinRMPassword", secret(config.winrm_password.as_ref().map_or("", Secret::expose))),
        ]);
        // With communicator `none` there is no machine to speak of: these names are not known then.
        if let Resolved::Ssh(ssh) = &self.resolved {
            let password = ssh.credentials.password.as_ref().map_or("", Secret::expose);
            values.extend([
                ("Host", Value::from(self.address().host)),
                ("Port", Value::from(i64::from(ssh.port))),
                ("User", Value::from(ssh.credentials.username.clone())),
                ("Password", secret(password)),
            ]);
        }
        values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

fn key_text(bytes: Option<&[u8]>) -> Value {
    Value::from(String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned())
}
