//! What `shell` may be told, and what is wrong with it.

use std::collections::BTreeMap;
use std::time::Duration;

use kiln_core::diagnostic::Fault;
use kiln_core::duration::GoDuration;
use kiln_core::scope::Scope;
use kiln_core::value::Value;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::environment;
use crate::paths::{self, given};
use crate::script::Scripts;

/// The settings of provisioner `shell`.
#[derive(Deserialize, JsonSchema)]
pub struct ShellConfig {
    /// Commands, run in this order as one script. Exactly one of `inline`, `script` and `scripts` must be given.
    #[serde(default)]
    #[schemars(extend("x-packer-name" = "Inline"))]
    pub inline: Vec<String>,
    /// Path of a script on this machine.
    #[schemars(extend("x-packer-name" = "Script"))]
    pub script: Option<String>,
    /// Paths of scripts on this machine, run in this order.
    #[serde(default)]
    #[schemars(extend("x-packer-name" = "Scripts"))]
    pub scripts: Vec<String>,
    /// Exit statuses that count as success.
    #[serde(default)]
    #[schemars(extend("x-default" = "[0]"))]
    pub valid_exit_codes: Vec<i64>,
    /// Variables for the scripts, each as `NAME=value`.
    #[serde(default)]
    pub environment_vars: Vec<String>,
    /// Variables for the scripts, by name. They replace those of `environment_vars`.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// How one variable is written: Go's verbs for its name and its value; the default ends with a space. With
    /// `use_env_var_file` the default is `export %s='%s'` and a line end.
    #[schemars(extend("x-default" = "%s='%s' "))]
    pub env_var_format: Option<String>,
    /// Put the variables into a file on the machine instead of the command line, where every user of the machine
    /// can read them.
    #[serde(default)]
    pub use_env_var_file: bool,
    /// Upload the scripts byte for byte. Otherwise CRLF line ends become LF.
    #[serde(default)]
    #[schemars(extend("x-packer-name" = "Binary"))]
    pub binary: bool,
    /// Folder on the machine for the scripts.
    #[schemars(extend("x-default" = "/tmp"))]
    pub remote_folder: Option<String>,
    /// Name of the script on the machine; by default `script_NNNN.sh` with a random number.
    pub remote_file: Option<String>,
    /// Path of the script on the machine; by default `remote_file` in `remote_folder`.
    pub remote_path: Option<String>,
    /// The command that runs a script: `{{.Path}}` is its path on the machine, `{{.Vars}}` the variables,
    /// `{{.EnvVarFile}}` the file of `use_env_var_file` (with which the default is
    /// `chmod +x {{.Path}}; . {{.EnvVarFile}} && {{.Path}}`).
    #[schemars(extend("x-late" = true, "x-default" = "chmod +x {{.Path}}; {{.Vars}} {{.Path}}"))]
    pub execute_command: Option<String>,
    /// What stands behind `#!` in the script made of `inline`. If it is not given and the first command begins with
    /// `#!`, that line is used.
    #[schemars(extend("x-default" = "/bin/sh -e"))]
    pub inline_shebang: Option<String>,
    /// How long starting a script is tried again, such as while the machine restarts.
    #[schemars(extend("x-default" = "5m"))]
    pub start_retry_timeout: Option<GoDuration>,
    /// Whether losing the connection while a script runs (a restart) is expected.
    #[serde(default)]
    pub expect_disconnect: bool,
    /// Leave the scripts on the machine.
    #[serde(default)]
    pub skip_clean: bool,
    /// Wait so long after the last script.
    #[serde(default)]
    #[schemars(extend("x-default" = "0s"))]
    pub pause_after: GoDuration,
}

impl ShellConfig {
    /// Returns the scripts to run, or everything that is wrong.
    pub(crate) fn check(&self, settings: &Value, scope: &Scope) -> Result<Scripts, Vec<Fault>> {
        let mut faults = Vec::new();
        let at = |field| paths::span(settings, field);
        let script = given(&self.script);
        if script.is_some() && !self.scripts.is_empty() {
            faults.push(Fault::new("Only one of script or scripts can be specified.").at(at("script")));
        }
        let (field, files) = match script {
            Some(script) => ("script", vec![script.to_owned()]),
            None => ("scripts", self.scripts.clone()),
        };
        if files.is_empty() && self.inline.is_empty() {
            let hint = "give the commands themselves in `inline`, or the path of a file in `script`";
            let fault = Fault::new("Either a script file or inline script must be specified.");
            faults.push(fault.at(settings.span.clone()).hint(hint));
        } else if !files.is_empty() && !self.inline.is_empty() {
            let message = "Only a script file or an inline script can be specified, not both.";
            faults.push(Fault::new(message).at(at("inline")));
        }
        faults.extend(files.iter().filter_map(|file| paths::missing("script", file, settings, field, scope)));
        faults.extend(environment::faults(&self.environment_vars, settings));
        match (faults.is_empty(), files.is_empty()) {
            (false, _) => Err(faults),
            (true, true) => Ok(Scripts::Inline(self.inline.clone())),
            (true, false) => Ok(Scripts::Files(files)),
        }
    }

    /// Returns the template of the command that runs a script.
    pub(crate) fn execute_command(&self) -> &str {
        given(&self.execute_command).unwrap_or(match self.use_env_var_file {
            true => "chmod +x {{.Path}}; . {{.EnvVarFile}} && {{.Path}}",
            false => "chmod +x {{.Path}}; {{.Vars}} {{.Path}}",
        })
    }

    /// Returns how one variable is written.
    pub(crate) fn env_var_format(&self) -> &str {
        given(&self.env_var_format).unwrap_or(match self.use_env_var_file {
            true => "export %s='%s'\n",
            false => "%s='%s' ",
        })
    }

    /// Returns the folder for scripts on the machine.
    pub(crate) fn remote_folder(&self) -> &str {
        given(&self.remote_folder).unwrap_or("/tmp")
    }

    /// Returns how long starting a script is tried again.
    pub(crate) fn start_retry_timeout(&self) -> Duration {
        self.start_retry_timeout
            .filter(|limit| !limit.0.is_zero())
            .map_or(Duration::from_secs(300), |limit| limit.0)
    }

    /// Returns what stands before the commands of `inline`, if anything does.
    pub(crate) fn inline_header(&self, lines: &[String]) -> Option<&str> {
        match given(&self.inline_shebang) {
            Some(shebang) => Some(shebang),
            None if lines.first().is_some_and(|line| line.starts_with("#!")) => None,
            None => Some("/bin/sh -e"),
        }
    }
}
