//! Who calls, as the resource name of his key says it.

/// Who signed a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The account itself, which may do everything in it.
    Root,
    /// A user of the account, by name.
    User(String),
    /// A session of a role.
    Role {
        /// The role's name.
        name: String,
        /// The session's.
        session: String,
    },
    /// Nobody known: the few actions that need no signature.
    Nobody,
}

impl Identity {
    /// Reads `acs:ram::<account>:root`, `…:user/<name>` or `…:role/<name>/<session>`.
    pub fn of(arn: &str) -> Identity {
        let Some((_, rest)) = arn.rsplit_once(':') else { return Identity::Nobody };
        match rest.split('/').collect::<Vec<_>>()[..] {
            ["root"] => Identity::Root,
            ["user", name] => Identity::User(name.to_owned()),
            ["role", name, session] => Identity::Role { name: name.to_owned(), session: session.to_owned() },
            _ => Identity::Nobody,
        }
    }

    /// Returns the names by which a trust policy may mean this identity of an account: its own, and the account's,
    /// which stands for everybody in it.
    pub fn names(&self, uid: &str) -> Vec<String> {
        let account = format!("acs:ram::{uid}:root");
        match self {
            Identity::Root => vec![account],
            Identity::User(name) => vec![format!("acs:ram::{uid}:user/{name}"), account],
            Identity::Role { name, .. } => vec![format!("acs:ram::{uid}:role/{name}"), account],
            Identity::Nobody => Vec::new(),
        }
    }
}

/// Returns account and name of a role from its resource name, `acs:ram::<account>:role/<name>`.
pub fn role_of_arn(arn: &str) -> Option<(&str, &str)> {
    let (account, role) = arn.strip_prefix("acs:ram::")?.split_once(":role/")?;
    (!account.is_empty() && !role.is_empty() && !role.contains('/')).then_some((account, role))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_who_calls() {
        assert_eq!(Identity::of("acs:ram::1:root"), Identity::Root);
        assert_eq!(Identity::of("acs:ram::1:user/ann"), Identity::User("ann".to_owned()));
        let session = Identity::Role { name: "builder".to_owned(), session: "i-1".to_owned() };
        assert_eq!(Identity::of("acs:ram::1:role/builder/i-1"), session);
        assert_eq!(session.names("1"), ["acs:ram::1:role/builder", "acs:ram::1:root"]);
        assert_eq!(Identity::of(""), Identity::Nobody);
        assert_eq!(role_of_arn("acs:ram::1:role/builder"), Some(("1", "builder")));
        assert_eq!(role_of_arn("acs:ram::1:role/"), None);
        assert_eq!(role_of_arn("acs:ecs::1:role/builder"), None);
    }
}
