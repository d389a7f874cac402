//! Parsing, with the checks Go makes while it parses and the parser underneath leaves to execution or leaves out:
//! unknown functions, undeclared variables, `{{break}}` outside a loop, a stray `{{end}}`, a missing one.

use std::collections::BTreeMap;

use gotmpl::parse::{BranchNode, CommandNode, Expr, ListNode, Node, Parser, PipeNode, Pos};

use super::InterpolateError;
use super::errors::{parse_error, translate_parse};

/// A text that parses.
pub(super) struct Parsed {
    /// What is outside of every `{{define}}`.
    pub(super) top: ListNode,
    /// Bodies of `{{define}}` and `{{block}}`.
    pub(super) defines: BTreeMap<String, ListNode>,
}

/// Whether actions that start with a dot field belong to somebody who renders later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DotFields {
    /// They are rendered.
    Render,
    /// They stay as they are written.
    Keep,
}

/// Parses `text`; `known` says which functions exist.
pub(super) fn parse(
    text: &str,
    dot_fields: DotFields,
    known: &dyn Fn(&str) -> bool,
) -> Result<Parsed, InterpolateError> {
    let (top, defines) = parse_tree(text).map_err(|error| translate_parse(&error))?;
    check_ends(text)?;
    let mut check = Check { text, dot_fields, known, variables: vec!["$".to_owned()], loops: 0 };
    check.list(&top)?;
    for define in &defines {
        check.body(&define.body)?;
    }
    let defines = defines.into_iter().map(|define| (define.name.to_string(), define.body)).collect();
    Ok(Parsed { top, defines })
}

/// Returns the source of an action that starts with a dot field (`{{.X}}`, `{{ .X }}`), given where its pipeline
/// starts, from `{{` to the next `}}`.
pub(super) fn dot_field_action(text: &str, pos: Pos) -> Option<&str> {
    let (before, after) = (text.get(..pos.offset)?, text.get(pos.offset..)?);
    let field = after.strip_prefix('.')?;
    if field.starts_with([' ', '}']) {
        return None;
    }
    let start = match before.strip_suffix(|c: char| c.is_ascii_whitespace()) {
        Some(before) if before.ends_with("{{") => before.len() - 2,
        _ if before.ends_with("{{") => before.len() - 2,
        _ => return None,
    };
    let end = pos.offset + after.find("}}")? + 2;
    Some(&text[start..end])
}

fn parse_tree(text: &str) -> gotmpl::Result<(ListNode, Vec<gotmpl::parse::DefineNode>)> {
    Parser::new(text, "{{", "}}")?.parse()
}

/// The parser underneath takes the end of the text for any number of missing `{{end}}`, and stops silently at a
/// surplus one. So a mark is put behind the text: it must come out at the end of the outermost list.
fn check_ends(text: &str) -> Result<(), InterpolateError> {
    match mark_after(text) {
        Mark::Outermost => Ok(()),
        Mark::Inside => Err(parse_error(line_of(text, text.len()), "unexpected EOF")),
        Mark::Nowhere => {
            let (offset, word) = first_surplus(text).unwrap_or((text.len(), "end"));
            Err(parse_error(line_of(text, offset), &format!("unexpected {{{{{word}}}}}")))
        }
    }
}

#[derive(PartialEq, Eq)]
enum Mark {
    Outermost,
    Inside,
    Nowhere,
}

const MARK: &str = "kiln_mark_of_the_end";

fn mark_after(text: &str) -> Mark {
    // The line end keeps a final `{` of the text apart from the mark.
    let Ok((top, defines)) = parse_tree(&format!("{text}\n{{{{{MARK}}}}}")) else { return Mark::Inside };
    if top.nodes.last().is_some_and(is_mark) {
        return Mark::Outermost;
    }
    let inside =
        top.nodes.iter().any(holds_mark) || defines.iter().any(|define| list_holds_mark(&define.body));
    if inside { Mark::Inside } else { Mark::Nowhere }
}

fn is_mark(node: &Node) -> bool {
    let Node::Action(action) = node else { return false };
    matches!(action.pipe.commands.as_slice(), [CommandNode { args, .. }]
        if matches!(args.as_slice(), [Expr::Identifier(_, name)] if name == MARK))
}

