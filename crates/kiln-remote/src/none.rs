//! No way to the machine at all: commands "succeed" without being run, file transfer fails. Exactly as Packer has it.

use std::path::Path;

use async_trait::async_trait;
use kiln_core::communicator::{Command, Communicator, Exit, FileInfo, Running};
use kiln_core::{Error, Result};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};

/// The communicator `none`.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoneCommunicator;

fn refused(operation: &str) -> Error {
    Error::new(format!("{operation} is not implemented when communicator = 'none'"))
}

#[async_trait]
impl Communicator for NoneCommunicator {
    async fn start(&self, _: Command) -> Result<Running> {
        let (_, output) = mpsc::channel(1);
        let (done, exit) = oneshot::channel();
        let _ = done.send(Exit::Code(0));
        Ok(Running { output, exit })
    }

    async fn upload(
        &self,
        _: &str,
        _: &mut (dyn AsyncRead + Send + Unpin),
        _: Option<FileInfo>,
    ) -> Result<()> {
        Err(refused("Upload"))
    }

    async fn upload_dir(&self, _: &str, _: &Path, _: bool) -> Result<()> {
        Err(refused("UploadDir"))
    }

    async fn download(&self, _: &str, _: &mut (dyn AsyncWrite + Send + Unpin)) -> Result<()> {
        Err(refused("Download"))
    }

    async fn download_dir(&self, _: &str, _: &Path) -> Result<()> {
        Err(refused("DownloadDir"))
    }
}
