//! A machine's SSH host keys: made at its first boot, kept in its private folder on the host (the
//! guest and its images never hold them), shown on the console the way cloud-init shows them.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use russh::keys::ssh_key::{self, LineEnding};
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PrivateKey, PublicKey};

use super::spec::MachineError;

/// Ed25519 for everyone, and an ECDSA key for clients too old to know it. No RSA key: making one
/// takes longer than booting.
const KINDS: [(&str, Algorithm); 2] =
    [("ed25519", Algorithm::Ed25519), ("ecdsa", Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 })];

/// Returns the keys in the folder, and whether they were made just now.
pub(crate) fn load_or_make(dir: &Path, hostname: &str) -> Result<(Vec<PrivateKey>, bool), MachineError> {
    let dir = dir.join("host_keys");
    fs::create_dir_all(&dir).map_err(MachineError::file("create", &dir))?;
    let mut keys = Vec::new();
    let mut made = false;
    for (name, algorithm) in KINDS {
        let path = dir.join(name);
        if path.exists() {
            let text = fs::read_to_string(&path).map_err(MachineError::file("read the host key", &path))?;
            keys.push(PrivateKey::from_openssh(text).map_err(MachineError::Keys)?);
            continue;
        }
        let mut key = PrivateKey::random(&mut rand::rng(), algorithm).map_err(MachineError::Keys)?;
        key.set_comment(format!("root@{hostname}"));
        let text = key.to_openssh(LineEnding::LF).map_err(MachineError::Keys)?;
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(MachineError::file("write the host key", &path))?;
        keys.push(key);
        made = true;
    }
    Ok((keys, made))
}

/// Returns cloud-init's two blocks.
pub(crate) fn console_blocks(keys: &[PrivateKey]) -> Result<String, ssh_key::Error> {
    let line = "#".repeat(61);
    let mut text =
        format!("<14>cloud-init: {line}\n<14>cloud-init: -----BEGIN SSH HOST KEY FINGERPRINTS-----\n");
    for key in keys {
        let (bits, kind) = match key.algorithm() {
            Algorithm::Ecdsa { .. } => (256, "ECDSA"),
            _ => (256, "ED25519"),
        };
        let comment = key.comment().as_str_lossy().to_owned();
        text.push_str(&format!(
            "<14>cloud-init: {bits} {} {comment} ({kind})\n",
            key.fingerprint(HashAlg::Sha256)
        ));
    }
    text.push_str(&format!(
        "<14>cloud-init: -----END SSH HOST KEY FINGERPRINTS-----\n<14>cloud-init: {line}\n"
    ));
    text.push_str("-----BEGIN SSH HOST KEY KEYS-----\n");
    for key in keys {
        text.push_str(key.public_key().to_openssh()?.trim_end());
        text.push('\n');
    }
    text.push_str("-----END SSH HOST KEY KEYS-----\n");
    Ok(text)
}

/// Reads authorized keys; options in front of a key are not understood, blank lines and comments are skipped.
pub(crate) fn authorized(lines: &[String]) -> Result<Vec<PublicKey>, MachineError> {
    lines
        .iter()
        .flat_map(|lines| lines.lines())
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| PublicKey::from_openssh(line).map_err(MachineError::Keys))
        .collect()
}
