//! `-only` and `-except`: which builds run.

use kiln_core::diagnostic::{Diagnostic, Fault, nearest};

/// What the command line selects. Empty lists select everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// `-only`: nothing else runs.
    pub only: Vec<String>,
    /// `-except`: these do not run; also ends post-processor chains.
    pub except: Vec<String>,
}

impl Selection {
    /// Returns whether a build of a JSON template is selected: names are compared whole. A `*` is not a pattern
    /// there (`-only='*'` ends in "No builds to run").
    pub fn selects_exactly(&self, name: &str) -> bool {
        (self.only.is_empty() || self.only.iter().any(|only| only == name)) && !self.excepts_exactly(name)
    }

    /// Returns whether `-except` names exactly this build or post-processor.
    pub fn excepts_exactly(&self, name: &str) -> bool {
        self.except.iter().any(|except| except == name)
    }

    /// Returns what to tell about names that select nothing. `names` are those that can be selected.
    pub fn unmatched(&self, names: &[&str]) -> Vec<Fault> {
        let all = [("only", &self.only), ("except", &self.except)];
        let given = all.iter().flat_map(|(flag, given)| given.iter().map(move |name| (flag, name)));
        given
            .filter(|(_, name)| !name.is_empty() && !names.contains(&name.as_str()))
            .map(|(flag, name)| {
                let hint = match nearest(name, names.iter().copied()) {
                    _ if name.contains(['*', '?', '[', '{']) => {
                        format!("JSON templates take whole names, not patterns: {}", names.join(", "))
                    }
                    Some(near) => format!("is `{near}` meant?"),
                    None => format!("names are: {}", names.join(", ")),
                };
                Fault::new(format!("`-{flag}={name}` matches nothing")).hint(hint)
            })
            .collect()
    }
}

/// Returns the error of a `build` that has nothing to do.
pub fn no_builds_to_run() -> Diagnostic {
    Diagnostic::error("No builds to run").detail(
        "A build command cannot run without at least one build to process. If the only or except flags have been \
         specified at run time check that at least one build is selected for execution.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_whole() {
        let only = |names: &[&str]| Selection {
            only: names.iter().map(|name| (*name).to_owned()).collect(),
            except: Vec::new(),
        };
        assert!(Selection::default().selects_exactly("a"));
        assert!(only(&["a", "b"]).selects_exactly("a"));
        assert!(!only(&["*"]).selects_exactly("a"));
        let both = Selection { except: vec!["a".into()], ..only(&["a"]) };
        assert!(!both.selects_exactly("a"));
        let told = only(&["wbe", "*"]).unmatched(&["web", "db"]);
        assert_eq!(told[0].hint.as_deref(), Some("is `web` meant?"));
        assert_eq!(told[1].hint.as_deref(), Some("JSON templates take whole names, not patterns: web, db"));
    }
}
