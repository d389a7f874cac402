//! What evaluation is asked, and what it returns.

use std::path::PathBuf;

use kiln_core::diagnostic::{Diagnostics, Fault};
use kiln_core::plan::Plan;

use crate::failure::LoadError;
use crate::selection::Selection;

/// What evaluation is asked.
#[derive(Debug, Clone, Default)]
pub struct PlanOptions {
    /// `-var NAME=VALUE`, in the order given.
    pub vars: Vec<(String, String)>,
    /// `-var-file`, in the order given.
    pub var_files: Vec<PathBuf>,
    /// Which builds.
    pub selection: Selection,
    /// The version templates see (`packer_version`) and `min_packer_version` is compared with.
    pub core_version: String,
}

/// A template's meaning.
#[derive(Clone)]
pub struct Planned {
    /// What to run. No builds: the selection matched none, or all are faulty.
    pub plan: Plan,
    /// Why builds were left out of the plan. The others may run, as in Packer, but the program ends as failed.
    pub faulty: Diagnostics,
    /// What Packer passes over in silence and a person may want to know. Never a reason to stop.
    pub notes: Vec<Fault>,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq)]
pub enum PlanError {
    /// A variables file cannot be read.
    Unread(LoadError),
    /// The template is wrong.
    Faulty(Diagnostics),
}

impl From<LoadError> for PlanError {
    fn from(error: LoadError) -> PlanError {
        PlanError::Unread(error)
    }
}
