//! Public addresses of the loopback network: whoever connects to one is led to the machine it belongs to now.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{Inner, Reach};
use crate::instance::silence;
use crate::note::Note;

/// How many callers of an address that get no answer are kept at once; each beyond them is turned away.
const SILENT: usize = 64;

/// The addresses that lead somewhere.
#[derive(Default)]
pub struct Forwards(HashMap<String, (String, CancellationToken)>);

impl Forwards {
    /// Ends those that no longer lead where they did and begins new ones. `wanted` tells instances by address.
    pub fn update(&mut self, cloud: &Arc<Inner>, port: u16, wanted: &HashMap<String, String>) {
        self.0.retain(|address, (instance, stop)| {
            let stays = wanted.get(address) == Some(instance);
            if !stays {
                stop.cancel();
            }
            stays
        });
        for (address, instance) in wanted {
            let Ok(ip) = address.parse::<IpAddr>() else { continue };
            if self.0.contains_key(address) {
                continue;
            }
            let stop = cloud.stop.child_token();
            self.0.insert(address.clone(), (instance.clone(), stop.clone()));
            let (owner, instance) = (Arc::clone(cloud), instance.clone());
            cloud.tasks.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = serve(&owner, ip, port, &instance, &stop) => {}
                }
            });
        }
    }
}

async fn serve(cloud: &Arc<Inner>, ip: IpAddr, port: u16, instance: &str, stop: &CancellationToken) {
    let listener = match TcpListener::bind((ip, port)).await {
        Ok(listener) => listener,
        Err(error) => {
            cloud.note(Note::Failed(format!("the address `{ip}:{port}` cannot be listened on: {error}")));
            return;
        }
    };
    let silent = Arc::new(Semaphore::new(SILENT));
    while let Ok((mut from, peer)) = listener.accept().await {
        let machine = match cloud.reach_instance(instance, cloud.seen_as(peer.ip())) {
            Reach::Open(machine) => machine,
            // Nothing there yet: the connection is closed, as one that is refused.
            Reach::Refused | Reach::Unknown => continue,
            // The kernel has said hello for us; from here on nobody answers.
            Reach::Dropped => {
                let (stop, Ok(seat)) = (stop.clone(), Arc::clone(&silent).try_acquire_owned()) else {
                    continue;
                };
                cloud.tasks.spawn(async move {
                    let _seat = seat;
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = silence(from) => {}
                    }
                });
                continue;
            }
        };
        let stop = stop.clone();
        cloud.tasks.spawn(async move {
            let through = async {
                #[expect(clippy::disallowed_methods, reason = "the one place: to a machine of this cloud")]
                let mut to = TcpStream::connect(machine).await?;
                tokio::io::copy_bidirectional(&mut from, &mut to).await
            };
            tokio::select! {
                () = stop.cancelled() => {}
                _ = through => {}
            }
        });
    }
}
