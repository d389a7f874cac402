//! Host keys learnt in a way of their own: what a machine writes to its console when its keys are made.

use russh::keys::{HashAlg, PublicKey};

/// What cloud-init's `keys-to-console` writes around the keys, at the end of a first boot.
const BEGIN: &str = "-----BEGIN SSH HOST KEY KEYS-----";
const END: &str = "-----END SSH HOST KEY KEYS-----";

/// Returns the host keys of the last whole block on a console. Lines may carry a prefix (the block goes through
/// `logger`), and the console may hold several blocks: a machine that got new keys wrote a new one.
pub fn on_console(text: &str) -> Vec<PublicKey> {
    let Some((before, _)) = text.rsplit_once(END) else {
        return Vec::new();
    };
    let Some((_, block)) = before.rsplit_once(BEGIN) else {
        return Vec::new();
    };
    block.lines().filter_map(key_in).collect()
}

/// Returns whether the console shows that cloud-init is at work and has not come to its end, where it writes the keys.
pub fn may_still_come(text: &str) -> bool {
    let last = text.lines().rfind(|line| line.contains("Cloud-init v. "));
    last.is_some_and(|line| !line.contains(" finished at "))
}

/// Returns kind and fingerprint, as OpenSSH shows them.
pub fn fingerprint(key: &PublicKey) -> String {
    format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256))
}

/// Finds `ssh-ed25519 AAAA…` in a line, whatever stands around it.
fn key_in(line: &str) -> Option<PublicKey> {
    let mut words = line.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let is_kind = word.starts_with("ssh-") || word.starts_with("ecdsa-sha2-");
        if let (true, Some(body)) = (is_kind, words.peek())
            && let Ok(key) = PublicKey::from_openssh(&format!("{word} {body}"))
        {
            return Some(key);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{KeyKind, KeyPair};

    #[tokio::test]
    async fn the_last_whole_block_counts() {
        let old = KeyPair::generate(KeyKind::Ed25519).await.unwrap();
        let (ed25519, ecdsa) = (
            KeyPair::generate(KeyKind::Ed25519).await.unwrap(),
            KeyPair::generate(KeyKind::Ecdsa(256)).await.unwrap(),
        );
        let block = |lines: &str| {
            format!("<14>Nov 21 15:00:00 ec2: {BEGIN}\r\n{lines}<14>Nov 21 15:00:00 ec2: {END}\r\n")
        };
        let line = |pair: &KeyPair| {
            format!("<14>Nov 21 15:00:00 ec2: {} root@iZ2ze\r\n", pair.public_line().trim_end())
        };
        let text = format!(
            "login: {}more{}{BEGIN}\n{}",
            block(&line(&old)),
            block(&format!("{}{}", line(&ed25519), line(&ecdsa))),
            line(&old)
        );
        let found = on_console(&text);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].key_data(), ed25519.public_key().key_data());
        assert_eq!(found[1].key_data(), ecdsa.public_key().key_data());
        assert!(on_console(&format!("{BEGIN}\n{}", line(&old))).is_empty());
        assert!(on_console("login: ").is_empty());
    }

    #[test]
    fn keys_come_when_cloud_init_ends() {
        let begun = "[    8.1] cloud-init[612]: Cloud-init v. 23.2 running 'init-local'\n";
        let ended = "[   20.9] cloud-init[999]: Cloud-init v. 23.2 finished at Sat, 21 Nov 2026\n";
        assert!(may_still_come(begun));
        assert!(!may_still_come(&format!("{begun}{ended}")));
        assert!(may_still_come(&format!("{begun}{ended}{begun}")));
        assert!(!may_still_come("Welcome to Alibaba Cloud\nlogin: "));
    }
}
