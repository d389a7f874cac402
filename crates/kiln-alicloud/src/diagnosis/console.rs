//! The end of an instance's console, and what is to be read from it.

/// How many lines are shown.
const LINES: usize = 40;
/// How long a line may be.
const LINE_MAX: usize = 300;

/// What a console says when a boot goes wrong, and what that means; the first that is found counts.
const FINDINGS: [(&str, &str); 10] = [
    (
        "Kernel panic",
        "the kernel gave up: check that the image suits the instance type (boot mode, NVMe, virtio)",
    ),
    (
        "dracut-initqueue",
        "the root disk was not found: the image may lack the driver that the instance type needs",
    ),
    ("emergency mode", "the boot stopped in emergency mode: often a disk in /etc/fstab that is not there"),
    (
        "Failed to start OpenSSH",
        "the SSH server did not start: check sshd_config and the host keys of the image",
    ),
    (
        "Failed to start OpenBSD Secure Shell",
        "the SSH server did not start: check sshd_config and the host keys",
    ),
    ("No space left on device", "a disk is full: raise `disk_size` of `system_disk_mapping`"),
    ("Out of memory", "memory ran out: take a larger `instance_type`"),
    (
        "No authorized SSH keys fingerprints found",
        "cloud-init installed no key for the user: check `ssh_username`",
    ),
    ("Can not apply stage", "cloud-init failed: check the user data"),
    ("Failed loading yaml blob", "cloud-init could not read the user data"),
];

/// Returns the last lines, and what they mean if that is known.
pub(super) fn tell(text: &str) -> Vec<String> {
    let lines: Vec<String> = text.lines().map(shown).collect();
    let used = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    let end = &lines[..used];
    if end.is_empty() {
        return vec![
            "The console is empty: the instance has not begun to boot, or writes elsewhere.".to_owned(),
        ];
    }
    let from = end.len().saturating_sub(LINES);
    let last: Vec<String> = end[from..].iter().map(|line| format!("    {line}")).collect();
    let told = format!("The last {} lines of the console:\n{}", last.len(), last.join("\n"));
    let finding = FINDINGS.iter().find(|(sign, _)| text.contains(sign));
    [told]
        .into_iter()
        .chain(finding.map(|(sign, meaning)| format!("The console says `{sign}`: {meaning}.")))
        .collect()
}

/// Takes out what would move a terminal's cursor or colour it, and cuts what is too long.
fn shown(line: &str) -> String {
    let line = line.rsplit('\r').find(|part| !part.is_empty()).unwrap_or_default();
    let mut text = String::new();
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' => {
                // A control sequence ends with its first letter.
                let _ = letters.find(|letter| letter.is_ascii_alphabetic());
            }
            '\t' => text.push(' '),
            letter if letter.is_control() => {}
            letter => text.push(letter),
        }
    }
    text.chars().take(LINE_MAX).collect::<String>().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_forty_lines_are_shown_and_read() {
        let text: String = (1..=60).map(|number| format!("[    {number}.0] line {number}\r\n")).collect();
        let told = tell(&format!("{text}\u{1b}[0;31mKernel panic\u{1b}[0m - not syncing\r\n\r\n"));
        assert!(
            told[0].starts_with("The last 40 lines of the console:\n    [    22.0] line 22\n"),
            "{}",
            told[0]
        );
        assert!(told[0].ends_with("\n    Kernel panic - not syncing"), "{}", told[0]);
        assert!(told[1].starts_with("The console says `Kernel panic`: the kernel gave up"), "{}", told[1]);
        assert_eq!(tell("\r\n").len(), 1);
    }
}
