//! Which exit statuses of a script count as success.

use kiln_core::error::{Error, Result};

/// Fails with Packer's words unless `status` is among `allowed` (empty: only 0 is).
pub(crate) fn check(status: i64, allowed: &[i64]) -> Result<()> {
    let allowed = if allowed.is_empty() { &[0] } else { allowed };
    if allowed.contains(&status) {
        return Ok(());
    }
    let list = allowed.iter().map(i64::to_string).collect::<Vec<_>>().join(" ");
    Err(Error::new(format!(
        "Script exited with non-zero exit status: {status}. Allowed exit codes are: [{list}]"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_lists_what_is_allowed_as_go_does() {
        assert!(check(0, &[]).is_ok());
        assert!(check(3, &[0, 3]).is_ok());
        assert_eq!(
            check(3, &[0, 1]).unwrap_err().to_string(),
            "Script exited with non-zero exit status: 3. Allowed exit codes are: [0 1]"
        );
    }
}
