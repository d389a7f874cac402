//! A machine's SSH host keys: given by its user data or made at its first boot, kept in its private
//! folder on the host (the guest and its images hold none but those that a script wrote), shown on the console the way cloud-init shows them.

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

/// The kinds of keys that may be in the folder.
const NAMES: [&str; 3] = ["ed25519", "ecdsa", "rsa"];

/// Returns the keys in the folder, and whether they were put there just now: those given, by kind, if there are any
/// (in OpenSSH's or in PEM's form), else fresh ones.
pub(crate) fn load_or_make(
    dir: &Path,
    hostname: &str,
    given: &[(String, String)],
) -> Result<(Vec<PrivateKey>, bool), MachineError> {
    let found = load(dir)?;
    if !found.is_empty() {
        return Ok((found, false));
    }
    let mut keys: Vec<PrivateKey> =
        given.iter().filter_map(|(_, text)| russh::keys::decode_secret_key(text, None).ok()).collect();
    if keys.is_empty() {
        for (_, algorithm) in KINDS {
            let mut key = PrivateKey::random(&mut rand::rng(), algorithm).map_err(MachineError::Keys)?;
            key.set_comment(format!("root@{hostname}"));
            keys.push(key);
        }
    }
    replace(dir, &keys)?;
    Ok((keys, true))
}

fn load(dir: &Path) -> Result<Vec<PrivateKey>, MachineError> {
    let mut keys = Vec::new();
    for name in NAMES {
        let path = dir.join("host_keys").join(name);
        match fs::read_to_string(&path) {
            Ok(text) => keys.push(PrivateKey::from_openssh(text).map_err(MachineError::Keys)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(MachineError::file("read the host key", &path)(error)),
        }
    }
    Ok(keys)
}

/// Puts keys into the folder in place of those that are there.
pub(crate) fn replace(dir: &Path, keys: &[PrivateKey]) -> Result<(), MachineError> {
    let dir = dir.join("host_keys");
    fs::create_dir_all(&dir).map_err(MachineError::file("create", &dir))?;
    for name in NAMES {
        let path = dir.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(MachineError::file("remove the host key", &path)(error));
            }
            _ => {}
        }
    }
    for key in keys {
        let path = dir.join(kind(key));
        let text = key.to_openssh(LineEnding::LF).map_err(MachineError::Keys)?;
        fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(MachineError::file("write the host key", &path))?;
    }
    Ok(())
}

fn kind(key: &PrivateKey) -> &'static str {
    match key.algorithm() {
        Algorithm::Ecdsa { .. } => "ecdsa",
        Algorithm::Rsa { .. } => "rsa",
        _ => "ed25519",
    }
}

/// Returns the size of a key in bits, of an RSA key by the length of its modulus, which stands last.
fn bits(key: &PrivateKey) -> usize {
    match (key.algorithm(), key.public_key().to_bytes()) {
        (Algorithm::Rsa { .. }, Ok(bytes)) => {
            let number =
                |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize);
            // Name, exponent, modulus, each with its length in front; the modulus has a zero before it.
            let second = number(0).map(|length| 4 + length);
            let third = second.and_then(|at| Some(at + 4 + number(at)?));
            third.and_then(number).map_or(0, |length| length.saturating_sub(1) * 8)
        }
        (Algorithm::Ecdsa { curve }, _) => match curve {
            EcdsaCurve::NistP256 => 256,
            EcdsaCurve::NistP384 => 384,
            EcdsaCurve::NistP521 => 521,
        },
        _ => 256,
    }
}

/// Returns cloud-init's two blocks.
pub(crate) fn console_blocks(keys: &[PrivateKey]) -> Result<String, ssh_key::Error> {
    let line = "#".repeat(61);
    let mut text =
        format!("<14>cloud-init: {line}\n<14>cloud-init: -----BEGIN SSH HOST KEY FINGERPRINTS-----\n");
    for key in keys {
        let (bits, kind) = (bits(key), kind(key).to_ascii_uppercase());
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

/// Reads the keys of an `authorized_keys` file as a log-in does: a line that cannot be read lets nobody in.
pub(crate) fn readable(text: &str) -> Vec<PublicKey> {
    text.lines().filter_map(|line| authorized(&[line.to_owned()]).ok()).flatten().collect()
}
