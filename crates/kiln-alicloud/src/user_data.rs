//! What the instance's first boot is told: the template's user data, and the host key where one is installed by it.

use alicloud_api::UserData;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kiln_core::error::Result;
use kiln_remote::keys::KeyPair;

/// The API's limit, before encoding.
pub(crate) const MAX: usize = 32 * 1024;
/// What the installed host key and the parts around it take at most, besides the template's user data in base64.
const HOST_KEY_MAX: usize = 2 * 1024;

/// The template's user data. It may carry secrets, so Debug shows its size alone.
#[derive(Clone)]
pub(crate) struct RawUserData(Vec<u8>);

impl std::fmt::Debug for RawUserData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<user data, {} bytes>", self.0.len())
    }
}

impl RawUserData {
    pub(crate) fn new(bytes: Vec<u8>) -> RawUserData {
        RawUserData(bytes)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Says why a host key cannot be installed beside it.
    pub(crate) fn may_be_combined(&self) -> Result<(), &'static str> {
        match self.kind().ok_or("it is neither a script nor cloud-config")? {
            CLOUD_CONFIG
                if String::from_utf8_lossy(&self.0).lines().any(|line| line.starts_with("ssh_keys:")) =>
            {
                Err("it sets `ssh_keys` itself")
            }
            _ if self.0.len() / 3 * 4 + HOST_KEY_MAX > MAX => Err("together they are more than 32 KiB"),
            _ => Ok(()),
        }
    }

    /// Returns the MIME type that cloud-init gives it by its first line, if it is of a kind that can be one of several.
    fn kind(&self) -> Option<&'static str> {
        let kinds = [
            ("#!", "text/x-shellscript"),
            ("#cloud-config", CLOUD_CONFIG),
            ("#cloud-boothook", "text/cloud-boothook"),
            ("#include", "text/x-include-url"),
        ];
        kinds.into_iter().find(|(start, _)| self.0.starts_with(start.as_bytes())).map(|(_, kind)| kind)
    }
}

const CLOUD_CONFIG: &str = "text/cloud-config";

/// Returns what is sent: `own` as it is, or with the host key `key` installed beside it.
pub(crate) fn sent(own: Option<&RawUserData>, key: Option<&KeyPair>) -> Result<Option<UserData>> {
    let Some(key) = key else {
        return Ok(own.map(|own| UserData::new(own.0.clone())));
    };
    let config = host_key_config(key)?;
    let own = own.and_then(|own| Some((own, own.kind()?)));
    let Some((own, kind)) = own else {
        return Ok(Some(UserData::new(config)));
    };
    let boundary = format!("kiln-{:032x}", rand::random::<u128>());
    let mut text = format!("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"{boundary}\"\n\n");
    // Ours first: where two parts say the same, cloud-init lets the first one stand.
    for (kind, bytes) in [(CLOUD_CONFIG, config.as_bytes()), (kind, own.0.as_slice())] {
        text.push_str(&format!(
            "--{boundary}\nContent-Type: {kind}; charset=\"utf-8\"\nContent-Transfer-Encoding: base64\n\n{}\n",
            BASE64_STANDARD.encode(bytes)
        ));
    }
    text.push_str(&format!("--{boundary}--\n"));
    Ok(Some(UserData::new(text)))
}

/// Cloud-init's module `ssh`: the keys under `ssh_keys` are installed in place of generated ones.
fn host_key_config(key: &KeyPair) -> Result<String> {
    let private = key.private_text()?;
    let mut text = "#cloud-config\nssh_deletekeys: true\nssh_keys:\n  ed25519_private: |\n".to_owned();
    for line in private.expose().lines() {
        text.push_str("    ");
        text.push_str(line);
        text.push('\n');
    }
    text.push_str(&format!("  ed25519_public: {}\n", key.public_line().trim_end()));
    Ok(text)
}

#[cfg(test)]
mod tests {
    use kiln_remote::keys::KeyKind;

    use super::*;

    fn wire(data: &UserData) -> String {
        let encoded = serde_json::to_value(data).unwrap();
        String::from_utf8(BASE64_STANDARD.decode(encoded.as_str().unwrap()).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_host_key_is_installed_alone_or_beside_a_script() {
        let key = KeyPair::generate(KeyKind::Ed25519).await.unwrap();
        let alone = wire(&sent(None, Some(&key)).unwrap().unwrap());
        assert!(alone.starts_with("#cloud-config\n"), "{alone}");
        assert!(alone.contains("\n    -----BEGIN OPENSSH PRIVATE KEY-----\n"), "{alone}");
        assert!(alone.ends_with(&format!("ed25519_public: {}", key.public_line())), "{alone}");

        let script = RawUserData::new(b"#!/bin/sh\necho hello\n".to_vec());
        let both = wire(&sent(Some(&script), Some(&key)).unwrap().unwrap());
        assert!(both.starts_with("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="), "{both}");
        assert!(both.contains("Content-Type: text/x-shellscript"), "{both}");
        assert!(both.contains(&BASE64_STANDARD.encode("#!/bin/sh\necho hello\n")), "{both}");
        assert!(both.len() < script.len() / 3 * 4 + HOST_KEY_MAX);

        assert_eq!(wire(&sent(Some(&script), None).unwrap().unwrap()), "#!/bin/sh\necho hello\n");
        assert!(sent(None, None).unwrap().is_none());
    }

    #[test]
    fn what_cannot_stand_beside_a_host_key_is_told() {
        let refused = |text: &[u8]| RawUserData::new(text.to_vec()).may_be_combined().unwrap_err();
        assert_eq!(refused(b"[powershell]\nenable"), "it is neither a script nor cloud-config");
        assert_eq!(refused(b"#cloud-config\nssh_keys:\n"), "it sets `ssh_keys` itself");
        assert_eq!(
            refused(&[b"#!".to_vec(), vec![b'x'; 30 << 10]].concat()),
            "together they are more than 32 KiB"
        );
        assert!(RawUserData::new(b"#!/bin/sh\n".to_vec()).may_be_combined().is_ok());
    }
}
