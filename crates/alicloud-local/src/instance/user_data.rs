//! User data as cloud-init reads it: a script (`#!`), a `#cloud-config` of a small documented kind, or several of these
//! in one MIME message. What is not understood is told, not passed over.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::helper::wire::{FileToWrite, KeysOf, UserToAdd};
use super::yaml::{self, Node};

/// What the first boot is to do.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Plan {
    /// Private host keys in OpenSSH's format, by kind (`ed25519`, `ecdsa`, `rsa`).
    pub host_keys: Vec<(String, String)>,
    pub users: Vec<UserToAdd>,
    pub files: Vec<FileToWrite>,
    /// Keys of named users.
    pub keys: Vec<KeysOf>,
    /// Keys of whomever one logs in as.
    pub own_keys: Vec<String>,
    /// What is executed, in order: scripts with their first lines.
    pub scripts: Vec<Vec<u8>>,
    /// What is not simulated.
    pub remarks: Vec<String>,
}

/// Reads user data.
pub(crate) fn plan(data: &[u8]) -> Plan {
    let mut plan = Plan::default();
    if data.iter().all(u8::is_ascii_whitespace) {
        return plan;
    }
    match parts(data) {
        Some(parts) => parts.iter().for_each(|part| plan.add(part)),
        None => plan.add(data),
    }
    plan
}

impl Plan {
    fn add(&mut self, data: &[u8]) {
        if data.starts_with(b"#!") {
            self.scripts.push(data.to_vec());
        } else if data.starts_with(b"#cloud-config") {
            match std::str::from_utf8(data).map_err(|error| error.to_string()).and_then(yaml::read) {
                Ok(config) => self.config(&config),
                Err(why) => self.remarks.push(format!("the cloud-config cannot be read: {why}")),
            }
        } else {
            let first = data.split(|&byte| byte == b'\n').next().unwrap_or_default();
            let first = String::from_utf8_lossy(first).into_owned();
            self.remarks.push(format!(
                "user data that begins with `{first}` is not executed; only `#!` scripts and `#cloud-config` are"
            ));
        }
    }

    fn config(&mut self, config: &Node) {
        let Node::Map(pairs) = config else { return };
        for (key, value) in pairs {
            match key.as_str() {
                "ssh_keys" => self.host_keys(value),
                "ssh_authorized_keys" => self.own_keys.extend(texts(value)),
                "users" => value.members().iter().for_each(|user| self.user(user)),
                "write_files" => value.members().iter().for_each(|file| self.file(file)),
                "runcmd" => self.scripts.push(commands(value)),
                // The keys of an image are always deleted here.
                "ssh_deletekeys" => {}
                other => self.remarks.push(format!("`{other}` of the cloud-config is not simulated")),
            }
        }
    }

    fn host_keys(&mut self, value: &Node) {
        let Node::Map(pairs) = value else { return };
        for (name, key) in pairs {
            // Public halves follow from the private ones.
            if let (Some(kind), Some(text)) = (name.strip_suffix("_private"), key.text()) {
                self.host_keys.push((kind.to_owned(), text.to_owned()));
            }
        }
    }

    fn user(&mut self, user: &Node) {
        let Some(name) = user.get("name").and_then(Node::text) else {
            // `default` is whomever one logs in as, who is there already.
            return;
        };
        let text = |key: &str| user.get(key).and_then(Node::text).map(str::to_owned);
        self.users.push(UserToAdd { name: name.to_owned(), home: text("homedir"), shell: text("shell") });
        let keys = user.get("ssh_authorized_keys").or_else(|| user.get("ssh-authorized-keys"));
        let add = keys.map(texts).unwrap_or_default();
        self.keys.push(KeysOf { user: name.to_owned(), add, remove: Vec::new() });
    }

    fn file(&mut self, file: &Node) {
        let text = |key: &str| file.get(key).and_then(Node::text).unwrap_or_default();
        let content = match text("encoding") {
            "" | "text/plain" => Some(text("content").as_bytes().to_vec()),
            "b64" | "base64" => {
                let packed: String = text("content").split_whitespace().collect();
                STANDARD.decode(packed).ok()
            }
            _ => None,
        };
        let mode = match text("permissions").trim_start_matches("0o") {
            "" => Some(0o644),
            digits => u32::from_str_radix(digits, 8).ok().filter(|mode| *mode <= 0o7777),
        };
        match (content, mode) {
            (Some(content), Some(mode)) if text("path").starts_with('/') => self.files.push(FileToWrite {
                path: text("path").into(),
                content,
                mode,
                owner: text("owner").split(':').next().filter(|name| !name.is_empty()).map(str::to_owned),
                append: text("append") == "true",
            }),
            _ => self
                .remarks
                .push(format!("the file `{}` of the cloud-config cannot be written", text("path"))),
        }
    }
}

