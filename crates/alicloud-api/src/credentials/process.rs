//! Credentials from a program: what a profile of mode `External` names.

use std::{process::Stdio, time::Duration};

use async_trait::async_trait;
use tokio::{io::AsyncReadExt, process::Command};

use super::{Credentials, CredentialsProvider, Ground, Mode, Profile, ProfileFile};
use crate::{Error, ErrorKind, RegionId, Result};

/// Credentials that a program prints: one JSON object in the form of a profile (`mode`, `access_key_id`, …; `AK` if it
/// names no mode), on its standard output, within a minute.
///
/// The command is split at white space and started as it is: there is no shell, no quoting and nothing to expand. Its
/// standard error is not read: nobody can say what a failing program puts there.
///
/// Every call starts the program; wrap it in [`Renewing`](super::Renewing).
#[derive(Debug)]
pub struct Process {
    words: Vec<String>,
    ground: Ground,
    region: RegionId,
}

const TIME_MAX: Duration = Duration::from_secs(45);
const OUTPUT_BYTES_MAX: u64 = 64 << 10;

impl Process {
    /// Returns the provider of a command. Who calls this has made sure that the command is the user's own
    /// ([`Files::distrusted`](super::Files::distrusted)). `ground` and `region` serve what it prints.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] when it has no word.
    pub fn new(command: &str, ground: &Ground, region: RegionId) -> Result<Process> {
        let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        if words.is_empty() {
            return Err(Error::new(ErrorKind::Config, "`process_command` is empty"));
        }
        Ok(Process { words, ground: ground.clone(), region })
    }

    async fn output(&self) -> Result<Vec<u8>> {
        let program = &self.words[0];
        let wrong = |why: String| Error::new(ErrorKind::Credentials, format!("`{program}` {why}"));
        let mut child = Command::new(program)
            .args(&self.words[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| wrong(format!("cannot be started: {error}")))?;
        let Some(stdout) = child.stdout.take() else {
            return Err(wrong("has no output".to_owned()));
        };
        let mut output = Vec::new();
        let whole = async {
            stdout.take(OUTPUT_BYTES_MAX + 1).read_to_end(&mut output).await?;
            if output.len() as u64 > OUTPUT_BYTES_MAX {
                return Ok(None);
            }
            child.wait().await.map(Some)
        };
        let ended = tokio::time::timeout(TIME_MAX, whole).await;
        match ended {
            Err(_) => Err(wrong(format!("was not done after {} s and was ended", TIME_MAX.as_secs()))),
            Ok(Err(error)) => Err(wrong(format!("cannot be heard: {error}"))),
            Ok(Ok(None)) => Err(wrong(format!("printed more than {} KiB", OUTPUT_BYTES_MAX >> 10))),
            Ok(Ok(Some(status))) if !status.success() => {
                Err(wrong(format!("failed ({status}); run it yourself to see why")))
            }
            Ok(Ok(Some(_))) => Ok(output),
        }
    }
}

#[async_trait]
impl CredentialsProvider for Process {
    async fn credentials(&self) -> Result<Credentials> {
        let output = self.output().await?;
        let about = |error: Error| error.in_context(&format!("the output of `{}`", self.words[0]));
        let text = String::from_utf8(output)
            .map_err(|_| about(Error::new(ErrorKind::Credentials, "it is not UTF-8 text")))?;
        let profile = Profile::printed(&text).map_err(about)?;
        if profile.mode == Mode::External {
            return Err(about(Error::new(ErrorKind::Credentials, "it names a further program")));
        }
        let file = ProfileFile::empty();
        let provider = self.ground.of_profile(&file, &profile, &self.region).map_err(about)?;
        let credentials = provider.credentials().await.map_err(about)?;
        Ok(match profile.expires {
            Some(expires) if credentials.expires.is_none() => credentials.until(expires),
            _ => credentials,
        })
    }
}
