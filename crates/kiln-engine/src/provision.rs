//! Runs the provisioners of one build, with Packer's wrappers: pause, time-out, retries.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kiln_core::communicator::Communicator;
use kiln_core::component::{ProvisionContext, ProvisionHook, Provisioner, Registry};
use kiln_core::diagnostic::Diagnostics;
use kiln_core::duration::format_go;
use kiln_core::error::{Error, ErrorKind, Result};
use kiln_core::event::Events;
use kiln_core::plan::{PlannedBuild, PlannedProvisioner};
use kiln_core::prompt::Prompt;
use kiln_core::scope::{BuildValues, Scope};
use kiln_core::value::Value;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// The hook a builder calls in the middle of its work.
pub(crate) struct Provisioning {
    pub(crate) planned: PlannedBuild,
    pub(crate) registry: Registry,
    pub(crate) scope: Scope,
    pub(crate) events: Events,
    pub(crate) stop: CancellationToken,
    /// Ends even the error-cleanup provisioner.
    pub(crate) hurry: CancellationToken,
    pub(crate) prompt: Arc<dyn Prompt>,
    /// Set when provisioning failed: what the error-cleanup provisioner needs.
    pub(crate) failed: Mutex<Option<Machine>>,
    /// What the builder made known, for post-processors.
    pub(crate) values: Mutex<BTreeMap<String, Value>>,
}

/// A machine that can still be reached after provisioning failed.
#[derive(Clone)]
pub(crate) struct Machine {
    communicator: Arc<dyn Communicator>,
    values: BTreeMap<String, Value>,
}

