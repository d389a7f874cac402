//! A machine that writes down what is asked of it, and answers as told.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Mutex;

use async_trait::async_trait;
use kiln_core::communicator::{Command, Communicator, Exit, FileInfo, Running, Stream};
use kiln_core::error::{Error, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};

/// A recording machine. Commands succeed silently unless a reply says otherwise.
#[derive(Default)]
pub struct Machine {
    /// What was asked, in order.
    log: Mutex<Vec<String>>,
    replies: Mutex<Vec<Reply>>,
    upload_failures: Mutex<VecDeque<Error>>,
}

/// An answer to commands that contain a text.
pub struct Reply {
    pub to: &'static str,
    pub output: Vec<(Stream, &'static str)>,
    pub exit: Exit,
}

impl Machine {
    pub fn reply(self, to: &'static str, output: &[(Stream, &'static str)], exit: Exit) -> Machine {
        self.replies.lock().unwrap().push(Reply { to, output: output.to_vec(), exit });
        self
    }

    pub fn fail_upload(self, error: Error) -> Machine {
        self.upload_failures.lock().unwrap().push_back(error);
        self
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    fn note(&self, line: String) {
        self.log.lock().unwrap().push(line);
    }
}

#[async_trait]
impl Communicator for Machine {
    async fn start(&self, command: Command) -> Result<Running> {
        self.note(format!("run {}", command.line));
        let replies = self.replies.lock().unwrap();
        let reply = replies.iter().find(|reply| command.line.contains(reply.to));
        let (sender, output) = mpsc::channel(16);
        for (stream, text) in reply.map(|reply| reply.output.as_slice()).unwrap_or_default() {
            sender.try_send((*stream, text.as_bytes().to_vec())).unwrap();
        }
        let (done, exit) = oneshot::channel();
        let _ = done.send(reply.map_or(Exit::Code(0), |reply| reply.exit.clone()));
        Ok(Running { output, exit })
    }

    async fn upload(
        &self,
        path: &str,
        source: &mut (dyn AsyncRead + Send + Unpin),
        info: Option<FileInfo>,
    ) -> Result<()> {
        let failure = self.upload_failures.lock().unwrap().pop_front();
        let mut text = String::new();
        source.read_to_string(&mut text).await.unwrap();
        let info = info.map_or("-".to_owned(), |info| format!("{:04o} {}", info.mode, info.size));
        self.note(format!("upload {path} ({info}) {text:?}"));
        failure.map_or(Ok(()), Err)
    }

    async fn upload_dir(&self, destination: &str, source: &Path, contents_only: bool) -> Result<()> {
        let name = source.file_name().unwrap().to_string_lossy().into_owned();
        self.note(format!("upload folder {name} => {destination} (contents only: {contents_only})"));
        Ok(())
    }

    async fn download(&self, path: &str, sink: &mut (dyn AsyncWrite + Send + Unpin)) -> Result<()> {
        self.note(format!("download {path}"));
        sink.write_all(b"downloaded").await.unwrap();
        Ok(())
    }

    async fn download_dir(&self, source: &str, destination: &Path) -> Result<()> {
        let name = destination.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.note(format!("download folder {source} => {name}"));
        Ok(())
    }
}
