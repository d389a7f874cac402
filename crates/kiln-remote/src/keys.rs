//! SSH keys: reading private keys, making temporary ones, and the forms they are handed out in.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kiln_core::Secret;
pub use russh::keys::PublicKey;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{EcdsaKeypair, Ed25519Keypair, KeypairData, RsaKeypair};
use russh::keys::{EcdsaCurve, HashAlg, PrivateKey};

/// What kind of key to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA of so many bits.
    Rsa(u32),
    /// ECDSA on a NIST curve of so many bits: 256, 384 or 521.
    Ecdsa(u32),
    /// Ed25519.
    Ed25519,
}

impl Default for KeyKind {
    fn default() -> KeyKind {
        KeyKind::Rsa(4096)
    }
}

/// Why a kind of key cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyKindError {
    /// There is no such kind.
    #[error(
        "sshkey: unknown algorithm type {0:?}: possible algorithm types are `dsa` | `ecdsa` | `ed25519` | `rsa` ( the default )"
    )]
    Unknown(String),
    /// Servers have refused DSA for a decade.
    #[error(
        "temporary_key_pair_type `dsa` is not in this version of Kiln: SSH servers no longer accept it; use `ed25519`"
    )]
    Dsa,
    /// An RSA key that small protects nothing.
    #[error("sshkey: invalid private key rsa size: must be more than 1024")]
    RsaSize,
    /// There is no such curve.
    #[error("sshkey: invalid private key ecdsa size {0}: must be 256, 384 or 521")]
    EcdsaSize(u32),
}

impl KeyKindError {
    /// Returns whether the number of bits is at fault.
    pub fn is_about_size(&self) -> bool {
        matches!(self, KeyKindError::RsaSize | KeyKindError::EcdsaSize(_))
    }
}

impl KeyKind {
    /// Returns the kind called `name` (empty: RSA) with `bits` (none or 0: the kind's default).
    pub fn parse(name: &str, bits: Option<u32>) -> Result<KeyKind, KeyKindError> {
        let bits = bits.filter(|bits| *bits != 0);
        match name.to_ascii_lowercase().as_str() {
            "" | "rsa" => match bits.unwrap_or(4096) {
                bits if bits < 1024 => Err(KeyKindError::RsaSize),
                bits => Ok(KeyKind::Rsa(bits)),
            },
            "ecdsa" => match bits.unwrap_or(521) {
                bits @ (256 | 384 | 521) => Ok(KeyKind::Ecdsa(bits)),
                bits => Err(KeyKindError::EcdsaSize(bits)),
            },
            "ed25519" => Ok(KeyKind::Ed25519),
            "dsa" => Err(KeyKindError::Dsa),
            _ => Err(KeyKindError::Unknown(name.to_owned())),
        }
    }

    /// Returns the name as Packer's messages show it: `RSA`.
    pub fn name(self) -> &'static str {
        match self {
            KeyKind::Rsa(_) => "RSA",
            KeyKind::Ecdsa(_) => "ECDSA",
            KeyKind::Ed25519 => "ED25519",
        }
    }
}

/// Why a private key cannot be read. The text is Packer's.
#[derive(Debug, thiserror::Error)]
pub enum ReadKeyError {
    /// It wants a passphrase, and nobody is there to give it.
    #[error(
        "Failed to read key '{0}': password protected keys are\nnot supported. Please decrypt the key prior to use."
    )]
    Encrypted(String),
    /// It is no private key.
    #[error("Failed to read key '{0}': no key found")]
    NotAKey(String),
    /// It is one that cannot be read.
    #[error("Failed to read key '{0}': {1}")]
    Malformed(String, String),
}

/// Reads a private key in OpenSSH, PKCS#8, PKCS#1, SEC1 or PuTTY form. `name` is for the error text only.
pub fn read_private_key(name: &str, text: &str) -> Result<PrivateKey, ReadKeyError> {
    let is_key = text.contains("PRIVATE KEY-----") || text.trim_start().starts_with("PuTTY-User-Key-File-");
    if !is_key {
        return Err(ReadKeyError::NotAKey(name.to_owned()));
    }
    // Old PEM says so in a header, PKCS#8 in its title; the OpenSSH form is found out by the decoder.
    if text.contains("Proc-Type: 4,ENCRYPTED") || text.contains("BEGIN ENCRYPTED PRIVATE KEY") {
        return Err(ReadKeyError::Encrypted(name.to_owned()));
    }
    // Blank lines and carriage returns before the title come from heredocs and Windows editors.
    let text = Secret::new(text.lines().map(str::trim).collect::<Vec<_>>().join("\n"));
    match russh::keys::decode_secret_key(text.expose(), None) {
        Ok(key) if key.is_encrypted() => Err(ReadKeyError::Encrypted(name.to_owned())),
        Ok(key) => Ok(key),
        Err(russh::keys::Error::KeyIsEncrypted) => Err(ReadKeyError::Encrypted(name.to_owned())),
        Err(error) => Err(ReadKeyError::Malformed(name.to_owned(), error.to_string())),
    }
}

