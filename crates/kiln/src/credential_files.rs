//! The files that credentials are in, as the credential providers ask for them: read whole, and distrusted where
//! somebody else could have written what this user would then start.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;

use kiln_alicloud::Files;

/// Credential files are some kilobytes; a device or a disk image named by mistake is not read to its end.
const BYTES_MAX: u64 = 4 << 20;

/// The files of this machine.
#[derive(Debug)]
pub struct CredentialFiles;

impl Files for CredentialFiles {
    fn read(&self, path: &Path) -> io::Result<String> {
        let file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        let mut text = String::new();
        file.take(BYTES_MAX + 1).read_to_string(&mut text)?;
        if text.len() as u64 > BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 4 MiB"));
        }
        Ok(text)
    }

    fn distrusted(&self, path: &Path) -> io::Result<Option<String>> {
        Ok(distrust(&std::fs::metadata(path)?))
    }
}

#[cfg(unix)]
fn distrust(file: &Metadata) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let user = nix::unistd::geteuid().as_raw();
    if file.uid() != user {
        return Some(format!("the file belongs to user {}, not to you", file.uid()));
    }
    match file.mode() & 0o022 {
        0 => None,
        _ => Some("others may write the file; take that right away (`chmod go-w`)".to_owned()),
    }
}

#[cfg(not(unix))]
fn distrust(_: &Metadata) -> Option<String> {
    Some("who may write the file cannot be told on this system".to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_that_others_may_write_is_distrusted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        std::fs::write(&path, "{}").unwrap();
        for (mode, trusted) in [(0o600, true), (0o644, true), (0o664, false), (0o606, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(CredentialFiles.distrusted(&path).unwrap().is_none(), trusted, "{mode:o}");
        }
        assert_eq!(CredentialFiles.read(&path).unwrap(), "{}");
        assert!(CredentialFiles.read(dir.path()).is_err(), "a folder is no file");
        let missing = CredentialFiles.read(&dir.path().join("none")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
