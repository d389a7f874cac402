//! What may befall a build, and which end of the build is then the right one.

use serde_json::{Value, json};

/// What befalls a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// A call is refused.
    Refused,
    /// A call has its effect, and is then answered with a refusal.
    RefusedAfter,
    /// A call is refused as one too many.
    Throttled,
    /// A call is answered with status 503.
    Unavailable,
    /// The connection is cut before a call has any effect.
    Reset,
    /// A call has its effect, and the connection is cut instead of answering.
    Lost,
    /// SIGINT.
    Interrupted,
    /// SIGKILL.
    Killed,
}

/// All of it.
pub const ALL: [Trouble; 8] = [
    Trouble::Refused,
    Trouble::RefusedAfter,
    Trouble::Throttled,
    Trouble::Unavailable,
    Trouble::Reset,
    Trouble::Lost,
    Trouble::Interrupted,
    Trouble::Killed,
];

/// Calls whose refusal fails no build, each for its reason.
const MAY_BE_REFUSED: [&str; 6] = [
    // Clean-up asks again until the cloud agrees.
    "Delete*",
    "Release*",
    "Unassociate*",
    "DetachKeyPair",
    // A sign of life that is not heard only lets the instance end sooner, should we die.
    "ModifyInstanceAutoReleaseTime",
    // Only tells more of what is known already.
    "GetInstanceConsoleOutput",
];

/// When it befalls the build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// At the nth call of an action.
    Call {
        /// Its name.
        action: String,
        /// From 1.
        nth: u64,
    },
    /// Once so many records are in the journal.
    Record(u64),
}

impl Trouble {
    /// Returns its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Trouble::Refused => "refused",
            Trouble::RefusedAfter => "refused after",
            Trouble::Throttled => "throttled",
            Trouble::Unavailable => "503",
            Trouble::Reset => "reset before",
            Trouble::Lost => "answer lost",
            Trouble::Interrupted => "SIGINT",
            Trouble::Killed => "kill -9",
        }
    }

    /// Whether it happens to the program, and not to a call.
    pub fn strikes_the_program(self) -> bool {
        matches!(self, Trouble::Interrupted | Trouble::Killed)
    }

    /// Returns the effect of the cloud's fault rule.
    pub(super) fn effect(self) -> Option<Value> {
        match self {
            Trouble::Refused => Some(json!({"do": "refuse", "code": REFUSAL})),
            Trouble::RefusedAfter => Some(json!({"do": "fail_after", "code": REFUSAL})),
            Trouble::Throttled => Some(json!({"do": "throttle"})),
            Trouble::Unavailable => Some(json!({"do": "unavailable"})),
            Trouble::Reset => Some(json!({"do": "drop_before"})),
            Trouble::Lost => Some(json!({"do": "drop_after"})),
            Trouble::Interrupted | Trouble::Killed => None,
        }
    }

    /// Returns the outcome that the cloud notes of a call that was made to fail so.
    pub(super) fn outcome(self) -> &'static str {
        match self {
            Trouble::Refused | Trouble::RefusedAfter => REFUSAL,
            Trouble::Throttled => "Throttling.User",
            Trouble::Unavailable => "ServiceUnavailable",
            Trouble::Reset | Trouble::Lost => "DROPPED",
            Trouble::Interrupted | Trouble::Killed => "",
        }
    }

    /// Whether the build has to finish all the same when this happens to a call of `action`.
    pub(super) fn passes(self, action: &str) -> bool {
        match self {
            Trouble::Refused | Trouble::RefusedAfter => {
                MAY_BE_REFUSED.iter().any(|pattern| match pattern.strip_suffix('*') {
                    Some(start) => action.starts_with(start),
                    None => action == *pattern,
                })
            }
            Trouble::Throttled | Trouble::Unavailable | Trouble::Reset | Trouble::Lost => true,
            Trouble::Interrupted | Trouble::Killed => false,
        }
    }

    /// Returns the variable by which the program does this to itself.
    pub(super) fn variable(self) -> Option<&'static str> {
        match self {
            Trouble::Interrupted => Some("KILN_INTERRUPT_AFTER_RECORDS"),
            Trouble::Killed => Some("KILN_CRASH_AFTER_RECORDS"),
            _ => None,
        }
    }
}

/// A refusal that no repetition mends.
const REFUSAL: &str = "OperationDenied";
