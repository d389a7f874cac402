//! Diagnostics for programs: the same facts as the text, as JSON.

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::{Diagnostic, Diagnostics, Fault, Severity};
use crate::span::Span;

impl Serialize for Diagnostics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.0)
    }
}

impl Serialize for Severity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}

impl Serialize for Diagnostic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Diagnostic", 6)?;
        out.serialize_field("severity", &self.severity)?;
        out.serialize_field("summary", &self.summary)?;
        out.serialize_field("detail", &self.packer_detail())?;
        out.serialize_field("place", &self.span.as_ref().map(Place))?;
        out.serialize_field("faults", &self.faults)?;
        out.serialize_field("hints", &self.hints)?;
        out.end()
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Fault", 3)?;
        out.serialize_field("message", &self.message)?;
        out.serialize_field("place", &self.span.as_ref().map(Place))?;
        out.serialize_field("hint", &self.hint)?;
        out.end()
    }
}

/// A span without the text it lies in: that may be long, and hold secrets.
struct Place<'a>(&'a Span);

impl Serialize for Place<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (start, end) = (self.0.position(), Span::new(&self.0.source, self.0.end, self.0.end).position());
        let mut out = serializer.serialize_struct("Place", 5)?;
        out.serialize_field("file", &self.0.source.name)?;
        out.serialize_field("line", &start.line)?;
        out.serialize_field("column", &start.column)?;
        out.serialize_field("end_line", &end.line)?;
        out.serialize_field("end_column", &end.column)?;
        out.end()
    }
}
