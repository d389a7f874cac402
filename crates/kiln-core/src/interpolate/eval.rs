//! Renders a parsed text. The library underneath parses; evaluation is ours because Go's errors name the place and
//! the call (scripts search for them), and because functions here borrow what they ask of.

use std::sync::Arc;

use gotmpl::Value;
use gotmpl::parse::{BranchNode, CommandNode, Expr, ListNode, Node, Number, PipeNode, SmolStr, TemplateNode};

use super::builtins::{self, BuiltinError};
use super::errors::{Failure, TEMPLATE_NAME, execution_error};
use super::functions::{self, Args, CallError, Environment, Takes};
use super::node_text::{command_text, expr_text, pipe_text};
use super::parse::{DotFields, Parsed, dot_field_action};

/// Templates nested deeper than this do not end.
const DEEPEST: usize = 200;
/// All loops of a text together turn at most so often.
const MOST_TURNS: usize = 1_000_000;

/// Returns the text `parsed` (of `text`) renders to.
pub(super) fn evaluate(
    text: &str,
    parsed: &Parsed,
    dot_fields: DotFields,
    environment: &Environment<'_>,
    dot: &Value,
) -> Result<String, Failure> {
    let mut evaluation = Evaluation {
        text,
        parsed,
        dot_fields,
        environment,
        template: TEMPLATE_NAME.to_owned(),
        variables: vec![("$".into(), dot.clone())],
        out: String::with_capacity(text.len()),
        depth: 0,
        turns: 0,
    };
    // Break and continue outside a loop do not parse.
    evaluation.list(&parsed.top, dot)?;
    Ok(evaluation.out)
}

/// How the walk goes on after a node.
#[derive(PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

struct Evaluation<'a> {
    text: &'a str,
    parsed: &'a Parsed,
    dot_fields: DotFields,
    environment: &'a Environment<'a>,
    /// The `{{define}}` being executed.
    template: String,
    variables: Vec<(SmolStr, Value)>,
    out: String,
    depth: usize,
    turns: usize,
}

/// A part of the text an error may be about.
struct Place {
    offset: usize,
    node: String,
}

