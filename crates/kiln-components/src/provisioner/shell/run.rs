//! Running scripts on the machine: upload, run, look at the exit status, remove.
//!
//! The command lines are an interface: they stand in people's sudo rules and audit logs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use kiln_core::communicator::{Exit, FileInfo};
use kiln_core::component::{ProvisionContext, Provisioner};
use kiln_core::duration::format_go;
use kiln_core::error::{Context, Error, ErrorKind, Result};
use kiln_core::interpolate::Interpolator;
use kiln_core::scope::Scope;
use tempfile::TempPath;

use super::config::ShellConfig;
use crate::paths::{absolute, given};
use crate::remote::{cancellable, run, run_quietly};
use crate::retry;
use crate::script::{Scripts, render_inline};
use crate::{environment, exit_codes, local_script};

/// How many different names a random script number can give.
const NUMBERS: u16 = 9999;

const DISCONNECTED: &str = r#"Script disconnected unexpectedly. If you expected your script to disconnect, i.e. from a restart, you can try adding `"expect_disconnect": true` or `"valid_exit_codes": [0, 2300218]` to the shell provisioner parameters."#;

/// The provisioner, ready to run.
pub(super) struct Shell {
    config: ShellConfig,
    scripts: Scripts,
}

/// A script on this machine.
struct LocalScript {
    /// As it is announced.
    shown: String,
    /// Where it is.
    path: PathBuf,
    /// Deletes it, if it was made for this run.
    _temporary: Option<TempPath>,
}

impl Shell {
    pub(super) fn new(config: ShellConfig, scripts: Scripts) -> Shell {
        Shell { config, scripts }
    }

    async fn local_scripts(&self, scope: &Scope) -> Result<Vec<LocalScript>> {
        match &self.scripts {
            Scripts::Inline(lines) => {
                let text = render_inline(lines, self.config.inline_header(lines), scope)?;
                let temporary = local_script::write(&*scope.world, "packer-shell", "", text, 0o600).await?;
                let path = temporary.to_path_buf();
                Ok(vec![LocalScript { shown: path.display().to_string(), path, _temporary: Some(temporary) }])
            }
            Scripts::Files(files) => {
                let script = |file: &String| LocalScript {
                    shown: file.clone(),
                    path: absolute(scope, file),
                    _temporary: None,
                };
                Ok(files.iter().map(script).collect())
            }
        }
    }

    /// Returns where the scripts go on the machine: one path for all, used in turn.
    fn remote_path(&self, scope: &Scope) -> String {
        let file = || match given(&self.config.remote_file) {
            Some(file) => file.to_owned(),
            None => format!("script_{}.sh", random_number(scope)),
        };
        match given(&self.config.remote_path) {
            Some(path) => path.to_owned(),
            None => format!("{}/{}", self.config.remote_folder(), file()),
        }
    }

    fn variables(&self, scope: &Scope) -> String {
        let variables: BTreeMap<_, _> =
            environment::variables(scope, &self.config.environment_vars, &self.config.env);
        environment::flatten(&variables, self.config.env_var_format())
    }

    /// Uploads the variables as a file only its owner can read; returns its path.
    async fn upload_env_file(&self, cx: &ProvisionContext, variables: &str) -> Result<String> {
        let path = format!("{}/varfile_{}.sh", self.config.remote_folder(), random_number(&cx.scope));
        let bytes = match self.config.binary {
            true => variables.to_owned(),
            false => variables.replace("\r\n", "\n"),
        };
        let limit = self.config.start_retry_timeout();
        let info = FileInfo { mode: 0o600, size: bytes.len() as u64 };
        retry::until(cx, "upload the variables", limit, || async {
            // Private from the first byte: the chmod below comes too late for whoever watches the folder.
            let mut source = bytes.as_bytes();
            let upload = cx.communicator.upload(&path, &mut source, Some(info));
            cancellable(cx, upload).await.context_kind("Error uploading envVarFile")?;
            let chmod = run_quietly(cx, &format!("chmod 0600 {path}")).await;
            chmod.context_kind("Error chmodding script file to 0600 in remote machine").map(drop)
        })
        .await?;
        Ok(path)
    }

    async fn run_script(
        &self,
        cx: &ProvisionContext,
        script: &LocalScript,
        remote: &str,
        command: &str,
    ) -> Result<()> {
        cx.events.say(format!("Provisioning with shell script: {}", script.shown)).await;
        let limit = self.config.start_retry_timeout();
        let attempt = || async {
            self.upload(cx, &script.path, remote).await?;
            let chmod = run_quietly(cx, &format!("chmod 0755 {remote}")).await;
            chmod.context_kind("Error chmodding script file to 0755 in remote machine")?;
            run(cx, command).await
        };
        let exit = retry::until(cx, "start the script", limit, attempt).await?;
        match exit {
            Exit::Disconnected if self.config.expect_disconnect => Ok(()),
            Exit::Disconnected if !self.config.valid_exit_codes.contains(&exit.status()) => {
                Err(Error::new(DISCONNECTED).kind(ErrorKind::Disconnected))
            }
            Exit::Code(_) | Exit::Signal(_) | Exit::Disconnected => {
                exit_codes::check(exit.status(), &self.config.valid_exit_codes)
            }
        }
    }

