//! What happens in a guest between the start of its first process and the first connection: keys, users and files are
//! written, user data is executed, the host keys are shown. It plays the part of cloud-init.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::keys::PrivateKey;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::helper::wire::{Configuration, EnterRequest, KeysOf, Task};
use super::machine::Shared;
use super::sandbox::Live;
use super::{keys, process, ssh};

/// How long a script of user data may keep the SSH server from listening; it goes on in the background after that. The
/// server of a real machine does not wait for it at all.
const USER_DATA_WAIT: Duration = Duration::from_secs(30);

/// The most of what the helper answers that is read.
const ANSWER_MAX: usize = 256 * 1024;

/// Brings a guest that has just started as far as serving connections, and serves them.
pub(super) async fn come_up(
    shared: Arc<Shared>,
    live: Live,
    listener: TcpListener,
    first: bool,
    cancel: CancellationToken,
) {
    let prepared = async {
        configure(&shared, live, first).await;
        if first {
            user_data(&shared, live, &cancel).await;
        }
        let keys = shared.host_keys();
        shared.console().ready(&shared.spec, &keys);
    };
    tokio::select! {
        () = cancel.cancelled() => return,
        () = prepared => {}
    }
    ssh::serve(shared, listener, cancel).await;
}

/// Returns a request to the guest as root.
fn as_root(live: Live, task: Task, environment: Vec<(String, String)>) -> EnterRequest {
    EnterRequest {
        keeper: live.keeper,
        all_ids: live.all_ids,
        user: "root".to_owned(),
        environment,
        task,
        terminal: false,
    }
}

/// Runs a task of the helper's own and returns what it printed.
pub(super) async fn ask(shared: &Shared, request: &EnterRequest) -> Option<Vec<u8>> {
    let answer = Mutex::new(Vec::new());
    let collect = |bytes: &[u8]| {
        let mut answer = answer.lock().unwrap_or_else(PoisonError::into_inner);
        if answer.len() + bytes.len() <= ANSWER_MAX {
            answer.extend_from_slice(bytes);
        }
    };
    let status = process::run_to_console(shared.host.helper(), request, collect).await;
    let done = status.is_ok_and(|status| status.success());
    done.then(|| answer.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Which keys were bound when the machine was last started: those that no longer are go.
fn record(shared: &Shared) -> PathBuf {
    shared.spec.dir.join("bound_keys")
}

async fn configure(shared: &Arc<Shared>, live: Live, first: bool) {
    let (spec, plan) = (&shared.spec, &shared.plan);
    let before = tokio::fs::read_to_string(record(shared)).await.unwrap_or_default();
    let bound: Vec<String> = spec.authorized_keys.iter().map(|key| key.trim().to_owned()).collect();
    let gone = before.lines().filter(|line| !bound.iter().any(|key| key == line)).map(str::to_owned);
    let mut own = KeysOf { user: spec.login_user.clone(), add: bound.clone(), remove: gone.collect() };
    let mut wanted = Configuration::default();
    if first {
        own.add.extend(plan.own_keys.iter().cloned());
        wanted.delete_host_keys = true;
        wanted.users.clone_from(&plan.users);
        wanted.files.clone_from(&plan.files);
        wanted.keys.clone_from(&plan.keys);
    }
    let now = bound.join("\n");
    if !first && now == before {
        return;
    }
    wanted.keys.insert(0, own);
    for remark in plan.remarks.iter().filter(|_| first) {
        shared.note(remark.clone());
    }
    let request = as_root(live, Task::Configure(Box::new(wanted)), Vec::new());
    match ask(shared, &request).await {
        Some(complaints) => shared.console().print(&complaints),
        None => shared.console().service("cloud-init", "the guest could not be configured"),
    }
    if let Err(error) = tokio::fs::write(record(shared), now).await {
        shared.console().service("cloud-init", &format!("remember the bound keys: {error}"));
    }
}

async fn user_data(shared: &Arc<Shared>, live: Live, cancel: &CancellationToken) {
    if shared.plan.scripts.is_empty() {
        return;
    }
    let (running, cancelled) = (scripts(shared.clone(), live), cancel.clone());
    let task = tokio::spawn(async move {
        tokio::select! {
            () = cancelled.cancelled() => {}
            () = running => {}
        }
    });
    if tokio::time::timeout(USER_DATA_WAIT, task).await.is_err() {
        shared
            .console()
            .service("cloud-init", "user data goes on; the SSH server does not wait for it any longer");
    }
    adopt_host_keys(shared, live).await;
}

async fn scripts(shared: Arc<Shared>, live: Live) {
    for script in &shared.plan.scripts {
        let request = as_root(live, Task::Script(script.clone()), shared.environment());
        let printed = shared.clone();
        let run = process::run_to_console(shared.host.helper(), &request, move |bytes| {
            printed.console().print(bytes)
        });
        match run.await {
            Ok(status) if status.success() => {}
            Ok(status) => shared.console().service("cloud-init", &format!("user data failed: {status}")),
            Err(error) => shared.console().service("cloud-init", &format!("user data failed: {error}")),
        }
    }
    shared.console().service("cloud-init", "user data finished");
}

/// Host keys that a script has written where OpenSSH's server keeps them are the machine's from now on.
async fn adopt_host_keys(shared: &Arc<Shared>, live: Live) {
    let request = as_root(live, Task::HostKeys, Vec::new());
    let Some(answer) = ask(shared, &request).await else { return };
    let texts: Vec<String> = serde_json::from_slice(&answer).unwrap_or_default();
    let found: Vec<PrivateKey> =
        texts.iter().filter_map(|text| russh::keys::decode_secret_key(text, None).ok()).collect();
    if found.is_empty() {
        return;
    }
    match keys::replace(&shared.spec.dir, &found) {
        Ok(()) => shared.set_host_keys(found),
        Err(error) => shared.console().service("cloud-init", &format!("keep the host keys: {error}")),
    }
}
