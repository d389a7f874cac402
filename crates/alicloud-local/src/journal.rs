//! What was asked of the cloud: one record a call, with secrets masked.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

/// How many calls are remembered: enough for thousands of builds, bounded for a cloud that serves for weeks.
const REMEMBERED: usize = 200_000;

/// One call and how it was answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CallRecord {
    /// Counts the calls from 1.
    pub seq: u64,
    /// When the call arrived, in milliseconds since 1970.
    pub at_ms: i64,
    /// The product, such as `Ecs`.
    pub product: String,
    /// The action, such as `RunInstances`; empty when the request named none.
    pub action: String,
    /// The parameters of the action, without those of the signature; secrets read `<hidden>`.
    pub params: BTreeMap<String, String>,
    /// `OK`, the error code, or `DROPPED` when a fault rule cut the connection.
    pub outcome: String,
    /// The request id in the answer.
    pub request_id: String,
}

/// Parameters whose values are secrets.
const SECRET: &[&str] =
    &["OIDCToken", "Password", "UserData", "SecurityToken", "AccessKeySecret", "PrivateKeyBody", "Signature"];

/// Returns the value of a parameter as it may be shown.
pub fn shown(name: &str, value: &str) -> String {
    if SECRET.contains(&name) { "<hidden>".to_owned() } else { value.to_owned() }
}

/// The calls so far.
#[derive(Debug, Default)]
pub struct Journal {
    next: u64,
    records: VecDeque<CallRecord>,
}

impl Journal {
    /// Appends a record and numbers it.
    pub fn append(&mut self, mut record: CallRecord) {
        self.next += 1;
        record.seq = self.next;
        if self.records.len() == REMEMBERED {
            self.records.pop_front();
        }
        self.records.push_back(record);
    }

    /// Returns the calls remembered, oldest first.
    pub fn records(&self) -> Vec<CallRecord> {
        self.records.iter().cloned().collect()
    }
}
