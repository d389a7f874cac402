//! What cloud-init writes at a boot, done inside the guest by this program: a host may have none of the programs that
//! a script would need.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use super::Raw;
use super::enter::{Account, account};
use super::wire::{Configuration, FileToWrite, KeysOf, UserToAdd};

/// Writes everything; what cannot be written is told on standard output, and the rest is written all the same.
pub(super) fn run(wanted: &Configuration, all_ids: bool) -> i32 {
    let tell = |what: &str, result: io::Result<()>| {
        if let Err(error) = result {
            let _ = writeln!(Raw(1), "cloud-init: {what}: {error}");
        }
    };
    if wanted.delete_host_keys {
        tell("delete the image's host keys", delete_host_keys(Path::new("/etc/ssh")));
    }
    for user in &wanted.users {
        tell(&format!("add the user `{}`", user.name), add_user(user, all_ids));
    }
    for file in &wanted.files {
        tell(&format!("write `{}`", file.path.display()), write_file(file, all_ids));
    }
    for keys in &wanted.keys {
        tell(&format!("write the keys of `{}`", keys.user), write_keys(keys, all_ids));
    }
    0
}

/// Where a user's keys are.
pub(super) fn authorized_keys(account: &Account) -> PathBuf {
    account.home.join(".ssh/authorized_keys")
}

fn unknown(user: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("there is no user `{user}`"))
}

fn give(path: &Path, to: Option<&Account>, all_ids: bool) -> io::Result<()> {
    match to {
        Some(account) if all_ids => chown(path, Some(account.uid), Some(account.gid)),
        _ => Ok(()),
    }
}

fn delete_host_keys(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with("ssh_host_") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn write_file(file: &FileToWrite, all_ids: bool) -> io::Result<()> {
    if let Some(parent) = file.path.parent() {
        fs::create_dir_all(parent)?;
    }
    let owner = match &file.owner {
        Some(name) => Some(account(name).ok_or_else(|| unknown(name))?),
        None => None,
    };
    let mut options = fs::OpenOptions::new();
    options.create(true).mode(file.mode).write(true).append(file.append).truncate(!file.append);
    options.open(&file.path)?.write_all(&file.content)?;
    fs::set_permissions(&file.path, fs::Permissions::from_mode(file.mode))?;
    give(&file.path, owner.as_ref(), all_ids)
}

/// Adds lines that are not there yet and takes out others; whatever else is in the file stays.
fn write_keys(keys: &KeysOf, all_ids: bool) -> io::Result<()> {
    let account = account(&keys.user).ok_or_else(|| unknown(&keys.user))?;
    let path = authorized_keys(&account);
    let before = fs::read_to_string(&path).unwrap_or_default();
    let is = |line: &str, other: &String| line.trim() == other.trim();
    let mut lines: Vec<&str> =
        before.lines().filter(|line| !keys.remove.iter().any(|gone| is(line, gone))).collect();
    for key in keys.add.iter().flat_map(|key| key.lines()) {
        if !lines.iter().any(|line| line.trim() == key.trim()) {
            lines.push(key.trim());
        }
    }
    let after: String = lines.iter().map(|line| format!("{line}\n")).collect();
    if after == before {
        return Ok(());
    }
    let folder = account.home.join(".ssh");
    if !folder.is_dir() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        give(&folder, Some(&account), all_ids)?;
    }
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)?
        .write_all(after.as_bytes())?;
    give(&path, Some(&account), all_ids)
}

fn add_user(user: &UserToAdd, all_ids: bool) -> io::Result<()> {
    let proper = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    if user.name.is_empty() || !user.name.chars().all(proper) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no name of a user"));
    }
    if account(&user.name).is_some() {
        return Ok(());
    }
    let text = fs::read_to_string("/etc/passwd")?;
    let ids = text.lines().filter_map(|line| line.split(':').nth(2)?.parse::<u32>().ok());
    let id = ids.filter(|id| (1000..60_000).contains(id)).max().map_or(1000, |id| id + 1);
    let name = &user.name;
    let home = user.home.clone().unwrap_or_else(|| format!("/home/{name}"));
    let shell = user.shell.as_deref().unwrap_or("/bin/sh");
    if [home.as_str(), shell].iter().any(|field| field.contains([':', '\n'])) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a path of it cannot be written down"));
    }
    append("/etc/passwd", &format!("{name}:x:{id}:{id}::{home}:{shell}\n"))?;
    append("/etc/group", &format!("{name}:x:{id}:\n"))?;
    append("/etc/shadow", &format!("{name}:!:19000:0:99999:7:::\n"))?;
    fs::create_dir_all(&home)?;
    give(Path::new(&home), account(name).as_ref(), all_ids)
}

fn append(path: &str, line: &str) -> io::Result<()> {
    fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path)?.write_all(line.as_bytes())
}
