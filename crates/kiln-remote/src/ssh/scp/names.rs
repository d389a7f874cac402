//! Remote paths: cut as Go's `path` package cuts them, quoted as Packer quotes them.

/// Returns the folder part, cleaned: `.` for a bare name, `/d` for `/d/`.
pub fn parent(path: &str) -> String {
    let folder = match path.rfind('/') {
        Some(at) => &path[..=at],
        None => return ".".to_owned(),
    };
    let is_absolute = folder.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if is_absolute => {}
            part => parts.push(part),
        }
    }
    match (is_absolute, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

/// Returns the last part: `d` for `/d/`.
pub fn base_name(path: &str) -> String {
    let trimmed = path.trim_end_matches('/');
    match (trimmed.is_empty(), path.is_empty()) {
        (true, true) => ".".to_owned(),
        (true, false) => "/".to_owned(),
        (false, _) => trimmed.rsplit('/').next().unwrap_or(trimmed).to_owned(),
    }
}

/// Puts a backslash before every space that has none; the rest is left to the remote shell, `~` and `*` too.
pub fn escape_spaces(path: &str) -> String {
    if path.contains(['"', '\'']) {
        return path.to_owned();
    }
    let mut escaped = String::with_capacity(path.len());
    let mut last = ' ';
    for letter in path.chars() {
        if letter == ' ' && last != '\\' {
            escaped.push('\\');
        }
        escaped.push(letter);
        last = letter;
    }
    escaped
}

/// Puts a path that holds a space between double quotes.
pub fn quote(path: &str) -> String {
    match path.contains(' ') {
        true => format!("\"{path}\""),
        false => path.to_owned(),
    }
}

/// Returns whether `name` names an entry of a folder and nothing else.
pub fn is_plain(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0', '\n'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cut_as_go_cuts_them() {
        for (path, folder, name) in [
            ("/tmp/a", "/tmp", "a"),
            ("/a", "/", "a"),
            ("a", ".", "a"),
            ("/d/", "/d", "d"),
            ("d/e/", "d/e", "e"),
            ("~/x y/z", "~/x y", "z"),
            ("/a//b/../c/f", "/a/c", "f"),
            ("../f", "..", "f"),
            ("", ".", "."),
            ("/", "/", "/"),
        ] {
            assert_eq!((parent(path).as_str(), base_name(path).as_str()), (folder, name), "{path}");
        }
    }

    #[test]
    fn spaces_are_escaped_once() {
        assert_eq!(escape_spaces("/a b/c\\ d"), "/a\\ b/c\\ d");
        assert_eq!(escape_spaces("\"/a b\""), "\"/a b\"");
        assert_eq!(quote("/a b"), "\"/a b\"");
        assert_eq!(quote("~/a"), "~/a");
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        assert!(is_plain("a b") && is_plain("..."));
        for name in ["", ".", "..", "../x", "/etc/passwd", "a\nb"] {
            assert!(!is_plain(name), "{name:?}");
        }
    }
}
