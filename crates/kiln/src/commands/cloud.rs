//! `kiln cloud serve`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use alicloud_local::{AddressMode, Cloud, Note};
use kiln_core::event::{EventKind, Events};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::help::documented;
use super::{Command, Invocation};
use crate::failure::{DONE, Failure, Outcome};
use crate::flags::{Flag, Kind};
use crate::local::{self, Wish};
use crate::stage::{Look, Stage};

documented! {
    /// Serves the embedded cloud to other programs until it is interrupted: its API over HTTP, its instances over
    /// SSH. Prints where it listens and the credentials of its account.
    ///
    /// An account of its own is made up, unless ALICLOUD_ACCESS_KEY and ALICLOUD_SECRET_KEY or the file given
    /// with -with say whose it is.
    const HELP;
}

const FLAGS: &[Flag] = &[
    Flag {
        name: "listen",
        kind: Kind::Text("ADDRESS:PORT"),
        help: "Where the API listens; port 0 takes a free one. (Default: 127.0.0.1:0)",
    },
    Flag {
        name: "speed",
        kind: Kind::Factor("F"),
        help: "How many times faster its states pass than in the real one. (Default: 1)",
    },
    Flag {
        name: "state",
        kind: Kind::Text("DIR"),
        help: "Keeps everything in this folder, for the next time.",
    },
    Flag {
        name: "with",
        kind: Kind::Text("FILE"),
        help: "A JSON file that says what the account owns from the beginning.",
    },
    Flag {
        name: "loopback-ssh-port",
        kind: Kind::Number("N"),
        help: "Where instances listen on their loopback addresses. (Default: 22 if this process may, else 2222)",
    },
    Flag {
        name: "ignore-unknown-parameters",
        kind: Kind::Bool(false),
        help: "Passes over parameters that an action does not have, as the real one does, and does not refuse them.",
    },
];

/// The row of the table.
pub const COMMAND: Command = Command {
    name: "cloud serve",
    synopsis: "serves the embedded cloud to other programs",
    usage: "[options]",
    help: HELP,
    flags: &[FLAGS],
    run,
};

fn run(cx: &Invocation) -> Outcome {
    if !cx.flags.arguments.is_empty() {
        return Err(cx.usage());
    }
    let wish = Wish {
        speed: Some(cx.flags.factor("speed").unwrap_or(1.0)),
        state: cx.flags.text("state").map(PathBuf::from),
        with: cx.flags.text("with").map(PathBuf::from),
    };
    let mut options = wish.options(&cx.environment)?;
    if let Some(listen) = cx.flags.text("listen") {
        options.listen = listen.parse::<SocketAddr>().map_err(|_| {
            Failure::told(format!(
                "-listen is `{listen}`; an address with a port is wanted, such as 127.0.0.1:8080"
            ))
        })?;
    }
    options.addresses = AddressMode::Loopback { port: ssh_port(cx)? };
    options.ignore_unknown_parameters = cx.flags.is_on("ignore-unknown-parameters", false);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::told(format!("start the runtime: {error}")))?;
    runtime.block_on(serve(cx, options))
}

/// The usual port takes root, and an SSH server that listens on all addresses has it already.
fn ssh_port(cx: &Invocation) -> Result<u16, Failure> {
    let Some(port) = cx.flags.number("loopback-ssh-port") else {
        let usual = std::net::TcpListener::bind((Ipv4Addr::new(127, 80, 255, 254), USUAL_SSH_PORT));
        return Ok(if usual.is_ok() { USUAL_SSH_PORT } else { OTHER_SSH_PORT });
    };
    let port = u16::try_from(port).ok().filter(|port| *port > 0);
    port.ok_or_else(|| {
        let given = cx.flags.text("loopback-ssh-port").unwrap_or_default();
        Failure::told(format!("-loopback-ssh-port is {given}; a port is wanted, from 1 to 65535"))
    })
}

const USUAL_SSH_PORT: u16 = 22;
const OTHER_SSH_PORT: u16 = 2222;

async fn serve(cx: &Invocation, options: alicloud_local::CloudOptions) -> Outcome {
    // Signals are listened to before there is anything to clean up.
    let look = Look { format: cx.ui.format, colours: false, timestamps: false, stopping: "Stopping" };
    let stage = Stage::open(look, &cx.environment, cx.ui.secrets.clone(), &cx.run)?;
    let addresses = options.addresses;
    let cloud = match Cloud::start(options).await {
        Ok(cloud) => cloud,
        Err(error) => return stage.close(Err(local::not_started(error))).await,
    };
    let notes = cloud.notes();
    let told = tell(cx, &cloud, addresses);
    if told.is_ok() {
        tokio::select! {
            () = stage.interrupt.stop.cancelled() => {}
            () = pass_on(notes, &stage.events) => {}
        }
    }
    cloud.shutdown().await;
    stage.close(told.map(|()| DONE)).await
}

/// Says what the cloud notes, as long as it lives: what it simulates, an instance that has no machine.
async fn pass_on(mut notes: Receiver<Note>, events: &Events) {
    loop {
        let text = match notes.recv().await {
            Ok(Note::Simulated(text) | Note::Failed(text)) => text,
            Err(RecvError::Lagged(missed)) => format!("{missed} things more"),
            Err(RecvError::Closed) => std::future::pending().await,
        };
        events.emit(EventKind::Hint { text }).await;
    }
}

/// Says where the cloud is, and whose.
fn tell(cx: &Invocation, cloud: &Cloud, addresses: AddressMode) -> Result<(), Failure> {
    let (key, secret) = cloud.credentials();
    let endpoint = cloud.endpoint();
    cx.ui.machine("cloud", &[&endpoint, &key, &secret])?;
    // Lines that a shell understands, to be copied into another one.
    for product in ["ECS", "VPC", "STS", "RAM"] {
        cx.ui.say(&format!("export ALICLOUD_{product}_ENDPOINT={endpoint}"))?;
    }
    cx.ui.say(&format!("export ALICLOUD_METADATA_ENDPOINT={}", cloud.metadata_endpoint()))?;
    cx.ui.say(&format!("export ALICLOUD_ACCESS_KEY={key}"))?;
    cx.ui.say(&format!("export ALICLOUD_SECRET_KEY={secret}"))?;
    if let AddressMode::Loopback { port } = addresses
        && port != USUAL_SSH_PORT
    {
        cx.ui.say(&format!("# instances listen on port {port}: templates need \"ssh_port\": {port}"))?;
    }
    cx.ui.say("Serving; interrupt to stop.")?;
    Ok(())
}
