//! The machines behind instances. One task a machine does what is asked of it in order; this file knows how the
//! state and the sandboxes meet, not what a sandbox is (that is `instance`).

mod host;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{broadcast, mpsc};
use tokio_util::task::TaskTracker;

use crate::api::{Console, Consoles};
use crate::instance::MachineSpec;
use crate::note::Note;

#[cfg(test)]
pub use host::FakeHost;
pub use host::{Guest, Host, Sandboxes};

/// What is asked of a machine.
pub enum Order {
    /// Start it.
    Boot(Box<MachineSpec>),
    /// Stop it.
    Stop {
        /// Whether to pull the plug.
        force: bool,
    },
    /// Put its files aside.
    Capture {
        /// Where.
        into: PathBuf,
        /// Told how it went.
        done: Box<dyn FnOnce(Result<(), String>) + Send>,
    },
    /// Throw it away.
    Destroy,
}

type Orders = mpsc::UnboundedSender<Order>;

/// All machines of a cloud.
pub struct Machines {
    /// Let go at the end: it holds folders.
    host: Mutex<Option<Arc<dyn Host>>>,
    /// One channel a machine. Unbounded, but filled by API calls only, each of which is answered first.
    orders: Mutex<HashMap<String, Orders>>,
    /// Those that are up, or whose disk is still there.
    guests: Arc<Mutex<HashMap<String, Running>>>,
    notes: broadcast::Sender<Note>,
    /// Told the instance whose machine has stopped, by whomever.
    halted: mpsc::UnboundedSender<String>,
    tasks: TaskTracker,
}

struct Running {
    guest: Arc<dyn Guest>,
    up: bool,
}

impl Machines {
    /// Machines on a host; without one, instances have none.
    pub fn new(
        host: Option<Arc<dyn Host>>,
        notes: broadcast::Sender<Note>,
        halted: mpsc::UnboundedSender<String>,
    ) -> Machines {
        Machines {
            host: Mutex::new(host),
            orders: Mutex::default(),
            guests: Arc::default(),
            notes,
            halted,
            tasks: TaskTracker::new(),
        }
    }

    /// Returns where a machine that is up answers.
    pub fn address(&self, instance: &str) -> Option<SocketAddr> {
        let guests = self.guests.lock().unwrap_or_else(PoisonError::into_inner);
        guests.get(instance).filter(|running| running.up).map(|running| running.guest.address())
    }

    /// Asks something of a machine, after what was asked before.
    pub fn order(&self, instance: &str, order: Order) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let last = matches!(order, Order::Destroy);
        let sender = orders.entry(instance.to_owned()).or_insert_with(|| {
            let (sender, receiver) = mpsc::unbounded_channel();
            let keeper = Keeper {
                id: instance.to_owned(),
                host: self.host.lock().unwrap_or_else(PoisonError::into_inner).clone(),
                guests: Arc::clone(&self.guests),
                notes: self.notes.clone(),
                halted: self.halted.clone(),
            };
            self.tasks.spawn(keeper.serve(receiver));
            sender
        });
        // The task ends only after its sender was dropped, so the order arrives.
        let _ = sender.send(order);
        if last {
            orders.remove(instance);
        }
    }

    /// Throws all machines away, or stops them where their folders are to be kept, and waits for it.
    pub async fn close(&self, keep: bool) {
        let ids: Vec<String> = {
            let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
            orders.keys().cloned().collect()
        };
        for id in ids {
            self.order(&id, if keep { Order::Stop { force: true } } else { Order::Destroy });
        }
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.tasks.close();
        self.tasks.wait().await;
        self.guests.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.host.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Consoles for Machines {
    fn console(&self, instance: &str) -> Console {
        let guests = self.guests.lock().unwrap_or_else(PoisonError::into_inner);
        guests.get(instance).map(|running| running.guest.console()).unwrap_or_default()
    }
}

/// The task of one machine.
struct Keeper {
    id: String,
    host: Option<Arc<dyn Host>>,
    guests: Arc<Mutex<HashMap<String, Running>>>,
    notes: broadcast::Sender<Note>,
    halted: mpsc::UnboundedSender<String>,
}

impl Keeper {
    async fn serve(self, mut orders: mpsc::UnboundedReceiver<Order>) {
        let mut guest: Option<Arc<dyn Guest>> = None;
        while let Some(order) = orders.recv().await {
            match order {
                Order::Boot(spec) => {
                    if let Some(old) = guest.take() {
                        self.set_up(None);
                        old.stop(true).await;
                    }
                    guest = self.boot(*spec).await;
                    self.set_up(guest.as_ref().map(|guest| (Arc::clone(guest), true)));
                }
                Order::Stop { force } => {
                    if let Some(guest) = &guest {
                        self.set_up(Some((Arc::clone(guest), false)));
                        guest.stop(force).await;
                    }
                }
                Order::Capture { into, done } => done(self.capture(guest.as_ref(), into).await),
                Order::Destroy => {
                    self.set_up(None);
                    if let Some(guest) = guest.take() {
                        guest.destroy().await;
                    }
                }
            }
        }
    }

    fn set_up(&self, running: Option<(Arc<dyn Guest>, bool)>) {
        let mut guests = self.guests.lock().unwrap_or_else(PoisonError::into_inner);
        match running {
            Some((guest, up)) => guests.insert(self.id.clone(), Running { guest, up }),
            None => guests.remove(&self.id),
        };
    }

    fn failed(&self, text: String) {
        // Nobody listening is no fault.
        let _ = self.notes.send(Note::Failed(text));
    }

    async fn boot(&self, spec: MachineSpec) -> Option<Arc<dyn Guest>> {
        let Some(host) = &self.host else {
            self.failed(format!("instance `{}` has no machine: there is no sandbox on this host", self.id));
            return None;
        };
        // The host's own notes come through a channel that ends with the machine.
        let (sender, mut receiver) = mpsc::channel::<String>(64);
        let (notes, id) = (self.notes.clone(), self.id.clone());
        tokio::spawn(async move {
            while let Some(text) = receiver.recv().await {
                let _ = notes.send(Note::Simulated(format!("instance `{id}`: {text}")));
            }
        });
        match host.boot(spec, sender).await {
            Ok(guest) => {
                let (watched, halted, id) = (Arc::clone(&guest), self.halted.clone(), self.id.clone());
                tokio::spawn(async move {
                    watched.stopped().await;
                    let _ = halted.send(id);
                });
                Some(guest)
            }
            Err(why) => {
                self.failed(format!("instance `{}` did not boot: {why}", self.id));
                None
            }
        }
    }

    async fn capture(&self, guest: Option<&Arc<dyn Guest>>, into: PathBuf) -> Result<(), String> {
        match guest {
            Some(guest) => guest.capture(&into).await,
            // An instance that never had a machine has changed nothing of its image.
            None => tokio::fs::create_dir_all(&into).await.map_err(|error| error.to_string()),
        }
    }
}
