//! JSON text to [`Template`]: every fault of its shape, in Packer's stages and words.

use std::sync::LazyLock;

use kiln_core::diagnostic::{Fault, nearest};
use kiln_core::span::{Source, Span};
use kiln_core::value::{Entry, Kind, Object, Value};

use super::messages::{Stage, decoding_errors, first, multi_error, told};
use super::model::{Builder, Override, PostProcessor, Provisioner, Template, Variable, Word};
use super::parse::{Duplicate, ParseError, Parsed, parse, to_text};
use super::shape::{Fields, find, go_kind, unconvertible, without};
use crate::failure::LoadError;
use crate::source::TemplateInput;

/// Keys of the root object with the names that Packer's messages give them.
const ROOT_KEYS: [(&str, &str); 10] = [
    ("min_packer_version", "min_packer_version"),
    ("description", "Description"),
    ("builders", "builders"),
    ("comments", "Comments"),
    ("push", "Push"),
    ("post-processors", "post-processors"),
    ("provisioners", "Provisioners"),
    ("error-cleanup-provisioner", "error-cleanup-provisioner"),
    ("variables", "Variables"),
    ("sensitive-variables", "sensitive-variables"),
];

static EMPTY: LazyLock<Object> = LazyLock::new(Object::new);

/// Reads a template.
pub fn load(input: &TemplateInput) -> Result<Template, LoadError> {
    let source = Source::new(&input.name, to_text(&input.text));
    let read = match parse(&input.text, &source) {
        Ok(parsed) => read(parsed),
        Err(error) => Err(broken(error, &input.text)),
    };
    match read {
        Ok(template) => Ok(Template { name: input.name.clone(), path: input.path.clone(), ..template }),
        Err(LoadError { message, faults }) => Err(LoadError {
            message: format!(
                "Failed to parse file as legacy JSON template: if you are using an HCL template, check your file \
                 extensions; they should be either *.pkr.hcl or *.pkr.json; see the docs for more details: \
                 https://www.packer.io/docs/templates/hcl_templates. \nOriginal error: {message}"
            ),
            faults,
        }),
    }
}

fn broken(error: ParseError, text: &[u8]) -> LoadError {
    match error {
        ParseError::Syntax(error, span) => {
            let fault = Fault { hint: error.hint.clone(), ..Fault::new(&error.message).at(Some(span)) };
            LoadError::new(format!("Error parsing JSON: {}", error.placed(text))).fault(fault)
        }
        ParseError::Number(number, span) => {
            let message = format!("json: cannot unmarshal number {number} into Go value of type float64");
            LoadError::new(&message).fault(Fault::new(message).at(Some(span)))
        }
    }
}

/// Reads what was parsed. Every stage is gone through; Packer's text is that of the first with faults.
fn read(Parsed { value, duplicates }: Parsed) -> Result<Template, LoadError> {
    let object = match &value.kind {
        Kind::Object(object) => object,
        Kind::Null => &EMPTY,
        _ => {
            let message = format!("'' expected a map, got '{}'", go_kind(&value));
            let hint = "a template is an object: { \"builders\": [ … ] }";
            return Err(LoadError::new(&message).fault(Fault::new(message).at(value.span.clone()).hint(hint)));
        }
    };
    let mut reader = Reader { template: Template::default(), elements: Stage::new(multi_error) };
    let shape = reader.root(object);
    let stages =
        vec![duplicate_keys(duplicates), shape, comments(object), unknown_keys(object), reader.elements];
    match told(stages) {
        None => Ok(reader.template),
        Some((message, faults)) => Err(LoadError { message, faults }),
    }
}

fn duplicate_keys(duplicates: Vec<Duplicate>) -> Stage {
    let mut stage = Stage::new(first);
    for Duplicate { key, first, again } in duplicates {
        let fault = Fault::new(format!("template has duplicate field: {key}")).at(Some(again));
        stage.add(fault.hint(format!("it stands first at {first}")));
    }
    stage
}

/// Root keys that no field reads, sorted.
fn unused(object: &Object) -> Vec<(&str, &Entry)> {
    let used: Vec<&str> = ROOT_KEYS
        .iter()
        .filter_map(|(key, shown)| root_entry(object, key, shown))
        .map(|(key, _)| key)
        .collect();
    let mut unused: Vec<_> = object
        .iter()
        .map(|(key, entry)| (key.as_str(), entry))
        .filter(|(key, _)| !used.contains(key))
        .collect();
    unused.sort_by_key(|(key, _)| *key);
    unused
}

