//! The log for whoever mends Kiln: `PACKER_LOG=1` to standard error, `PACKER_LOG_PATH` to a file. Not an interface.

use std::fs::File;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use kiln_core::secret::SecretFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::env_vars::{Environment, PACKER_LOG, PACKER_LOG_PATH};

/// What is worth reading; libraries below warnings only.
const LEVELS: &str = "warn,kiln=debug,kiln_core=debug,kiln_template=debug,kiln_engine=debug,kiln_remote=debug,\
                      kiln_components=debug,kiln_alicloud=debug,alicloud_api=debug,alicloud_local=debug";

/// Starts the log if the environment asks for one. Secrets registered later are masked too.
pub fn start(environment: &Environment, secrets: &SecretFilter) -> io::Result<()> {
    let sink = match (environment.filled(PACKER_LOG_PATH), environment.filled(PACKER_LOG)) {
        (Some(path), _) => Sink::File(Arc::new(Mutex::new(File::create(&path)?))),
        (None, Some(wish)) if wish != "0" => Sink::Stderr,
        (None, _) => return Ok(()),
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(LEVELS))
        .with_ansi(false)
        .with_timer(GoTime)
        .with_writer(Masked { sink, secrets: secrets.clone() });
    // Started twice only in tests, where the first stays.
    let _ = log.try_init();
    Ok(())
}

#[derive(Clone)]
enum Sink {
    Stderr,
    File(Arc<Mutex<File>>),
}

#[derive(Clone)]
struct Masked {
    sink: Sink,
    secrets: SecretFilter,
}

impl<'a> MakeWriter<'a> for Masked {
    type Writer = Masked;

    fn make_writer(&'a self) -> Masked {
        self.clone()
    }
}

/// The subscriber writes one whole event at a time, so that no secret is ever cut in two.
impl Write for Masked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let text = self.secrets.apply(&text);
        match &self.sink {
            Sink::Stderr => io::stderr().write_all(text.as_bytes())?,
            Sink::File(file) => {
                file.lock().unwrap_or_else(PoisonError::into_inner).write_all(text.as_bytes())?
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `2026/11/20 23:25:58`, local time.
struct GoTime;

impl FormatTime for GoTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        write!(writer, "{}", jiff::Zoned::now().strftime("%Y/%m/%d %H:%M:%S"))
    }
}
