//! The part of YAML that `#cloud-config` is written in: mappings and lists by indentation, texts plain, quoted or as
//! blocks (`|`, `>`), and lists of texts in brackets. Anything else (anchors, tags, mappings in braces) is refused.

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// Returns the value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match self {
            Node::Map(pairs) => pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            Node::Text(_) | Node::List(_) => None,
        }
    }

    /// Returns the text this is.
    pub fn text(&self) -> Option<&str> {
        match self {
            Node::Text(text) => Some(text),
            Node::List(_) | Node::Map(_) => None,
        }
    }

    /// Returns the members, of which a text is the only one.
    pub fn members(&self) -> &[Node] {
        match self {
            Node::List(list) => list,
            Node::Text(text) if text.is_empty() => &[],
            Node::Text(_) | Node::Map(_) => std::slice::from_ref(self),
        }
    }
}

/// How deep values may lie in one another.
const DEEPEST: usize = 16;

/// Reads a document; the error says in which line what is wrong.
pub(crate) fn read(text: &str) -> Result<Node, String> {
    let mut reader = Reader { lines: text.lines().map(str::to_owned).collect(), at: 0, depth: 0 };
    let node = reader.block(0)?;
    match reader.peek() {
        Some(_) => Err(reader.wrong("this does not belong to what stands above it")),
        None => Ok(node),
    }
}

struct Reader {
    lines: Vec<String>,
    at: usize,
    depth: usize,
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

impl Reader {
    fn wrong(&self, what: &str) -> String {
        format!("line {}: {what}", self.at + 1)
    }

    /// Goes to the next line with something in it; returns its indentation.
    fn peek(&mut self) -> Option<usize> {
        while let Some(line) = self.lines.get(self.at) {
            let content = line.trim();
            if !content.is_empty() && !content.starts_with('#') && content != "---" {
                return Some(indent(line));
            }
            self.at += 1;
        }
        None
    }

    fn content(&self) -> &str {
        self.lines.get(self.at).map_or("", |line| line.trim())
    }