fn root_entry<'a>(object: &'a Object, key: &str, shown: &str) -> Option<(&'a str, &'a Entry)> {
    // The exact spelling that wins is that of Packer's declaration.
    let found = object.get_key_value(shown).map(|(key, entry)| (key.as_str(), entry));
    found.or_else(|| find(object, key))
}

fn comments(object: &Object) -> Stage {
    let mut stage = Stage::new(first);
    for (key, entry) in unused(object) {
        if key.starts_with('_') && entry.value.as_str().is_none() {
            let message = format!("Failed to cast root level comment value in comment {key:?} to string.");
            stage.add(Fault::new(message).at(entry.value.span.clone()).hint("write the comment in quotes"));
        }
    }
    stage
}

fn unknown_keys(object: &Object) -> Stage {
    let mut stage = Stage::new(multi_error);
    for (key, entry) in unused(object) {
        if key.starts_with('_') {
            continue;
        }
        let known = || ROOT_KEYS.iter().map(|(key, _)| *key);
        let hint = match nearest(&key.to_lowercase(), known()) {
            Some(near) => format!("is `{near}` meant?"),
            None => {
                let known: Vec<&str> = known().collect();
                format!("known are {}; a key that starts with `_` is a comment", known.join(", "))
            }
        };
        let message = format!("Unknown root level key in template: '{key}'");
        stage.add(Fault::new(message).at(entry.key_span.clone()).hint(hint));
    }
    stage
}

/// Reads the root's fields and then what is in them.
struct Reader {
    template: Template,
    elements: Stage,
}

impl Reader {
    /// Returns the faults of the root's own shape; those of the elements are gathered apart.
    fn root(&mut self, object: &Object) -> Stage {
        let mut fields = Fields::new(object);
        self.template.min_version = fields
            .string("min_packer_version", "min_packer_version", false)
            .filter(|word| !word.text.is_empty());
        self.template.description =
            fields.string("description", "Description", false).map(|word| word.text).unwrap_or_default();
        self.template.sensitive = fields.strings("sensitive-variables", "sensitive-variables");
        check_comments(&mut fields);
        fields.object("push", "Push");
        if let Some(variables) = fields.object("variables", "Variables") {
            self.variables(variables);
        }
        for (index, raw) in fields.list("builders", "builders").iter().enumerate() {
            self.builder(index + 1, raw);
        }
        for (index, raw) in fields.list("post-processors", "post-processors").iter().enumerate() {
            self.chain(index + 1, raw);
        }
        for (index, raw) in fields.list("provisioners", "Provisioners").iter().enumerate() {
            match provisioner(raw) {
                Ok(provisioner) => self.template.provisioners.push(provisioner),
                Err(wrong) => self.wrong(&format!("provisioner {}", index + 1), wrong),
            }
        }
        if let Some(entry) = fields.find("error-cleanup-provisioner") {
            match provisioner(&entry.value) {
                Ok(provisioner) => self.template.error_cleanup = Some(provisioner),
                Err(wrong) => self.wrong("On Error Cleanup Provisioner error", wrong),
            }
        }
        let mut shape = Stage::new(decoding_errors);
        fields.faults.into_iter().for_each(|fault| shape.add(fault));
        shape
    }

    fn wrong(&mut self, what: &str, Wrong { line, faults }: Wrong) {
        let faults =
            faults.into_iter().map(|fault| Fault { message: format!("{what}: {}", fault.message), ..fault });
        self.elements.add_all(format!("{what}: {line}"), faults.collect());
    }

    fn variables(&mut self, variables: &Object) {
        for (name, entry) in variables {
            let default = match &entry.value.kind {
                Kind::String(text) => Some(text.clone()),
                Kind::Null => None,
                _ => {
                    let message = format!("variable {name}: {}", unconvertible("", "string", &entry.value));
                    let hint = match &entry.value.kind {
                        Kind::Number(number) => format!("write it in quotes: \"{}\"", number.as_str()),
                        Kind::Bool(flag) => format!("write it in quotes: \"{flag}\""),
                        _ => "variables of JSON templates are strings; join several values with commas"
                            .to_owned(),
                    };
                    self.elements.add(Fault::new(message).at(entry.value.span.clone()).hint(hint));
                    continue;
                }
            };
            let (span, default_span) = (entry.key_span.clone(), entry.value.span.clone());
            self.template.variables.insert(name.clone(), Variable { default, span, default_span });
        }
    }