fn texts(node: &Node) -> Vec<String> {
    node.members().iter().filter_map(Node::text).map(str::to_owned).collect()
}

/// Writes the commands of `runcmd` as a script: a text is a line of it, a list is words.
fn commands(value: &Node) -> Vec<u8> {
    let mut script = "#!/bin/sh\n".to_owned();
    for command in value.members() {
        match command {
            Node::Text(line) => script.push_str(line.trim_end()),
            Node::List(_) => {
                let words: Vec<String> =
                    texts(command).iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
                script.push_str(&words.join(" "));
            }
            Node::Map(_) => {}
        }
        script.push('\n');
    }
    script.into_bytes()
}

/// Splits a MIME message of several parts, each as it is or in base64.
fn parts(data: &[u8]) -> Option<Vec<Vec<u8>>> {
    let text = std::str::from_utf8(data).ok()?.replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n")?;
    let kind = header(head, "content-type")?;
    if !kind.to_ascii_lowercase().starts_with("multipart/") {
        return None;
    }
    let at = kind.find("boundary=")? + "boundary=".len();
    let boundary = kind[at..].split(';').next()?.trim().trim_matches('"');
    let limit = format!("--{boundary}");
    let mut lines: Vec<&str> = Vec::new();
    let mut parts: Vec<Vec<u8>> = Vec::new();
    let mut inside = false;
    for line in body.lines().chain([limit.as_str()]) {
        if line == limit || line == format!("{limit}--") {
            if inside {
                parts.extend(part(&lines.join("\n")));
            }
            (inside, lines) = (line == limit, Vec::new());
        } else {
            lines.push(line);
        }
    }
    Some(parts)
}

fn part(text: &str) -> Option<Vec<u8>> {
    let (head, body) = text.split_once("\n\n")?;
    match header(head, "content-transfer-encoding").map(|name| name.to_ascii_lowercase()).as_deref() {
        Some("base64") => STANDARD.decode(body.split_whitespace().collect::<String>()).ok(),
        _ => Some(body.as_bytes().to_vec()),
    }
}

fn header(head: &str, name: &str) -> Option<String> {
    // A header goes on in lines that are indented.
    let unfolded = head.replace("\n ", " ").replace("\n\t", " ");
    unfolded.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_holds_a_config_and_a_script() {
        let config = "#cloud-config\nssh_deletekeys: true\nssh_keys:\n  ed25519_private: |\n    KEY\npackages: [a]\nruncmd:\n- [echo, \"it's\"]\n- ls /\n";
        let data = format!(
            "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"b-1\"\n\n--b-1\nContent-Type: text/cloud-config\nContent-Transfer-Encoding: base64\n\n{}\n--b-1\nContent-Type: text/x-shellscript\n\n#!/bin/sh\necho hi\n--b-1--\n",
            STANDARD.encode(config)
        );
        let plan = plan(data.as_bytes());
        assert_eq!(plan.host_keys, [("ed25519".to_owned(), "KEY\n".to_owned())]);
        let scripts: Vec<_> = plan.scripts.iter().map(|script| String::from_utf8_lossy(script)).collect();
        assert_eq!(scripts, ["#!/bin/sh\n'echo' 'it'\\''s'\nls /\n", "#!/bin/sh\necho hi"]);
        assert_eq!(plan.remarks, ["`packages` of the cloud-config is not simulated"]);
    }

    #[test]
    fn users_files_and_keys_are_read() {
        let plan = plan(b"#cloud-config\nssh_authorized_keys: [ssh-rsa A]\nusers:\n- default\n- name: ann\n  shell: /bin/sh\n  ssh_authorized_keys:\n  - ssh-rsa B\nwrite_files:\n- path: /etc/x\n  permissions: '0600'\n  owner: ann:ann\n  encoding: b64\n  content: aGk=\n- path: relative\n  content: x\n");
        assert_eq!(plan.own_keys, ["ssh-rsa A"]);
        assert_eq!(plan.users[0].name, "ann");
        assert_eq!(plan.keys[0].add, ["ssh-rsa B"]);
        let file = &plan.files[0];
        assert_eq!(
            (file.content.as_slice(), file.mode, file.owner.as_deref()),
            (&b"hi"[..], 0o600, Some("ann"))
        );
        assert_eq!(plan.remarks, ["the file `relative` of the cloud-config cannot be written"]);
        assert_eq!(super::plan(b" \n"), Plan::default());
        assert!(super::plan(b"#include\nhttp://x").remarks[0].contains("`#include`"));
    }
}
