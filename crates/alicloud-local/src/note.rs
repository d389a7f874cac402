//! What a cloud has to say about itself, besides its answers.

use std::fmt;

/// A sentence for whoever runs the cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// Something is not what it is in the real cloud, and works all the same.
    Simulated(String),
    /// Something did not work, and whoever waits for it waits in vain: an instance that has no machine, say.
    Failed(String),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Simulated(text) => write!(f, "simulated: {text}"),
            Note::Failed(text) => f.write_str(text),
        }
    }
}
