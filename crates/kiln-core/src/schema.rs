//! What a component's configuration looks like, read off its one declaration.

mod markdown;
mod read;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};

/// The fields of a configuration.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Schema {
    /// In order of declaration.
    pub fields: Vec<Field>,
}

/// One field.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name in templates.
    pub name: String,
    /// Other names it may have.
    pub aliases: Vec<String>,
    /// What it takes.
    pub kind: FieldKind,
    /// Its documentation (the doc comment).
    pub doc: String,
    /// Whether it must be given.
    pub required: bool,
    /// Its default as shown in the documentation.
    pub default: Option<String>,
    /// Whether it is rendered when it is used, and not when the component is prepared (`execute_command`).
    pub late: bool,
    /// Its name in Packer's messages where that is not its name in templates (`Inline`).
    pub packer_name: Option<String>,
}

/// What a field takes.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldKind {
    /// Text.
    String,
    /// Text that is never shown.
    Secret,
    /// One of these texts.
    Choice(Vec<String>),
    /// `true` or `false`.
    Bool,
    /// Unset, `true` or `false`; an empty string is unset.
    TriBool,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// Go syntax, or nanoseconds.
    Duration,
    /// A list.
    List(Box<FieldKind>),
    /// Any keys.
    Map(Box<FieldKind>),
    /// Fixed keys.
    Object(Schema),
    /// Anything.
    Any,
}

impl Schema {
    /// Returns the schema of `T`.
    ///
    /// What the types and doc comments do not say, `T`'s fields carry as `#[schemars(extend("x-…" = …))]`:
    /// - `"x-late" = true`: the field is rendered when it is used;
    /// - `"x-alias" = ["old_name"]`: other names, besides `#[serde(alias)]`, which schemars does not see;
    /// - `"x-default" = "text"`: the default as the documentation shows it, where it is not the type's own;
    /// - `"x-packer-name" = "Inline"`: the name in Packer's decoding errors.
    pub fn of<T: JsonSchema>() -> Schema {
        (*Schema::shared::<T>()).clone()
    }

    /// Returns the schema of `T`, which is read once in the life of the program.
    pub fn shared<T: JsonSchema>() -> Arc<Schema> {
        type Known = RwLock<HashMap<usize, Arc<Schema>>>;
        static KNOWN: OnceLock<Known> = OnceLock::new();
        // `T` need not be `'static`, so it has no `TypeId`; the function that describes it is as good: two types
        // may share one only if they are described alike.
        let describe: fn(&mut SchemaGenerator) -> schemars::Schema = T::json_schema;
        let key = describe as usize;
        let known = KNOWN.get_or_init(Known::default);
        if let Some(schema) = known.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(schema);
        }
        let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
        let root = settings.into_generator().into_root_schema_for::<T>();
        let schema = Arc::new(read::schema(root.as_value()));
        known.write().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&schema));
        schema
    }

    /// Returns the field called `name` (or by one of its aliases). Templates may write names in any case.
    pub fn field(&self, name: &str) -> Option<&Field> {
        let exact = |field: &&Field| field.names().any(|known| known == name);
        let any_case = |field: &&Field| field.names().any(|known| known.eq_ignore_ascii_case(name));
        self.fields.iter().find(exact).or_else(|| self.fields.iter().find(any_case))
    }

    /// Returns the fields as a Markdown table, in order of declaration; fields of fields follow as `a.b`.
    pub fn to_markdown(&self) -> String {
        markdown::table(self)
    }
}

impl Field {
    /// Returns all names the field has in templates, its own first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.aliases.iter().map(String::as_str))
    }
}

impl FieldKind {
    /// Returns whether a value of this kind must never be shown, in whole or in part.
    pub fn is_secret(&self) -> bool {
        match self {
            FieldKind::Secret => true,
            FieldKind::List(inner) | FieldKind::Map(inner) => inner.is_secret(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