#[async_trait]
impl ProvisionHook for Provisioning {
    async fn provision(
        &self,
        communicator: Arc<dyn Communicator>,
        values: BTreeMap<String, Value>,
    ) -> Result<()> {
        *self.values.lock().await = values.clone();
        let machine = Machine { communicator, values };
        *self.failed.lock().await = None;
        for (index, provisioner) in self.planned.provisioners.iter().enumerate() {
            if self.stop.is_cancelled() {
                return Err(Error::cancelled());
            }
            if self.scope.debug {
                let query = "Pausing before the next provisioner . Press enter to continue.";
                tokio::select! {
                    // Without a terminal nobody is asked, and the build goes on.
                    _ = self.prompt.ask(query) => {}
                    () = self.stop.cancelled() => return Err(Error::cancelled()),
                }
            }
            let step = format!("provisioner {} ({})", index + 1, provisioner.kind);
            if let Err(error) =
                self.events.timed(&step, self.with_retries(provisioner, &machine, &self.stop)).await
            {
                *self.failed.lock().await = Some(machine);
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Provisioning {
    /// Runs the error-cleanup provisioner if provisioning failed; returns the error the build ends with.
    pub(crate) async fn clean_up_after(&self, error: Error) -> Error {
        let Some(machine) = self.failed.lock().await.take() else {
            return error;
        };
        self.events.say("Provisioning step had errors: Running the cleanup provisioner, if present...").await;
        let Some(provisioner) = &self.planned.error_cleanup else {
            return error;
        };
        // The build may have been stopped; this provisioner is part of stopping.
        let work = self.with_retries(provisioner, &machine, &self.hurry);
        match self.events.timed(&format!("error-cleanup-provisioner ({})", provisioner.kind), work).await {
            Ok(()) => error,
            Err(cleanup) => Error::new(format!(
                "Cleanup failed: {}. Original Provisioning error: {}",
                cleanup.chain(),
                error.chain()
            ))
            .kind(error.kind),
        }
    }

    /// The error returned, and named in each line, is that of the first attempt, as in Packer.
    async fn with_retries(
        &self,
        provisioner: &PlannedProvisioner,
        machine: &Machine,
        stop: &CancellationToken,
    ) -> Result<()> {
        let Err(first) = self.paced(provisioner, machine, stop).await else {
            return Ok(());
        };
        for left in (1..=provisioner.max_retries).rev() {
            if stop.is_cancelled() {
                return Err(first);
            }
            let text = first.chain();
            self.events
                .say(format!("Provisioner failed with {text:?}, retrying with {left} trie(s) left"))
                .await;
            if self.paced(provisioner, machine, stop).await.is_ok() {
                return Ok(());
            }
        }
        if provisioner.max_retries > 0 && !stop.is_cancelled() {
            self.events.say("retry limit reached.").await;
        }
        Err(first)
    }

    /// `pause_before` wins over `timeout`: Packer ignores the time-out of a provisioner that pauses.
    async fn paced(
        &self,
        provisioner: &PlannedProvisioner,
        machine: &Machine,
        stop: &CancellationToken,
    ) -> Result<()> {
        let PlannedProvisioner { pause_before, timeout, .. } = provisioner;
        if *pause_before > Duration::ZERO {
            let pause = format_go(*pause_before);
            self.events.say(format!("Pausing {pause} before the next provisioner...")).await;
            tokio::select! {
                () = tokio::time::sleep(*pause_before) => {}
                () = stop.cancelled() => return Err(Error::cancelled()),
            }
            return self.once(provisioner, machine, stop).await;
        }
        if *timeout == Duration::ZERO {
            return self.once(provisioner, machine, stop).await;
        }
        let limit = format_go(*timeout);
        self.events.say(format!("Setting a {limit} timeout for the next provisioner...")).await;
        let cancel = stop.child_token();
        let work = self.once(provisioner, machine, &cancel);
        tokio::pin!(work);
        tokio::select! {
            result = &mut work => result,
            () = tokio::time::sleep(*timeout) => {
                self.events.error("Cancelling provisioner after a timeout...").await;
                cancel.cancel();
                let result = work.await;
                result.map_err(|error| match stop.is_cancelled() {
                    true => error,
                    false => out_of_time(error, &limit),
                })
            }
        }
    }

    async fn once(
        &self,
        planned: &PlannedProvisioner,
        machine: &Machine,
        cancel: &CancellationToken,
    ) -> Result<()> {
        let scope = self.scope.with_values(BuildValues::Known(machine.values.clone()));
        let provisioner = self.prepare(planned, &scope)?;
        let cx = ProvisionContext {
            communicator: Arc::clone(&machine.communicator),
            events: self.events.clone(),
            cancel: cancel.clone(),
            scope: Arc::new(scope),
            prompt: Arc::clone(&self.prompt),
        };
        provisioner.provision(&cx).await
    }

    fn prepare(&self, planned: &PlannedProvisioner, scope: &Scope) -> Result<Arc<dyn Provisioner>> {
        let factory = self
            .registry
            .provisioners
            .get(planned.kind.as_str())
            .ok_or_else(|| Error::new(format!("unknown provisioner `{}`", planned.kind)))?;
        let settings = planned.settings.resolve(&scope.values).map_err(|diagnostics| told(&diagnostics))?;
        match factory.prepare(&settings, scope) {
            Ok(prepared) => Ok(prepared.component),
            Err(faults) => {
                Err(Error::new(faults.into_iter().map(|fault| fault.message).collect::<Vec<_>>().join("\n")))
            }
        }
    }
}

/// Diagnostics found only during the build become its error.
pub(crate) fn told(diagnostics: &Diagnostics) -> Error {
    let texts = diagnostics.0.iter().map(|diagnostic| match diagnostic.detail.is_empty() {
        true => diagnostic.summary.clone(),
        false => format!("{}: {}", diagnostic.summary, diagnostic.detail),
    });
    Error::new(texts.collect::<Vec<_>>().join("\n"))
}

/// The component's own words stay, if it has any; but it was the clock that stopped it, not the user.
fn out_of_time(error: Error, limit: &str) -> Error {
    let text = format!("the provisioner did not end within its `timeout` of {limit}");
    match error.chain() == Error::cancelled().chain() {
        true => Error::new(text).kind(ErrorKind::TimedOut),
        false => error.kind(ErrorKind::TimedOut).hint(text),
    }
}