    /// Reads what is indented by at least this much.
    fn block(&mut self, least: usize) -> Result<Node, String> {
        let Some(own) = self.peek().filter(|own| *own >= least) else { return Ok(Node::Text(String::new())) };
        if self.depth == DEEPEST {
            return Err(self.wrong("this lies too deep"));
        }
        self.depth += 1;
        let is_list = self.content() == "-" || self.content().starts_with("- ");
        let node = if is_list {
            self.list(own)?
        } else if split_key(self.content()).is_some() {
            self.map(own)?
        } else {
            let content = self.content().to_owned();
            self.at += 1;
            self.value(&content, own)?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn list(&mut self, own: usize) -> Result<Node, String> {
        let mut members = Vec::new();
        while self.peek() == Some(own) && (self.content() == "-" || self.content().starts_with("- ")) {
            let rest = self.content()[1..].trim_start().to_owned();
            let nested = rest == "-" || rest.starts_with("- ") || split_key(&rest).is_some();
            if rest.is_empty() {
                self.at += 1;
                members.push(self.block(own + 1)?);
            } else if nested {
                // What follows the dash is a value of its own, which goes on in the next lines.
                let inner = self.lines[self.at].len() - rest.len();
                self.lines[self.at] = format!("{}{rest}", " ".repeat(inner));
                members.push(self.block(inner)?);
            } else {
                self.at += 1;
                members.push(self.value(&rest, own)?);
            }
        }
        Ok(Node::List(members))
    }

    fn map(&mut self, own: usize) -> Result<Node, String> {
        let mut pairs: Vec<(String, Node)> = Vec::new();
        while self.peek() == Some(own) {
            let Some((key, rest)) = split_key(self.content()) else {
                return Err(self.wrong("a key with a colon is wanted"));
            };
            if pairs.iter().any(|(known, _)| *known == key) {
                return Err(self.wrong(&format!("`{key}` stands twice")));
            }
            let rest = rest.to_owned();
            self.at += 1;
            let value = if rest.is_empty() {
                // A list may stand as far left as its key.
                let least = match self.peek() {
                    Some(next) if next == own && self.content().starts_with('-') => own,
                    _ => own + 1,
                };
                self.block(least)?
            } else {
                self.value(&rest, own)?
            };
            pairs.push((key, value));
        }
        Ok(Node::Map(pairs))
    }

    /// Reads a value that begins with this text, in a line that was passed, below something indented by `parent`.
    fn value(&mut self, text: &str, parent: usize) -> Result<Node, String> {
        match text.chars().next() {
            Some('|' | '>') => self.block_text(text, parent).map(Node::Text),
            Some('[') => {
                let inner = without_comment(text).strip_prefix('[').and_then(|text| text.strip_suffix(']'));
                let inner = inner.ok_or_else(|| self.wrong("a list in brackets must end in its line"))?;
                flow(inner)
                    .map(|texts| Node::List(texts.into_iter().map(Node::Text).collect()))
                    .ok_or_else(|| self.wrong("in brackets only texts are understood"))
            }
            Some('{' | '&' | '*' | '!' | '@' | '`' | '%') => {
                Err(self.wrong(&format!("`{text}` is not understood here")))
            }
            _ => scalar(text)
                .map(Node::Text)
                .ok_or_else(|| self.wrong("the quotation does not end in its line")),
        }
    }

    fn block_text(&mut self, header: &str, parent: usize) -> Result<String, String> {
        let folded = header.starts_with('>');
        let chomp = match without_comment(header)[1..].trim() {
            "" => Some(false),
            "-" => None,
            "+" => Some(true),
            _ => return Err(self.wrong("this kind of block is not understood")),
        };
        let mut lines: Vec<String> = Vec::new();
        let mut own = None;
        while let Some(line) = self.lines.get(self.at) {
            if line.trim().is_empty() {
                lines.push(String::new());
            } else if indent(line) > parent || (parent == 0 && own == Some(0)) {
                let own = *own.get_or_insert(indent(line));
                lines.push(line.get(own.min(indent(line))..).unwrap_or_default().to_owned());
            } else {
                break;
            }
            self.at += 1;
        }
        let ends = lines.iter().rev().take_while(|line| line.is_empty()).count();
        let body = &lines[..lines.len() - ends];
        let text = body.join(if folded { " " } else { "\n" });
        Ok(match chomp {
            _ if body.is_empty() => String::new(),
            None => text,
            Some(false) => text + "\n",
            Some(true) => text + &"\n".repeat(ends + 1),
        })
    }
}

/// Splits `key: value`; a colon within quotes, or without a space after it, splits nothing.
fn split_key(content: &str) -> Option<(String, &str)> {
    if let Some(quote @ ('"' | '\'')) = content.chars().next() {
        let end = content[1..].find(quote)? + 1;
        let rest = content[end + 1..].trim_start().strip_prefix(':')?;
        return Some((content[1..end].to_owned(), rest.trim()));
    }
    let at = content.find(": ").or_else(|| content.strip_suffix(':').map(str::len))?;
    let key = &content[..at];
    (!key.is_empty() && !key.contains([' ', '{', '[', '#']))
        .then(|| (key.to_owned(), content[at + 1..].trim()))
}

fn without_comment(text: &str) -> &str {
    text.find(" #").map_or(text, |at| &text[..at]).trim_end()
}

fn scalar(text: &str) -> Option<String> {
    match text.chars().next() {
        Some('\'') => {
            let rest = &text[1..];
            let mut out = String::new();
            let mut letters = rest.chars().peekable();
            while let Some(letter) = letters.next() {
                match letter {
                    '\'' if letters.peek() == Some(&'\'') => {
                        letters.next();
                        out.push('\'');
                    }
                    '\'' => return Some(out),
                    other => out.push(other),
                }
            }
            None
        }
        Some('"') => {
            let mut out = String::new();
            let mut letters = text[1..].chars();
            while let Some(letter) = letters.next() {
                match letter {
                    '"' => return Some(out),
                    '\\' => out.push(match letters.next()? {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        '0' => '\0',
                        other => other,
                    }),
                    other => out.push(other),
                }
            }
            None
        }
        _ => Some(match without_comment(text) {
            "~" | "null" => String::new(),
            plain => plain.to_owned(),
        }),
    }
}

/// Reads `a, "b, c", d`.
fn flow(text: &str) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut quote = None;
    let mut escaped = false;
    for letter in text.chars() {
        let in_quotes = quote.is_some();
        if !in_quotes && "[]{}".contains(letter) {
            return None;
        }
        if letter == ',' && !in_quotes {
            parts.push(String::new());
            continue;
        }
        let opens = !in_quotes && (letter == '"' || letter == '\'') && parts.last()?.trim().is_empty();
        if opens {
            quote = Some(letter);
        } else if quote == Some(letter) && !escaped {
            quote = None;
        }
        escaped = quote == Some('"') && letter == '\\' && !escaped;
        parts.last_mut()?.push(letter);
    }
    if quote.is_some() {
        return None;
    }
    parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()).map(scalar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cloud_config_is_read() {
        let node = read(
            "#cloud-config\nssh_keys:\n  ed25519_private: |\n    -----BEGIN\n    # no comment\n    abc=\n\n    end\n  ed25519_public: ssh-ed25519 AAA root@x # ours\nusers:\n- default\n- name: ann\n  ssh-authorized-keys:\n    - \"a: b\"\n    - 'it''s'\nruncmd:\n  - [sh, -c, \"echo a, b\"]\n  - echo x: y\n  - |\n    one\n    two\nwrite_files:\n  -\n    path: /etc/a\n    permissions: '0600'\n    content: >-\n      x\n      y\n",
        )
        .unwrap();
        let text = |node: &Node| node.text().unwrap().to_owned();
        let keys = node.get("ssh_keys").unwrap();
        assert_eq!(text(keys.get("ed25519_private").unwrap()), "-----BEGIN\n# no comment\nabc=\n\nend\n");
        assert_eq!(text(keys.get("ed25519_public").unwrap()), "ssh-ed25519 AAA root@x");
        let users = node.get("users").unwrap().members();
        assert_eq!(text(&users[0]), "default");
        let own: Vec<String> =
            users[1].get("ssh-authorized-keys").unwrap().members().iter().map(text).collect();
        assert_eq!(own, ["a: b", "it's"]);
        let commands = node.get("runcmd").unwrap().members();
        let words: Vec<String> = commands[0].members().iter().map(text).collect();
        assert_eq!(words, ["sh", "-c", "echo a, b"]);
        assert_eq!(commands[2], Node::Text("one\ntwo\n".to_owned()));
        let file = &node.get("write_files").unwrap().members()[0];
        assert_eq!(
            (text(file.get("permissions").unwrap()), text(file.get("content").unwrap())),
            ("0600".into(), "x y".into())
        );
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for wrong in
            ["a: {b: c}", "a: &x y", "a: 1\na: 2", "a: 1\n  b: 2", "a: \"x", "a: [b, [c]]", "a: |2\n  x"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_brings_it_down(text in "[-a: \n|>\\[\\]\"'#,]{0,60}") {
            let _ = read(&text);
        }
    }
}