    fn builder(&mut self, number: usize, raw: &Value) {
        let what = format!("builder {number}");
        let fields = match Element::read(raw) {
            Ok(fields) => fields,
            Err(wrong) => return self.wrong(&what, wrong),
        };
        let Element { object, mut fields } = fields;
        let kind = fields.string("type", "Type", true);
        let name = fields.string("name", "Name", true).filter(|name| !name.text.is_empty());
        if !fields.faults.is_empty() {
            return self.wrong(&what, Wrong::decoding(fields.faults));
        }
        let Some(kind) = kind.filter(|kind| !kind.text.is_empty()) else {
            let hint = missing_type(object, "alicloud-ecs");
            return self
                .wrong(&what, Wrong::one(Fault::new("missing 'type'").at(raw.span.clone()).hint(hint)));
        };
        let name = name.unwrap_or_else(|| kind.clone());
        if let Some(other) = self.template.builders.iter().find(|other| other.name.text == name.text) {
            let first = other.name.span.as_ref().map(Span::to_string).unwrap_or_default();
            let fault =
                Fault::new(format!("builder with name '{}' already exists", name.text)).at(name.span.clone());
            let hint = format!("the first is at {first}; give this one a `name` of its own");
            return self.wrong(&what, Wrong::one(fault.hint(hint)));
        }
        let config = without(object, &["name", "type"], &raw.span);
        self.template.builders.push(Builder { kind, name, config });
    }

    fn chain(&mut self, number: usize, raw: &Value) {
        let alone = std::slice::from_ref(raw);
        let elements = match &raw.kind {
            Kind::String(_) | Kind::Object(_) => alone,
            Kind::List(elements) => elements,
            _ => {
                let message = format!("post-processor {number}: bad format");
                let hint = "a post-processor is a name, an object with a `type`, or a list of these";
                return self.elements.add(Fault::new(message).at(raw.span.clone()).hint(hint));
            }
        };
        // Packer looks into no element of a chain that also holds something else.
        let misshapen = elements.iter().any(|raw| !matches!(raw.kind, Kind::String(_) | Kind::Object(_)));
        let mut chain = Vec::new();
        for (index, raw) in elements.iter().enumerate() {
            let what = format!("post-processor {number}.{}", index + 1);
            let fault = |message, hint| Wrong::one(Fault::new(message).at(raw.span.clone()).hint(hint));
            match &raw.kind {
                Kind::String(_) | Kind::Object(_) => match post_processor(raw) {
                    Ok(post_processor) => chain.push(post_processor),
                    Err(_) if misshapen => {}
                    Err(wrong) => self.wrong(&what, wrong),
                },
                Kind::List(_) => {
                    let hint = "lists do not nest: name its elements here, or make it a chain of its own";
                    self.wrong(&what, fault("sequence not allowed to be nested in a sequence", hint));
                }
                _ => {
                    self.wrong(&what, fault("unknown format", "a name or an object with a `type` is wanted"))
                }
            }
        }
        self.template.post_processors.push(chain);
    }
}

/// What is wrong with one element: Packer's line, and the faults it stands for.
struct Wrong {
    line: String,
    faults: Vec<Fault>,
}

impl Wrong {
    fn one(fault: Fault) -> Wrong {
        Wrong { line: fault.message.clone(), faults: vec![fault] }
    }

    fn decoding(faults: Vec<Fault>) -> Wrong {
        let lines: Vec<String> = faults.iter().map(|fault| fault.message.clone()).collect();
        Wrong { line: decoding_errors(&lines), faults }
    }

    fn prefixed(mut self, prefix: &str) -> Wrong {
        self.line.insert_str(0, prefix);
        self
    }
}

/// An element that is an object.
struct Element<'a> {
    object: &'a Object,
    fields: Fields<'a>,
}

