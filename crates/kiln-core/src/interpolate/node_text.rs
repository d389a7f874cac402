//! Parts of a template as Go prints them in errors: `<build `Host` | upper>`.

use gotmpl::parse::{CommandNode, Expr, PipeNode, Pos, SmolStr};

/// Returns a command: its words with one space between.
pub(super) fn command_text(text: &str, command: &CommandNode) -> String {
    let words: Vec<String> = command.args.iter().map(|arg| expr_text(text, arg)).collect();
    words.join(" ")
}

/// Returns a pipeline.
pub(super) fn pipe_text(text: &str, pipe: &PipeNode) -> String {
    let declared: Vec<&str> = pipe.decl.iter().map(SmolStr::as_str).collect();
    let commands: Vec<String> = pipe.commands.iter().map(|command| command_text(text, command)).collect();
    let sign = if pipe.is_assign { "=" } else { ":=" };
    match declared.is_empty() {
        true => commands.join(" | "),
        false => format!("{} {sign} {}", declared.join(", "), commands.join(" | ")),
    }
}

/// Returns one word of a command.
pub(super) fn expr_text(text: &str, expr: &Expr) -> String {
    match expr {
        Expr::Dot(_) => ".".to_owned(),
        Expr::Field(_, fields) => chain(String::new(), fields),
        Expr::Variable(_, name, fields) => chain(name.to_string(), fields),
        Expr::Identifier(_, name) => name.to_string(),
        Expr::String(pos, _) | Expr::Number(pos, _) => literal(text, *pos).to_owned(),
        Expr::Bool(_, value) => value.to_string(),
        Expr::Nil(_) => "nil".to_owned(),
        Expr::Pipe(_, pipe) => format!("({})", pipe_text(text, pipe)),
        Expr::Chain(_, inner, fields) => chain(expr_text(text, inner), fields),
    }
}

fn chain(start: String, fields: &[SmolStr]) -> String {
    fields.iter().fold(start, |text, field| text + "." + field)
}

/// Returns a literal as it is written.
fn literal(text: &str, pos: Pos) -> &str {
    let rest = text.get(pos.offset..).unwrap_or_default();
    let end = match rest.chars().next() {
        Some('`') => rest[1..].find('`').map(|at| at + 2),
        Some(quote @ ('"' | '\'')) => closing(&rest[1..], quote).map(|at| at + 2),
        _ => rest.find(|c: char| c.is_whitespace() || matches!(c, ')' | '|' | '}' | ',')),
    };
    &rest[..end.unwrap_or(rest.len())]
}

/// Returns where the quote that ends the literal is; a backslash takes the next character with it.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, character)| {
        let ends = character == quote && !escaped;
        escaped = character == '\\' && !escaped;
        ends.then_some(at)
    })
}
