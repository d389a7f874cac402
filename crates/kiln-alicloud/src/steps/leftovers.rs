//! Takes back what the build brought into the machine to get in: the temporary key's line in `authorized_keys`, and a
//! host key installed for the run. An image must not let its builder in, and two machines must not share a host key.
//!
//! It is the last thing done over the connection, and silent: Packer has no line for it.

use std::time::Duration;

use kiln_core::communicator::Communicator;
use kiln_core::error::Result;
use kiln_core::event::EventKind;
use kiln_remote::authorized_keys;

use super::key_pair::BoundKey;
use crate::build::Site;

/// A machine that does not get it done by then has gone.
const LIMIT: Duration = Duration::from_secs(60);
/// The same where a provisioner stops the machine, so that nobody may be there any more.
const SHORT_LIMIT: Duration = Duration::from_secs(10);

/// Removes what is ours. What cannot be removed is told; the build goes on.
pub(crate) async fn remove(site: &Site<'_>, communicator: &dyn Communicator, key: &BoundKey) {
    let image = &site.plan.config.image;
    if image.skip_create_image {
        return;
    }
    let limit = if image.disable_stop_instance { SHORT_LIMIT } else { LIMIT };
    if let Some(pair) = &key.pair {
        let work = authorized_keys::remove(communicator, pair.public_key(), limit);
        let remedy = "The temporary key may still be in the image's authorized_keys";
        done(site, work, remedy).await;
    }
    if let Some(pair) = &key.host_key {
        let work = authorized_keys::remove_host_key(communicator, pair.public_key(), limit);
        let remedy = "The host key of this run may still be in the image's /etc/ssh";
        done(site, work, remedy).await;
    }
}

async fn done(site: &Site<'_>, work: impl Future<Output = Result<()>>, remains: &str) {
    tokio::select! {
        () = site.cx.cancel.cancelled() => {}
        done = work => if let Err(error) = done {
            let text = format!("{remains}: {}.", error.chain());
            site.cx.events.emit(EventKind::Hint { text }).await;
        }
    }
}