impl<'a> Element<'a> {
    fn read(raw: &'a Value) -> Result<Element<'a>, Wrong> {
        match &raw.kind {
            Kind::Object(object) => Ok(Element { object, fields: Fields::new(object) }),
            // Like an empty object: what is missing is said next.
            Kind::Null => Ok(Element { object: &EMPTY, fields: Fields::new(&EMPTY) }),
            _ => {
                let message = format!("'' expected a map, got '{}'", go_kind(raw));
                let hint = "an object with a `type` is wanted";
                Err(Wrong::one(Fault::new(message).at(raw.span.clone()).hint(hint)))
            }
        }
    }
}

fn provisioner(raw: &Value) -> Result<Provisioner, Wrong> {
    const SPECIAL: [&str; 7] =
        ["type", "only", "except", "override", "pause_before", "timeout", "max_retries"];
    let Element { object, mut fields } =
        Element::read(raw).map_err(|wrong| wrong.prefixed("Error decoding provisioner: "))?;
    let kind = fields.string("type", "Type", false);
    let filter = fields.filter();
    let overrides = fields.object("override", "Override").into_iter().flatten();
    let overrides = overrides.map(|(name, entry)| {
        (name.clone(), Override { span: entry.key_span.clone(), config: entry.value.clone() })
    });
    let overrides = overrides.collect();
    let pause_before = fields.duration("pause_before");
    let timeout = fields.duration("timeout");
    let max_retries = max_retries(&mut fields);
    if !fields.faults.is_empty() {
        return Err(Wrong::decoding(fields.faults).prefixed("Error decoding provisioner: "));
    }
    let Some(kind) = kind.filter(|kind| !kind.text.is_empty()) else {
        let hint = missing_type(object, "shell");
        return Err(Wrong::one(Fault::new("Provisioner missing 'type'").at(raw.span.clone()).hint(hint)));
    };
    let config = without(object, &SPECIAL, &raw.span);
    Ok(Provisioner { kind, filter, overrides, pause_before, timeout, max_retries, config })
}

/// A number, or a text that may be a template.
fn max_retries(fields: &mut Fields<'_>) -> Option<Word> {
    let value = &fields.find("max_retries")?.value;
    if let Kind::Number(number) = &value.kind {
        return Some(Word { text: number.as_str().to_owned(), span: value.span.clone() });
    }
    fields.string("max_retries", "max_retries", false).filter(|word| !word.text.is_empty())
}

fn post_processor(raw: &Value) -> Result<PostProcessor, Wrong> {
    const SPECIAL: [&str; 5] = ["type", "name", "only", "except", "keep_input_artifact"];
    if let Some(text) = raw.as_str() {
        let kind = Word { text: text.to_owned(), span: raw.span.clone() };
        if text.is_empty() {
            return Err(Wrong::one(Fault::new("type is required").at(raw.span.clone())));
        }
        let config = Value { span: raw.span.clone(), ..Kind::Object(Object::new()).into() };
        let (name, filter) = (text.to_owned(), Default::default());
        return Ok(PostProcessor { kind, name, filter, keep_input_artifact: None, config });
    }
    let Element { object, mut fields } = Element::read(raw)?;
    let kind = fields.string("type", "Type", false);
    let name = fields.string("name", "Name", false).map(|name| name.text).filter(|name| !name.is_empty());
    let filter = fields.filter();
    let keep_input_artifact = fields.flag("keep_input_artifact");
    if !fields.faults.is_empty() {
        return Err(Wrong::decoding(fields.faults));
    }
    let Some(kind) = kind.filter(|kind| !kind.text.is_empty()) else {
        let hint = missing_type(object, "manifest");
        return Err(Wrong::one(Fault::new("type is required").at(raw.span.clone()).hint(hint)));
    };
    let name = name.unwrap_or_else(|| kind.text.clone());
    let config = without(object, &SPECIAL, &raw.span);
    Ok(PostProcessor { kind, name, filter, keep_input_artifact, config })
}

/// What to do about an object without a `type`.
fn missing_type(object: &Object, example: &str) -> String {
    match nearest("type", object.keys().map(String::as_str).filter(|key| *key != "type")) {
        _ if object.contains_key("type") => format!("give it a text, such as \"type\": \"{example}\""),
        Some(near) => format!("is `{near}` meant to be `type`?"),
        None => format!("say what it is, such as \"type\": \"{example}\""),
    }
}

/// `comments`, a slot that is open to templates by accident: a list of objects of strings.
fn check_comments(fields: &mut Fields<'_>) {
    for (index, comment) in fields.list("comments", "Comments").iter().enumerate() {
        let shown = format!("Comments[{index}]");
        match &comment.kind {
            Kind::Object(object) => {
                for (key, entry) in object {
                    if !matches!(entry.value.kind, Kind::String(_) | Kind::Null) {
                        let message = unconvertible(&format!("{shown}[{key}]"), "string", &entry.value);
                        fields.fault(message, &entry.value);
                    }
                }
            }
            Kind::Null => {}
            _ => {
                fields.fault(format!("'{shown}' expected a map, got '{}'", go_kind(comment)), comment);
            }
        }
    }
}
