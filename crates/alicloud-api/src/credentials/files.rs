//! What providers ask of the outside: the environment and a few small files.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Reads the files that sources name. Called on a thread that may block; files are small, and the implementation bounds
/// what it reads.
pub trait Files: fmt::Debug + Send + Sync {
    /// Returns the text of a file.
    ///
    /// # Errors
    ///
    /// Those of the system; [`io::ErrorKind::NotFound`] where there is no such file.
    fn read(&self, path: &Path) -> io::Result<String>;

    /// Returns why programs that this file names must not be started; `None` if it is this user's own and nobody else
    /// may write it.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn distrusted(&self, path: &Path) -> io::Result<Option<String>>;
}

/// Tells the value of an environment variable.
pub type Lookup = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Environment and files, as the caller has them.
#[derive(Clone)]
pub struct Outside {
    env: Lookup,
    files: Arc<dyn Files>,
}

impl Outside {
    /// Returns an outside of an environment and files.
    pub fn new(env: Lookup, files: Arc<dyn Files>) -> Outside {
        Outside { env, files }
    }

    /// Returns a variable that is set and not empty.
    pub fn env(&self, name: &str) -> Option<String> {
        (self.env)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// Returns the files.
    pub(crate) fn files(&self) -> &Arc<dyn Files> {
        &self.files
    }

    /// Returns `path` with a leading `~` replaced by the home folder.
    pub fn expand(&self, path: &str) -> PathBuf {
        let rest = match path.strip_prefix('~') {
            Some("") => "",
            Some(rest) if rest.starts_with(['/', '\\']) => &rest[1..],
            _ => return PathBuf::from(path),
        };
        match self.home() {
            Some(home) => home.join(rest),
            None => PathBuf::from(path),
        }
    }

    /// Returns the home folder.
    pub(crate) fn home(&self) -> Option<PathBuf> {
        let variable = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        self.env(variable).map(PathBuf::from)
    }
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The environment holds secrets.
        f.debug_struct("Outside").field("files", &self.files).finish_non_exhaustive()
    }
}