    /// Uploads a script without telling its mode: it arrives as 0644, whatever it is here.
    async fn upload(&self, cx: &ProvisionContext, script: &Path, remote: &str) -> Result<()> {
        let opening = || format!("Error opening shell script: {}", script.display());
        let upload = async {
            match self.config.binary {
                true => {
                    let mut file = tokio::fs::File::open(script).await.context(opening())?;
                    cx.communicator
                        .upload(remote, &mut file, None)
                        .await
                        .context_kind("Error uploading script")
                }
                false => {
                    let text = without_carriage_returns(tokio::fs::read(script).await.context(opening())?);
                    cx.communicator
                        .upload(remote, &mut &text[..], None)
                        .await
                        .context_kind("Error uploading script")
                }
            }
        };
        cancellable(cx, upload).await
    }

    async fn remove(&self, cx: &ProvisionContext, path: &str) -> Result<()> {
        let limit = self.config.start_retry_timeout();
        let line = format!("rm -f {path}");
        let attempt = || async {
            let exit = run_quietly(cx, &line).await;
            match exit.context_kind(format!("Error removing temporary script at {path}"))? {
                Exit::Code(0) => Ok(Ok(())),
                // `rm` has looked and said no: it would say so again.
                Exit::Code(1) => Ok(Err(Error::new(format!("Error removing temporary script at {path}!")))),
                Exit::Disconnected => {
                    Err(Error::new("Disconnect while removing temporary script.")
                        .kind(ErrorKind::Disconnected))
                }
                Exit::Code(_) | Exit::Signal(_) => {
                    Err(Error::new(format!("Error removing temporary script at {path}!")))
                }
            }
        };
        retry::until(cx, "remove the script", limit, attempt).await?
    }
}

#[async_trait]
impl Provisioner for Shell {
    async fn provision(&self, cx: &ProvisionContext) -> Result<()> {
        let scripts = self.local_scripts(&cx.scope).await?;
        let variables = self.variables(&cx.scope);
        let env_file = match self.config.use_env_var_file {
            true => self.upload_env_file(cx, &variables).await?,
            false => String::new(),
        };
        let remote = self.remote_path(&cx.scope);
        let interpolator = Interpolator::new(&cx.scope)
            .with("Vars", &variables)
            .with("EnvVarFile", &env_file)
            .with("Path", &remote);
        for script in &scripts {
            let command = interpolator.render(self.config.execute_command());
            let command = command.context("Error processing command")?;
            self.run_script(cx, script, &remote, &command).await?;
            if !self.config.skip_clean {
                self.remove(cx, &remote).await?;
            }
        }
        if !self.config.skip_clean {
            // Sent without a name too when there is no such file, as Packer does: `-f` makes that harmless.
            self.remove(cx, &env_file).await?;
        }
        self.pause(cx).await
    }
}

impl Shell {
    async fn pause(&self, cx: &ProvisionContext) -> Result<()> {
        let pause = self.config.pause_after.0;
        if pause.is_zero() {
            return Ok(());
        }
        cx.events.say(format!("Pausing {} after this provisioner...", format_go(pause))).await;
        let waiting = async {
            tokio::time::sleep(pause).await;
            Ok(())
        };
        cancellable(cx, waiting).await
    }
}

fn random_number(scope: &Scope) -> u16 {
    let [a, b, ..] = scope.world.random();
    u16::from_le_bytes([a, b]) % NUMBERS
}

fn without_carriage_returns(text: Vec<u8>) -> Vec<u8> {
    if !text.contains(&b'\r') {
        return text;
    }
    let followed_by_line_end = |at: usize| text.get(at + 1) == Some(&b'\n');
    let kept = text.iter().enumerate().filter(|(at, byte)| **byte != b'\r' || !followed_by_line_end(*at));
    kept.map(|(_, byte)| *byte).collect()
}

/// Adds what was being done and keeps the kind, on which trying again depends.
trait ContextKind<T> {
    fn context_kind(self, message: impl Into<String>) -> Result<T>;
}

impl<T> ContextKind<T> for Result<T> {
    fn context_kind(self, message: impl Into<String>) -> Result<T> {
        self.map_err(|error| {
            let (kind, hints) = (error.kind, error.hints.clone());
            let mut outer = Error::new(message).kind(kind).source(error);
            outer.hints = hints;
            outer
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_carriage_returns_of_line_ends_are_dropped() {
        assert_eq!(without_carriage_returns(b"a\r\nb\rc\r\n".to_vec()), b"a\nb\rc\n");
        assert_eq!(without_carriage_returns(b"a\nb".to_vec()), b"a\nb");
    }
}
