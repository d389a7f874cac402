//! `alicloud-local`: the embedded cloud on its own, for any client.
//!
//! It prints its endpoint and credentials as `NAME=value` lines and serves until SIGINT or SIGTERM.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use alicloud_local::{AddressMode, Cloud, CloudOptions, HelperProgram, Inventory, actions, helper_main};
use tokio::signal::unix::{SignalKind, signal};

/// The word by which this program knows that it is started as the helper of an instance.
const HELPER: &str = "__instance";

const HELP: &str = "\
alicloud-local: an embedded Alibaba Cloud

  --listen ADDRESS       where the API listens (127.0.0.1:0)
  --speed FACTOR         how many times as fast states pass as in the real cloud (1)
  --state-dir FOLDER     keep everything here
  --with FILE            what the account owns already (JSON)
  --loopback-ssh PORT    instances listen on loopback addresses of their own, on this port
  --seed NUMBER          make ids and credentials from this number
  --ignore-unknown-parameters
                         pass over parameters that an action does not have, as the real API does
  --allow-no-sandbox     serve the API even where instances cannot have a machine
  --actions              list the actions served, and end
";

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    if args.first().is_some_and(|first| first == HELPER) {
        return ExitCode::from(u8::try_from(helper_main(&args[1..])).unwrap_or(1));
    }
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    if args.iter().any(|arg| arg == "--actions") {
        actions().for_each(|(product, action)| println!("{product} {action}"));
        return ExitCode::SUCCESS;
    }
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("alicloud-local: {error}");
            let mut cause = error.source();
            while let Some(source) = cause {
                eprintln!("  because: {source}");
                cause = source.source();
            }
            ExitCode::FAILURE
        }
    }
}

type AnyError = Box<dyn std::error::Error>;

fn run(args: &[OsString]) -> Result<(), AnyError> {
    let helper = HelperProgram { path: std::env::current_exe()?, args: vec![HELPER.into()] };
    let options = options(args, helper)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(options))
}

fn options(args: &[OsString], helper: HelperProgram) -> Result<CloudOptions, AnyError> {
    let mut options = CloudOptions::new(helper);
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let name = arg.to_string_lossy().into_owned();
        let switch = match name.as_str() {
            "--allow-no-sandbox" => Some(&mut options.allow_no_sandbox),
            "--ignore-unknown-parameters" => Some(&mut options.ignore_unknown_parameters),
            _ => None,
        };
        if let Some(switch) = switch {
            *switch = true;
            continue;
        }
        let value =
            rest.next().ok_or_else(|| format!("`{name}` is not a flag, or lacks its value; see --help"))?;
        let text = value.to_string_lossy();
        match name.as_str() {
            "--listen" => options.listen = text.parse::<SocketAddr>()?,
            "--speed" => options.speed = text.parse()?,
            "--state-dir" => options.state_dir = Some(PathBuf::from(value)),
            "--with" => {
                let read = std::fs::read_to_string(value);
                let read = read.map_err(|error| format!("read the inventory `{text}`: {error}"))?;
                options.inventory = Some(Inventory::from_json(&read)?);
            }
            "--loopback-ssh" => options.addresses = AddressMode::Loopback { port: text.parse()? },
            "--seed" => options.seed = text.parse()?,
            _ => return Err(format!("`{name}` is no flag; see --help").into()),
        }
    }
    Ok(options)
}

async fn serve(options: CloudOptions) -> Result<(), AnyError> {
    let (mut interrupted, mut terminated) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let cloud = Cloud::start(options).await?;
    let (id, secret) = cloud.credentials();
    println!("ALICLOUD_ECS_ENDPOINT={}", cloud.endpoint());
    println!("ALICLOUD_VPC_ENDPOINT={}", cloud.endpoint());
    println!("ALICLOUD_ACCESS_KEY={id}");
    println!("ALICLOUD_SECRET_KEY={secret}");
    println!("ALICLOUD_METADATA_ENDPOINT={}", cloud.metadata_endpoint());
    let mut notes = cloud.notes();
    loop {
        tokio::select! {
            _ = interrupted.recv() => break,
            _ = terminated.recv() => break,
            Ok(note) = notes.recv() => eprintln!("{note}"),
        }
    }
    cloud.shutdown().await;
    Ok(())
}