/// A private key with its public half.
#[derive(Clone)]
pub struct KeyPair {
    private: Arc<PrivateKey>,
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyPair").field(&self.fingerprint()).finish()
    }
}

impl KeyPair {
    /// Makes a new key on a blocking thread: a large RSA key takes a while.
    pub async fn generate(kind: KeyKind) -> kiln_core::Result<KeyPair> {
        let failed =
            |error: String| kiln_core::Error::new(format!("make a temporary {} key: {error}", kind.name()));
        let made = tokio::task::spawn_blocking(move || random(kind))
            .await
            .map_err(|error| failed(error.to_string()))?;
        made.map(|key| KeyPair { private: Arc::new(key) }).map_err(|error| failed(error.to_string()))
    }

    /// Reads a private key, such as one the cloud made; the public half is derived from it.
    pub fn from_private(name: &str, text: &Secret) -> Result<KeyPair, ReadKeyError> {
        read_private_key(name, text.expose()).map(|key| KeyPair { private: Arc::new(key) })
    }

    /// Returns the private key for logging in.
    pub fn private(&self) -> &Arc<PrivateKey> {
        &self.private
    }

    /// Returns the private key as text: PKCS#8 for RSA and ECDSA, OpenSSH's form for Ed25519 (as Packer has it).
    pub fn private_text(&self) -> kiln_core::Result<Secret> {
        let failed = |error: String| kiln_core::Error::new(format!("write the private key down: {error}"));
        if let KeypairData::Ed25519(_) = self.private.key_data() {
            let text = self.private.to_openssh(LineEnding::LF).map_err(|error| failed(error.to_string()))?;
            return Ok(Secret::new(text.as_str()));
        }
        let der =
            russh::keys::pkcs8::encode_pkcs8(&self.private).map_err(|error| failed(error.to_string()))?;
        let mut pem = "-----BEGIN PRIVATE KEY-----\n".to_owned();
        let encoded = STANDARD.encode(der);
        let mut rest = encoded.as_str();
        while !rest.is_empty() {
            let (line, tail) = rest.split_at(rest.len().min(64));
            pem.push_str(line);
            pem.push('\n');
            rest = tail;
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        Ok(Secret::new(pem))
    }

    /// Returns the line for `authorized_keys`, without comment, with its line end.
    pub fn public_line(&self) -> String {
        let mut key = self.private.public_key().clone();
        key.set_comment("");
        let line = key.to_openssh().expect("a key that was made or read can be written");
        format!("{}\n", line.trim_end())
    }

    /// Returns the public half.
    pub fn public_key(&self) -> &PublicKey {
        self.private.public_key()
    }

    /// Returns the fingerprint as OpenSSH shows it: `SHA256:…`.
    pub fn fingerprint(&self) -> String {
        self.private.fingerprint(HashAlg::Sha256).to_string()
    }
}

fn random(kind: KeyKind) -> Result<PrivateKey, russh::keys::ssh_key::Error> {
    let mut rng = rand::rng();
    let data = match kind {
        KeyKind::Rsa(bits) => KeypairData::from(RsaKeypair::random(&mut rng, bits as usize)?),
        KeyKind::Ecdsa(256) => EcdsaKeypair::random(&mut rng, EcdsaCurve::NistP256)?.into(),
        KeyKind::Ecdsa(384) => EcdsaKeypair::random(&mut rng, EcdsaCurve::NistP384)?.into(),
        KeyKind::Ecdsa(_) => EcdsaKeypair::random(&mut rng, EcdsaCurve::NistP521)?.into(),
        KeyKind::Ed25519 => Ed25519Keypair::random(&mut rng).into(),
    };
    PrivateKey::new(data, "")
}