fn holds_mark(node: &Node) -> bool {
    match node {
        Node::List(list) => list_holds_mark(list),
        Node::If(branch) | Node::Range(branch) | Node::With(branch) => {
            list_holds_mark(&branch.body) || branch.else_body.as_ref().is_some_and(list_holds_mark)
        }
        Node::Define(define) => list_holds_mark(&define.body),
        other => is_mark(other),
    }
}

fn list_holds_mark(list: &ListNode) -> bool {
    list.nodes.iter().any(holds_mark)
}

/// Returns the first `{{end}}` or `{{else}}` whose preceding text is complete in itself.
fn first_surplus(text: &str) -> Option<(usize, &'static str)> {
    text.match_indices("{{").find_map(|(at, _)| {
        let inner = text[at + 2..].trim_start_matches('-').trim_start();
        let word = ["end", "else"].into_iter().find(|word| inner.starts_with(word))?;
        (mark_after(&text[..at]) == Mark::Outermost).then_some((at, word))
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count() + 1
}

struct Check<'a> {
    text: &'a str,
    dot_fields: DotFields,
    known: &'a dyn Fn(&str) -> bool,
    variables: Vec<String>,
    loops: usize,
}

impl Check<'_> {
    /// A `{{define}}` sees nothing of what surrounds it.
    fn body(&mut self, list: &ListNode) -> Result<(), InterpolateError> {
        let outer =
            (std::mem::replace(&mut self.variables, vec!["$".to_owned()]), std::mem::take(&mut self.loops));
        let result = self.list(list);
        (self.variables, self.loops) = outer;
        result
    }

    fn list(&mut self, list: &ListNode) -> Result<(), InterpolateError> {
        list.nodes.iter().try_for_each(|node| self.node(node))
    }

    fn node(&mut self, node: &Node) -> Result<(), InterpolateError> {
        match node {
            Node::Text(_) => Ok(()),
            Node::List(list) => self.list(list),
            Node::Action(action) => {
                let kept =
                    self.dot_fields == DotFields::Keep && dot_field_action(self.text, action.pos).is_some();
                if kept { Ok(()) } else { self.pipe(&action.pipe) }
            }
            Node::If(branch) | Node::With(branch) => self.branch(branch, 0),
            Node::Range(branch) => self.branch(branch, 1),
            Node::Template(call) => call.pipe.as_ref().map_or(Ok(()), |pipe| self.pipe(pipe)),
            Node::Define(define) => self.body(&define.body),
            Node::Break(pos) if self.loops == 0 => Err(self.error(*pos, "{{break}} outside {{range}}")),
            Node::Continue(pos) if self.loops == 0 => Err(self.error(*pos, "{{continue}} outside {{range}}")),
            Node::Break(_) | Node::Continue(_) => Ok(()),
        }
    }

    fn branch(&mut self, branch: &BranchNode, loops: usize) -> Result<(), InterpolateError> {
        let outer = self.variables.len();
        self.pipe(&branch.pipe)?;
        self.loops += loops;
        self.list(&branch.body)?;
        self.loops -= loops;
        if let Some(body) = &branch.else_body {
            self.list(body)?;
        }
        self.variables.truncate(outer);
        Ok(())
    }

    fn pipe(&mut self, pipe: &PipeNode) -> Result<(), InterpolateError> {
        pipe.commands.iter().flat_map(|command| &command.args).try_for_each(|arg| self.expr(arg))?;
        if pipe.is_assign {
            return pipe.decl.iter().try_for_each(|name| self.variable(name, pipe.pos));
        }
        self.variables.extend(pipe.decl.iter().map(ToString::to_string));
        Ok(())
    }

    fn expr(&mut self, expr: &Expr) -> Result<(), InterpolateError> {
        match expr {
            Expr::Identifier(pos, name) if !(self.known)(name) => {
                Err(self.error(*pos, &format!("function {name:?} not defined", name = name.as_str())))
            }
            Expr::Variable(pos, name, _) => self.variable(name, *pos),
            Expr::Pipe(_, pipe) => self.pipe(pipe),
            Expr::Chain(_, inner, _) => self.expr(inner),
            _ => Ok(()),
        }
    }

    fn variable(&self, name: &str, pos: Pos) -> Result<(), InterpolateError> {
        match self.variables.iter().any(|known| known == name) {
            true => Ok(()),
            false => Err(self.error(pos, &format!("undefined variable {name:?}"))),
        }
    }

    fn error(&self, pos: Pos, message: &str) -> InterpolateError {
        parse_error(line_of(self.text, pos.offset.min(self.text.len())), message)
    }
}
