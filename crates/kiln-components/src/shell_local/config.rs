//! What `shell-local` may be told, and what is wrong with it.

use std::collections::BTreeMap;

use kiln_core::decode;
use kiln_core::diagnostic::Fault;
use kiln_core::scope::Scope;
use kiln_core::value::Value;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::environment;
use crate::paths::{self, given};
use crate::script::Scripts;

/// Names of operating systems in `only_on`.
const SYSTEMS: [&str; 6] = ["darwin", "freebsd", "linux", "openbsd", "solaris", "windows"];

/// The settings of provisioner and post-processor `shell-local`.
#[derive(Deserialize, JsonSchema)]
pub struct ShellLocalConfig {
    /// One command. Deprecated: use `inline`.
    #[schemars(extend("x-packer-name" = "Command"))]
    pub command: Option<String>,
    /// Commands, run in this order as one script. Exactly one of `command`, `inline`, `script` and `scripts` must
    /// be given.
    #[serde(default)]
    #[schemars(extend("x-packer-name" = "Inline"))]
    pub inline: Vec<String>,
    /// Path of a script.
    #[schemars(extend("x-packer-name" = "Script"))]
    pub script: Option<String>,
    /// Paths of scripts, run in this order.
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
    /// How one variable is written: Go's verbs for its name and its value; the default ends with a space.
    #[schemars(extend("x-default" = "%s='%s' "))]
    pub env_var_format: Option<String>,
    /// The program that runs a script, and its arguments: `{{.Script}}` is the script's path, `{{.Vars}}` the
    /// variables.
    #[serde(default)]
    #[schemars(extend("x-late" = true, "x-default" = "[\"/bin/sh\", \"-c\", \"{{.Vars}} {{.Script}}\"]"))]
    pub execute_command: Vec<String>,
    /// What stands behind `#!` in the script made of `inline`.
    #[schemars(extend("x-default" = "/bin/sh -e"))]
    pub inline_shebang: Option<String>,
    /// Run only where this machine's system is one of `darwin`, `freebsd`, `linux`, `openbsd`, `solaris`, `windows`.
    #[serde(default)]
    pub only_on: Vec<String>,
    /// How the name of the script made of `inline` ends, with or without the dot.
    pub tempfile_extension: Option<String>,
    /// Give scripts their paths inside the Windows Subsystem for Linux: `C:/x` becomes `/mnt/c/x`.
    #[serde(default)]
    pub use_linux_pathing: bool,
}

impl ShellLocalConfig {
    /// Decodes `settings`. The first fault carries Packer's text for all of them, which has words of its own here.
    pub(crate) fn decode(settings: &Value, scope: &Scope) -> Result<ShellLocalConfig, Vec<Fault>> {
        decode::decode(settings, scope).map_err(|mut faults: Vec<Fault>| {
            let text = decode::detail(&faults);
            if let Some(first) = faults.first_mut() {
                first.message = format!("Error decoding config: {text}");
            }
            faults
        })
    }

    /// Returns the scripts to run, or everything that is wrong.
    pub(crate) fn check(&self, settings: &Value, scope: &Scope) -> Result<Scripts, Vec<Fault>> {
        let mut faults = Vec::new();
        let at = |field| paths::span(settings, field);
        let (command, script) = (given(&self.command), given(&self.script));
        let choices = [
            ("command", command.is_some()),
            ("inline", !self.inline.is_empty()),
            ("script", script.is_some()),
            ("scripts", !self.scripts.is_empty()),
        ];
        let chosen: Vec<&str> = choices.iter().filter(|(_, given)| *given).map(|(field, _)| *field).collect();
        match chosen.as_slice() {
            [] => {
                let message = "Command, Inline, Script and Scripts options cannot all be empty.";
                let fault = Fault::new(message).at(settings.span.clone());
                faults.push(fault.hint("give the commands themselves in `inline`"));
            }
            [_] => {}
            [.., last] => {
                let message = "You may only specify one of the following options: Command, Inline, Script or \
                               Scripts. Please consolidate these options in your config.";
                faults.push(Fault::new(message).at(at(last)));
            }
        }
        let (field, files) = match script {
            Some(script) => ("script", vec![script.to_owned()]),
            None => ("scripts", self.scripts.clone()),
        };
        faults.extend(files.iter().filter_map(|file| paths::missing("script", file, settings, field, scope)));
        faults.extend(environment::faults(&self.environment_vars, settings));
        for name in self.only_on.iter().filter(|name| !SYSTEMS.contains(&name.as_str())) {
            let known = SYSTEMS.join(", ");
            let message = format!("Invalid OS specified in only_on: '{name}'\nSupported OS names: {known}");
            faults.push(Fault::new(message).at(at("only_on")));
        }
        if self.use_linux_pathing && files.is_empty() {
            let message = "`use_linux_pathing` works with script and scripts, not with command or inline";
            faults.push(Fault::new(message).at(at("use_linux_pathing")));
        }
        match (faults.is_empty(), command, files.is_empty()) {
            (false, ..) => Err(faults),
            (true, Some(command), _) => Ok(Scripts::Inline(vec![command.to_owned()])),
            (true, None, true) => Ok(Scripts::Inline(self.inline.clone())),
            (true, None, false) => Ok(Scripts::Files(files)),
        }
    }

    /// Returns whether the scripts should run on this machine's system.
    pub(crate) fn runs_here(&self) -> bool {
        let here = match std::env::consts::OS {
            "macos" => "darwin",
            system => system,
        };
        self.only_on.is_empty() || self.only_on.iter().any(|system| system == here)
    }

    /// Returns the end of a temporary script's name, with its dot.
    pub(crate) fn extension(&self) -> String {
        match given(&self.tempfile_extension) {
            Some(extension) if extension.starts_with('.') => extension.to_owned(),
            Some(extension) => format!(".{extension}"),
            None => String::new(),
        }
    }

    /// Returns what a variable looks like.
    pub(crate) fn env_var_format(&self) -> &str {
        given(&self.env_var_format).unwrap_or("%s='%s' ")
    }

    /// Returns what stands behind `#!`.
    pub(crate) fn shebang(&self) -> &str {
        given(&self.inline_shebang).unwrap_or("/bin/sh -e")
    }
}
