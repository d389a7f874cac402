//! Gets in, and says what provisioners may know of the machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use alicloud_api::InstanceId;
use kiln_core::communicator::Communicator;
use kiln_core::error::Result;
use kiln_core::value::Value;
use kiln_remote::connect::{Address, ConnectConfig, LoginKey, NotConnected, connect_or_why};

use super::host_key;
use super::key_pair::BoundKey;
use super::source_image::SourceImage;
use crate::build::Site;
use crate::diagnosis;

/// Connects to `host` with the key the instance was created with, or as the template says. Who cannot get in is told
/// what the cloud knows of it.
pub(crate) async fn get_in(
    site: &Site<'_>,
    instance: &InstanceId,
    host: &str,
    key: &BoundKey,
) -> Result<Arc<dyn Communicator>> {
    let mut config: ConnectConfig = (*site.plan.login.connect).clone();
    config.credentials.keys.extend(key.pair.as_ref().map(LoginKey::from));
    config.pace = site.cloud.connect_pace(config.pace);
    config.host_keys = host_key::policy(key);
    let address = Address { host: host.to_owned(), port: config.port };
    let find = || async { Ok(address.clone()) };
    let connected =
        connect_or_why(&config, Arc::clone(site.dialer), find, &site.cx.events, &site.cx.cancel).await;
    let connection = match connected {
        Ok(connection) => connection,
        Err(NotConnected { error, last }) => {
            if let Some(last) = last {
                diagnosis::tell(site, instance, &address, &last).await;
            }
            return Err(error);
        }
    };
    host_key::check(site, instance, &connection).await?;
    Ok(Arc::new(connection))
}

/// Returns the build's generated data.
pub(crate) fn values(
    site: &Site<'_>,
    instance: &InstanceId,
    host: &str,
    key: &BoundKey,
    source: &SourceImage,
) -> Result<BTreeMap<String, Value>> {
    let connect = &site.plan.login.connect;
    let communicator = &site.plan.config.communicator;
    let password = connect.credentials.password.as_ref();
    let (public, private) = match &key.pair {
        Some(pair) => (pair.public_line(), pair.private_text()?),
        None => Default::default(),
    };
    site.cx.events.secrets().register(private.expose());
    let text = |text: &str| Value::from(text);
    Ok(BTreeMap::from([
        ("ID".to_owned(), text(instance.as_str())),
        ("Host".to_owned(), text(host)),
        ("Port".to_owned(), Value::from(i64::from(connect.port))),
        ("User".to_owned(), text(&connect.credentials.username)),
        ("Password".to_owned(), text(password.map_or("", |password| password.expose())).sensitive()),
        ("ConnType".to_owned(), text("ssh")),
        ("PackerRunUUID".to_owned(), text(&site.cx.scope.run_uuid)),
        ("PackerHTTPIP".to_owned(), text("ERR_HTTP_IP_NOT_IMPLEMENTED_BY_BUILDER")),
        ("PackerHTTPPort".to_owned(), text("ERR_HTTP_PORT_NOT_IMPLEMENTED_BY_BUILDER")),
        ("PackerHTTPAddr".to_owned(), text("ERR_HTTP_ADDR_NOT_IMPLEMENTED_BY_BUILDER")),
        ("SSHPublicKey".to_owned(), text(&public)),
        ("SSHPrivateKey".to_owned(), text(private.expose()).sensitive()),
        (
            "SSHPrivateKeyFile".to_owned(),
            text(communicator.ssh_private_key_file.as_deref().unwrap_or_default()),
        ),
        ("SSHAgentAuth".to_owned(), Value::from(communicator.ssh_agent_auth)),
        ("WinRMPassword".to_owned(), text("")),
        ("SourceImageName".to_owned(), text(&source.name)),
    ]))
}
