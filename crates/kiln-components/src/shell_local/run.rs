//! Running scripts on this machine.

use std::path::{Path, PathBuf};

use kiln_core::error::{Context, Error, ErrorKind, Result};
use kiln_core::event::Events;
use kiln_core::interpolate::Interpolator;
use kiln_core::scope::Scope;
use tempfile::TempPath;
use tokio_util::sync::CancellationToken;

use super::config::ShellLocalConfig;
use super::process::{self, ProcessError};
use crate::paths::{absolute, go_reason};
use crate::script::{Scripts, render_inline};
use crate::{environment, exit_codes, local_script};

/// Who runs the scripts: the two differ in one point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// `execute_command` is the program and its arguments.
    Provisioner,
    /// The same, but a single element is a shell's command line.
    PostProcessor,
}

/// What is around a run.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    /// Where to say what happens.
    pub(crate) events: &'a Events,
    /// Set when the scripts should stop.
    pub(crate) cancel: &'a CancellationToken,
    /// The build, with its generated data known.
    pub(crate) scope: &'a Scope,
}

/// `shell-local`, ready to run.
pub(crate) struct ShellLocal {
    config: ShellLocalConfig,
    scripts: Scripts,
    caller: Caller,
}

impl ShellLocal {
    pub(crate) fn new(config: ShellLocalConfig, scripts: Scripts, caller: Caller) -> ShellLocal {
        ShellLocal { config, scripts, caller }
    }

    /// Runs the scripts one after the other, until one fails.
    pub(crate) async fn run(&self, around: Surroundings<'_>) -> Result<()> {
        if !self.config.runs_here() {
            around.events.say("Skipping shell-local due to runtime OS").await;
            return Ok(());
        }
        let (scripts, _temporary) = self.local_scripts(around.scope).await?;
        let variables = self.variables(around.scope)?;
        for script in &scripts {
            let command = self.command(around.scope, script, &variables)?;
            around.events.say(format!("Running local shell script: {script}")).await;
            let status = self.execute(around, &command, script).await?;
            exit_codes::check(status, &self.config.valid_exit_codes)?;
        }
        Ok(())
    }

    /// Returns the scripts' absolute paths, and what deletes the one made for this run.
    async fn local_scripts(&self, scope: &Scope) -> Result<(Vec<String>, Option<TempPath>)> {
        match &self.scripts {
            Scripts::Inline(lines) => {
                let text = render_inline(lines, Some(self.config.shebang()), scope)?;
                let extension = self.config.extension();
                let temporary =
                    local_script::write(&*scope.world, "packer-shell", &extension, text, 0o700).await?;
                Ok((vec![temporary.display().to_string()], Some(temporary)))
            }
            Scripts::Files(files) => {
                let path = |file: &String| self.script_path(&normal(&absolute(scope, file)));
                Ok((files.iter().map(path).collect(), None))
            }
        }
    }

    fn script_path(&self, path: &Path) -> String {
        let path = path.to_string_lossy().into_owned();
        match self.config.use_linux_pathing {
            true => linux_path(&path),
            false => path,
        }
    }

    fn variables(&self, scope: &Scope) -> Result<String> {
        let interpolator = Interpolator::new(scope);
        let render = |entry: &String| interpolator.render(entry);
        let entries: Vec<String> = self
            .config
            .environment_vars
            .iter()
            .map(render)
            .collect::<Result<_, _>>()
            .context("Error interpolating environment_vars")?;
        let variables = environment::variables(scope, &entries, &self.config.env);
        Ok(environment::flatten(&variables, self.config.env_var_format()))
    }

    /// Returns the program and its arguments.
    fn command(&self, scope: &Scope, script: &str, variables: &str) -> Result<Vec<String>> {
        let interpolator =
            Interpolator::new(scope).with("Vars", variables).with("Script", script).with("Command", script);
        let template: Vec<&str> = match (self.config.execute_command.as_slice(), self.caller) {
            ([], _) => vec!["/bin/sh", "-c", "{{.Vars}} {{.Script}}"],
            ([line], Caller::PostProcessor) => vec!["sh", "-c", line],
            (elements, Caller::Provisioner | Caller::PostProcessor) => {
                elements.iter().map(String::as_str).collect()
            }
        };
        let rendered = template.into_iter().map(|element| interpolator.render(element));
        rendered.collect::<Result<_, _>>().context("Error processing command")
    }

    /// Runs one script and returns its exit status.
    async fn execute(&self, around: Surroundings<'_>, command: &[String], script: &str) -> Result<i64> {
        let scope = around.scope;
        // Packer tells its components which run they belong to, and scripts have come to read it.
        let extra = [("PACKER_RUN_UUID".to_owned(), scope.run_uuid.clone())];
        let running = process::Program { command, folder: &scope.world.working_dir(), extra: &extra };
        let failed = || {
            Error::new(format!(
                "Error executing script: {script}\n\nPlease see output above for more information."
            ))
        };
        match process::run(running, around.events, around.cancel).await {
            Ok(status) => Ok(status),
            Err(ProcessError::Start { program, source }) => {
                around.events.error(format!("start `{program}`: {}", go_reason(&source))).await;
                Err(failed())
            }
            Err(ProcessError::Cancelled) => Err(failed().kind(ErrorKind::Cancelled)),
        }
    }
}

/// Returns the path without `.` and `..`, by its text alone, as Go's `filepath.Abs` does.
fn normal(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(normal.pop()),
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => normal.push(component),
        }
    }
    normal
}

/// `C:/x` and `C:\x` → `/mnt/c/x`.
fn linux_path(path: &str) -> String {
    let path = path.replace('\\', "/");
    match path.split_once(':') {
        Some((drive, rest)) if drive.len() == 1 => format!("/mnt/{}{rest}", drive.to_lowercase()),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_plain() {
        assert_eq!(normal(Path::new("/a/./b/../c.sh")), Path::new("/a/c.sh"));
        assert_eq!(linux_path("C:\\a\\b.sh"), "/mnt/c/a/b.sh");
        assert_eq!(linux_path("/a/b.sh"), "/a/b.sh");
    }
}
