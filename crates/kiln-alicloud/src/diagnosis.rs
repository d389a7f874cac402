//! Why nobody gets in: what the cloud knows of an instance that lets nobody in, told as hints after Packer's own line.
//!
//! Everything here is a look, made at once and within [`LIMIT`]; what cannot be found out is left out. It never changes
//! the failure it explains.

mod console;
mod rules;

use std::time::Duration;

use alicloud_api::InstanceId;
use alicloud_api::ecs::{DescribeInstances, GetInstanceConsoleOutput, GetInstanceScreenshot, Instance};
use kiln_core::event::EventKind;
use kiln_remote::connect::{Address, Failure};

use crate::build::Site;

/// The longest the whole may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Tells what is known of why `address` of the instance cannot be connected to.
pub(crate) async fn tell(site: &Site<'_>, id: &InstanceId, address: &Address, last: &Failure) {
    let hint = async |text: String| site.cx.events.emit(EventKind::Hint { text }).await;
    hint(format!("Cannot connect to {address} ({}): {last}", kind(last))).await;
    let looked = tokio::time::timeout(LIMIT, look(site, id, address)).await;
    for text in looked.unwrap_or_else(|_| vec!["the cloud did not answer in time to tell more".to_owned()]) {
        hint(text).await;
    }
}

/// Returns the sort of failure in a few words.
fn kind(failure: &Failure) -> &'static str {
    match failure {
        Failure::NeverTried => "not tried",
        Failure::NoAddress(_) => "no address",
        Failure::Refused(_) => "refused",
        Failure::Silent(_) => "no answer",
        Failure::Unreachable(..) => "unreachable",
        Failure::OnTheWay(_, failure) => kind(failure),
        Failure::HandshakeTimedOut(_) => "SSH did not get going",
        Failure::Handshake(..) => "not SSH",
        Failure::NoCommonAlgorithm { .. } => "no common algorithm",
        Failure::HostKey { .. } => "host key mismatch",
        Failure::Authentication { .. } => "log-in refused",
        Failure::Tunnel(..) => "tunnel",
    }
}

/// Returns what is known, a paragraph each, in the order it is read best.
async fn look(site: &Site<'_>, id: &InstanceId, address: &Address) -> Vec<String> {
    let instance = instance(site, id);
    let rules = rules::tell(site, id, address.port);
    let (instance, rules, console, screenshot) =
        futures_util::join!(instance, rules, console(site, id), screenshot(site, id));
    [instance, rules, console, screenshot].into_iter().flatten().collect()
}

async fn instance(site: &Site<'_>, id: &InstanceId) -> Vec<String> {
    let request = DescribeInstances { instance_ids: vec![id.clone()], ..Default::default() };
    match site.cloud.ecs().describe_instances(&request).await {
        Ok(answer) => vec![match answer.instances.first() {
            Some(found) => state(id, found),
            None => format!("Instance `{id}` is gone: the cloud has deleted it."),
        }],
        Err(error) => vec![format!("Instance `{id}`: {error}")],
    }
}

fn state(id: &InstanceId, instance: &Instance) -> String {
    let address = |name: &str, address: Option<&str>| format!("{name} address {}", address.unwrap_or("none"));
    let locks: Vec<&str> = instance.operation_locks.iter().map(|lock| lock.lock_reason.as_str()).collect();
    let locked = if locks.is_empty() { String::new() } else { format!(", locked ({})", locks.join(", ")) };
    format!(
        "Instance `{id}` is {}{locked}: {}, {}.",
        instance.status,
        address("public", instance.public_address()),
        address("private", instance.private_address())
    )
}

async fn console(site: &Site<'_>, id: &InstanceId) -> Vec<String> {
    let request = GetInstanceConsoleOutput { instance_id: id.clone(), remove_symbols: Some(true) };
    match site.cloud.ecs().get_instance_console_output(&request).await {
        Ok(answer) => console::tell(&answer.text()),
        Err(error) => vec![format!("The console cannot be read: {error}")],
    }
}

/// Saves a picture of the screen in the working directory.
async fn screenshot(site: &Site<'_>, id: &InstanceId) -> Vec<String> {
    let request = GetInstanceScreenshot { instance_id: id.clone(), wake_up: Some(true) };
    let jpeg = match site.cloud.ecs().get_instance_screenshot(&request).await {
        Ok(answer) => answer.jpeg(),
        Err(error) => return vec![format!("There is no picture of the screen: {error}")],
    };
    let Some(jpeg) = jpeg else {
        return Vec::new();
    };
    let path = site.cx.scope.world.working_dir().join(format!("{id}.jpg"));
    match tokio::fs::write(&path, jpeg).await {
        Ok(()) => vec![format!("The screen: {}", path.display())],
        Err(error) => {
            vec![format!("The picture of the screen cannot be saved as {}: {error}", path.display())]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_told_with_its_addresses_and_locks() {
        let mut instance = Instance { status: "Running".to_owned(), ..Default::default() };
        instance.public_ip_address = vec!["203.0.113.7".to_owned()];
        assert_eq!(
            state(&"i-1".into(), &instance),
            "Instance `i-1` is Running: public address 203.0.113.7, private address none."
        );
        instance
            .operation_locks
            .push(alicloud_api::ecs::OperationLock { lock_reason: "Recycling".to_owned() });
        assert!(state(&"i-1".into(), &instance).contains("is Running, locked (Recycling):"));
    }
}