impl Evaluation<'_> {
    fn list(&mut self, list: &ListNode, dot: &Value) -> Result<Flow, Failure> {
        for node in &list.nodes {
            let flow = self.node(node, dot)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn node(&mut self, node: &Node, dot: &Value) -> Result<Flow, Failure> {
        match node {
            Node::Text(text) => self.out.push_str(&text.text),
            Node::List(list) => return self.list(list, dot),
            Node::Action(action) => {
                if self.dot_fields == DotFields::Keep
                    && let Some(source) = dot_field_action(self.text, action.pos)
                {
                    self.out.push_str(source);
                    return Ok(Flow::Next);
                }
                let value = self.pipe(&action.pipe, dot)?;
                if action.pipe.decl.is_empty() {
                    self.print(&value);
                }
            }
            Node::If(branch) => return self.branch(branch, dot, false),
            Node::With(branch) => return self.branch(branch, dot, true),
            Node::Range(branch) => return self.range(branch, dot),
            Node::Template(call) => self.template(call, dot)?,
            Node::Define(_) => {}
            Node::Break(_) => return Ok(Flow::Break),
            Node::Continue(_) => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    fn print(&mut self, value: &Value) {
        match value {
            Value::Nil => self.out.push_str("<no value>"),
            Value::String(text) => self.out.push_str(text),
            other => self.out.push_str(&other.to_string()),
        }
    }

    /// `if`, and `with`, inside which `.` is the value.
    fn branch(&mut self, branch: &BranchNode, dot: &Value, with: bool) -> Result<Flow, Failure> {
        self.enter(branch.pos.offset)?;
        let outer = self.variables.len();
        let value = self.pipe(&branch.pipe, dot)?;
        let flow = match value.is_truthy() {
            true => self.list(&branch.body, if with { &value } else { dot })?,
            false => self.else_body(branch, dot)?,
        };
        self.variables.truncate(outer);
        self.depth -= 1;
        Ok(flow)
    }

    fn else_body(&mut self, branch: &BranchNode, dot: &Value) -> Result<Flow, Failure> {
        branch.else_body.as_ref().map_or(Ok(Flow::Next), |body| self.list(body, dot))
    }

    fn range(&mut self, branch: &BranchNode, dot: &Value) -> Result<Flow, Failure> {
        self.enter(branch.pos.offset)?;
        let value = self.pipe_value(&branch.pipe, dot)?;
        let pairs: Box<dyn Iterator<Item = (Value, Value)>> = match &value {
            Value::List(items) => {
                Box::new(items.iter().enumerate().map(|(at, item)| (Value::Int(at as i64), item.clone())))
            }
            Value::Map(map) => {
                Box::new(map.iter().map(|(key, item)| (Value::String(Arc::clone(key)), item.clone())))
            }
            Value::Int(count) => Box::new((0..*count).map(|at| (Value::Int(at), Value::Int(at)))),
            Value::Nil => Box::new(std::iter::empty()),
            other => {
                let place =
                    Place { offset: branch.pipe.pos.offset, node: pipe_text(self.text, &branch.pipe) };
                return Err(self.error(&place, &format!("range can't iterate over {other}")));
            }
        };
        let mut turned = false;
        for (key, item) in pairs {
            turned = true;
            self.turns += 1;
            if self.turns > MOST_TURNS {
                let place =
                    Place { offset: branch.pipe.pos.offset, node: pipe_text(self.text, &branch.pipe) };
                return Err(self.error(&place, "too many iterations"));
            }
            let outer = self.variables.len();
            let bound: Vec<Value> = match branch.pipe.decl.len() {
                0 => Vec::new(),
                1 => vec![item.clone()],
                _ => vec![key, item.clone()],
            };
            for (name, value) in branch.pipe.decl.iter().zip(bound) {
                self.bind(name, value, branch.pipe.is_assign);
            }
            let flow = self.list(&branch.body, &item)?;
            self.variables.truncate(outer);
            if flow == Flow::Break {
                break;
            }
        }
        if !turned {
            self.else_body(branch, dot)?;
        }
        self.depth -= 1;
        Ok(Flow::Next)
    }

    fn template(&mut self, call: &TemplateNode, dot: &Value) -> Result<(), Failure> {
        self.enter(call.pos.offset)?;
        // Go gives a template called without an argument no data.
        let dot = call.pipe.as_ref().map_or(Ok(Value::Nil), |pipe| self.pipe(pipe, dot))?;
        let Some(body) = self.parsed.defines.get(call.name.as_str()) else {
            let node = format!("{{{{template {:?}}}}}", call.name.as_str());
            let message = format!("template {:?} not defined", call.name.as_str());
            return Err(self.error(&Place { offset: call.pos.offset, node }, &message));
        };
        // It sees nothing of its caller's variables.
        let variables = std::mem::replace(&mut self.variables, vec![("$".into(), dot.clone())]);
        let template = std::mem::replace(&mut self.template, call.name.to_string());
        self.list(body, &dot)?;
        self.variables = variables;
        self.template = template;
        self.depth -= 1;
        Ok(())
    }

    fn enter(&mut self, offset: usize) -> Result<(), Failure> {
        self.depth += 1;
        match self.depth > DEEPEST {
            true => {
                Err(self
                    .error(&Place { offset, node: "template".to_owned() }, "exceeded maximum template depth"))
            }
            false => Ok(()),
        }
    }

    fn bind(&mut self, name: &SmolStr, value: Value, assign: bool) {
        let known = self.variables.iter_mut().rev().find(|(known, _)| assign && known == name);
        match known {
            Some((_, slot)) => *slot = value,
            None => self.variables.push((name.clone(), value)),
        }
    }

    fn pipe(&mut self, pipe: &PipeNode, dot: &Value) -> Result<Value, Failure> {
        let value = self.pipe_value(pipe, dot)?;
        if let [name] = pipe.decl.as_slice() {
            self.bind(name, value.clone(), pipe.is_assign);
        }
        Ok(value)
    }

    fn pipe_value(&mut self, pipe: &PipeNode, dot: &Value) -> Result<Value, Failure> {
        let mut previous = None;
        for command in &pipe.commands {
            previous = Some(self.command(command, dot, previous)?);
        }
        Ok(previous.unwrap_or(Value::Nil))
    }

    fn command(
        &mut self,
        command: &CommandNode,
        dot: &Value,
        piped: Option<Value>,
    ) -> Result<Value, Failure> {
        let place = Place { offset: command.pos.offset, node: command_text(self.text, command) };
        let Some((first, args)) = command.args.split_first() else { return Ok(Value::Nil) };
        match first {
            Expr::Identifier(_, name) => self.call(name, args, piped, dot, &place),
            Expr::Chain(_, inner, fields) if matches!(**inner, Expr::Identifier(..)) => {
                let Expr::Identifier(_, name) = &**inner else { return Ok(Value::Nil) };
                let value = self.call(name, args, piped, dot, &place)?;
                self.fields(value, fields, &place)
            }
            _ if piped.is_some() || !args.is_empty() => {
                let node = expr_text(self.text, first);
                Err(self.error(&place, &format!("can't give argument to non-function {node}")))
            }
            Expr::Nil(_) => Err(self.error(&place, "nil is not a command")),
            _ => self.expr(first, dot),
        }
    }

    fn expr(&mut self, expr: &Expr, dot: &Value) -> Result<Value, Failure> {
        let place = || Place { offset: expr.pos().offset, node: expr_text(self.text, expr) };
        match expr {
            Expr::Dot(_) => Ok(dot.clone()),
            Expr::Field(_, fields) => self.fields(dot.clone(), fields, &place()),
            Expr::Variable(_, name, fields) => {
                let value = self
                    .variables
                    .iter()
                    .rev()
                    .find(|(known, _)| known == name)
                    .map(|(_, value)| value.clone());
                // Parsing has refused names nobody declared.
                self.fields(value.unwrap_or(Value::Nil), fields, &place())
            }
            Expr::Identifier(_, name) => {
                let place = place();
                self.call(name, &[], None, dot, &place)
            }
            Expr::String(_, text) => Ok(Value::String(Arc::clone(text))),
            Expr::Number(_, Number::Int(whole)) => Ok(Value::Int(*whole)),
            Expr::Number(_, Number::Float(number)) => Ok(Value::Float(*number)),
            Expr::Number(_, Number::Uint(whole)) => {
                Err(self.error(&place(), &format!("{whole} overflows int")))
            }
            Expr::Bool(_, value) => Ok(Value::Bool(*value)),
            Expr::Nil(_) => Ok(Value::Nil),
            Expr::Pipe(_, pipe) => self.pipe(pipe, dot),
            Expr::Chain(_, inner, fields) => {
                let place = place();
                let value = self.expr(inner, dot)?;
                self.fields(value, fields, &place)
            }
        }
    }

    fn fields(&self, mut value: Value, fields: &[SmolStr], place: &Place) -> Result<Value, Failure> {
        for (at, field) in fields.iter().enumerate() {
            value = match &value {
                Value::Map(map) => map.get(field.as_str()).cloned().unwrap_or(Value::Nil),
                // No data at all: as if the key were missing.
                Value::Nil if at == 0 => Value::Nil,
                Value::Nil => {
                    return Err(self.error(place, &format!("nil pointer evaluating interface {{}}.{field}")));
                }
                other => {
                    let kind = other.type_name();
                    return Err(self.error(place, &format!("can't evaluate field {field} in type {kind}")));
                }
            };
        }
        Ok(value)
    }

    fn call(
        &mut self,
        name: &str,
        args: &[Expr],
        piped: Option<Value>,
        dot: &Value,
        place: &Place,
    ) -> Result<Value, Failure> {
        if name == "and" || name == "or" {
            return self.and_or(name, args, piped, dot, place);
        }
        let mut values = Vec::with_capacity(args.len() + 1);
        for arg in args {
            values.push(self.expr(arg, dot)?);
        }
        values.extend(piped);
        if let Some(function) = functions::find(name) {
            self.check_args(function.name, function.takes, function.more, args, &values, place)?;
            return self.outcome(name, (function.call)(self.environment, &Args(&values)), place);
        }
        if let Some(function) = self.environment.extra.and_then(|extra| extra.get(name)) {
            self.check_args(name, &[Takes::Text], false, args, &values, place)?;
            let argument = values.first().and_then(Value::as_str).unwrap_or_default();
            return self.outcome(name, functions::call_extra(function, argument), place);
        }
        builtins::call(name, &values).map_err(|error| match error {
            BuiltinError::ArgumentCount(message) => self.error(place, &message),
            BuiltinError::Failed(message) => self.error(place, &format!("error calling {name}: {message}")),
        })
    }

    fn outcome(&self, name: &str, result: Result<Value, CallError>, place: &Place) -> Result<Value, Failure> {
        result.map_err(|error| match error {
            CallError::Message(message) => self.error(place, &format!("error calling {name}: {message}")),
            CallError::Undefined(variable) => {
                let message = format!("error calling {name}: Error: variable not set: {variable}");
                match self.error(place, &message) {
                    Failure::Error(error) => Failure::Undefined { name: variable, error },
                    other => other,
                }
            }
        })
    }

    /// `and` and `or` look at no more arguments than they must.
    fn and_or(
        &mut self,
        name: &str,
        args: &[Expr],
        piped: Option<Value>,
        dot: &Value,
        place: &Place,
    ) -> Result<Value, Failure> {
        let mut last = None;
        for arg in args {
            let value = self.expr(arg, dot)?;
            if value.is_truthy() == (name == "or") {
                return Ok(value);
            }
            last = Some(value);
        }
        let message = || format!("wrong number of args for {name}: want at least 1 got 0");
        piped.or(last).ok_or_else(|| self.error(place, &message()))
    }

    fn check_args(
        &self,
        name: &str,
        takes: &[Takes],
        more: bool,
        args: &[Expr],
        values: &[Value],
        place: &Place,
    ) -> Result<(), Failure> {
        if values.len() < takes.len() || (!more && values.len() > takes.len()) {
            let want = if more { format!("at least {}", takes.len()) } else { takes.len().to_string() };
            let message = format!("wrong number of args for {name}: want {want} got {}", values.len());
            return Err(self.error(place, &message));
        }
        for (at, value) in values.iter().enumerate() {
            let take = takes.get(at).copied().unwrap_or(Takes::Text);
            let fits = match take {
                Takes::Text => matches!(value, Value::String(_)),
                Takes::Whole => matches!(value, Value::Int(_)),
            };
            if fits {
                continue;
            }
            let Some(arg) = args.get(at) else {
                return Err(self.error(place, &wrong_type(take, value)));
            };
            let place = Place { offset: arg.pos().offset, node: expr_text(self.text, arg) };
            let message = match (take, arg) {
                (Takes::Text, Expr::Nil(_)) => "cannot assign nil to string".to_owned(),
                (Takes::Text, Expr::Number(..) | Expr::Bool(..)) => {
                    format!("expected string; found {}", place.node)
                }
                (Takes::Whole, Expr::Nil(_)) => "cannot assign nil to int".to_owned(),
                (Takes::Whole, Expr::String(..) | Expr::Bool(..) | Expr::Number(..)) => {
                    format!("expected integer; found {}", place.node)
                }
                _ => wrong_type(take, value),
            };
            return Err(self.error(&place, &message));
        }
        Ok(())
    }

    fn error(&self, place: &Place, message: &str) -> Failure {
        Failure::Error(execution_error(self.text, place.offset, &self.template, &place.node, message))
    }
}

fn wrong_type(take: Takes, value: &Value) -> String {
    let expected = match take {
        Takes::Text => "string",
        Takes::Whole => "int",
    };
    match value {
        Value::Nil => format!("invalid value; expected {expected}"),
        other => format!("wrong type for value; expected {expected}; got {}", other.type_name()),
    }
}
