//! The profiles file: every mode, and everything that can be wrong with one.

use std::path::Path;

use alicloud_api::credentials::{Asked, Mode, Outside, ProfileFile, find};
use serde_json::json;

use super::{FILE, ground};

fn outside(file: &str) -> Outside {
    ground(&[], file).outside
}

fn read(file: &str) -> Result<ProfileFile, String> {
    ProfileFile::read(Path::new(FILE), &outside(file))
        .map_err(|error| error.to_string().replace(&format!("credentials file `{FILE}`: "), ""))
}

fn profile(profile: serde_json::Value) -> Result<String, String> {
    let mut profile = profile;
    profile["name"] = "p".into();
    let file = json!({"profiles": [profile]}).to_string();
    let asked = Asked { profile: Some("p".into()), ..Asked::default() };
    match find(&asked, &ground(&[], &file)) {
        Ok(found) => Ok(found.source),
        Err(error) => {
            Err(error.error.unwrap().to_string().replace(&format!("credentials file `{FILE}`: "), ""))
        }
    }
}

#[test]
fn the_tools_own_file_is_read() {
    // As the command-line tool writes it, empty texts and all.
    let file = r#"{
        "current": "ALI",
        "profiles": [{
            "name": "packer_sk", "mode": "AK", "access_key_id": "id", "access_key_secret": "hunter2", "sts_token": "",
            "sts_region": "", "ram_role_name": "", "ram_role_arn": "", "ram_session_name": "", "source_profile": "",
            "private_key": "", "key_pair_name": "", "expired_seconds": 0, "verified": "", "region_id": "",
            "output_format": "json", "language": "en", "site": "", "retry_timeout": 0, "connect_timeout": 0,
            "retry_count": 0, "process_command": "", "credentials_uri": "", "cloud_sso_sign_in_url": null
        }],
        "meta_path": ""
    }"#;
    let file = read(file).unwrap();
    assert_eq!((file.current.as_deref(), file.names()), (Some("ALI"), vec!["packer_sk"]));
    let profile = file.profile("packer_sk").unwrap();
    assert_eq!((profile.mode, profile.access_key_id.as_deref()), (Mode::Ak, Some("id")));
    assert!(profile.sts_token.is_none() && profile.region_id.is_none() && profile.expired_seconds.is_none());
    assert!(!format!("{file:?} {profile:?}").contains("hunter2"));
}

#[test]
fn modes_that_cannot_be_used_are_named() {
    for mode in ["RsaKeyPair", "CloudSSO", "OAuth", "BearerToken", "Anonymous"] {
        let error = profile(json!({"mode": mode})).unwrap_err();
        assert!(
            error.starts_with(&format!("profile `p`: mode `{mode}` cannot be used here; use one of AK, "))
        );
    }
    let error = profile(json!({"mode": "Magic"})).unwrap_err();
    assert!(error.starts_with("profile `p`: mode `Magic` is not known; known are AK, StsToken"), "{error}");
}

#[test]
fn each_mode_says_what_it_lacks() {
    let cases = [
        (json!({"mode": "AK", "access_key_id": "a"}), "mode AK needs `access_key_secret`"),
        (json!({}), "mode AK needs `access_key_id`"),
        (
            json!({"mode": "StsToken", "access_key_id": "a", "access_key_secret": "s"}),
            "mode StsToken needs `sts_token`",
        ),
        (
            json!({"mode": "RamRoleArn", "access_key_id": "a", "access_key_secret": "s", "ram_role_arn": ""}),
            "mode RamRoleArn needs `ram_role_arn`",
        ),
        (
            json!({"mode": "ChainableRamRoleArn", "ram_role_arn": "r"}),
            "mode ChainableRamRoleArn needs `source_profile`",
        ),
        (json!({"mode": "RamRoleArnWithRoleName"}), "mode RamRoleArnWithRoleName needs `ram_role_arn`"),
        (json!({"mode": "External"}), "mode External needs `process_command`"),
        (json!({"mode": "CredentialsURI"}), "mode CredentialsURI needs `credentials_uri`"),
        (
            json!({"mode": "OIDC", "oidc_provider_arn": "p", "ram_role_arn": "r"}),
            "mode OIDC needs `oidc_token_file`",
        ),
    ];
    for (given, expected) in cases {
        assert_eq!(profile(given).unwrap_err(), format!("profile `p`: {expected}"));
    }
    // The instance's own role needs no name, whatever the case of the mode.
    assert!(profile(json!({"mode": "ecsramrole"})).is_ok());
}

#[test]
fn odd_types_are_errors_that_show_no_value() {
    let cases = [
        (json!({"access_key_secret": ["hunter2"]}), "`access_key_secret` is a list; a text is wanted"),
        (json!({"access_key_id": 5}), "`access_key_id` is a number; a text is wanted"),
        (json!({"mode": true}), "`mode` is a boolean; a text is wanted"),
        (json!({"region_id": {"hunter2": 1}}), "`region_id` is an object; a text is wanted"),
        (json!({"expired_seconds": []}), "`expired_seconds` is a list; a number is wanted"),
        (json!({"expired_seconds": -1}), "`expired_seconds` is not within 900 and 43200"),
        (json!({"expired_seconds": 1e99}), "`expired_seconds` is not within 900 and 43200"),
    ];
    for (given, expected) in cases {
        assert_eq!(profile(given).unwrap_err(), format!("profile `p`: {expected}"));
    }
    let whole = [
        ("", "there is no such file"),
        ("hunter2", "it is not JSON (line 1, column 1)"),
        (r#"{"profiles": [{"name": "hunter2"#, "it is not JSON (line 1, column 31)"),
        ("[]", "a list is in it; an object with `profiles` is wanted"),
        ("{}", "there is no list `profiles` in it"),
        (r#"{"profiles": {}}"#, "`profiles` is an object; a list is wanted"),
        (r#"{"profiles": [7]}"#, "`profiles[0]` is a number; an object is wanted"),
        (r#"{"current": 7, "profiles": []}"#, "`current` is a number; a text is wanted"),
    ];
    for (file, expected) in whole {
        assert_eq!(read(file).map(|_| ()).unwrap_err(), expected, "{file}");
    }
    // What is wrong with one profile does no harm to another.
    let file = read(r#"{"profiles": [{"name": 3}, {"name": "bad", "mode": 1}, {"name": "good"}]}"#).unwrap();
    assert!(file.profile("bad").is_err() && file.profile("good").is_ok());
    // Nor does a mark at the beginning.
    assert!(read("\u{feff}{\"profiles\": []}").is_ok());
}

#[test]
fn the_home_folder_stands_for_a_tilde() {
    let outside = outside("");
    let place = |named: Option<&str>| ProfileFile::place(named, &outside).unwrap().display().to_string();
    assert_eq!(place(None), FILE);
    assert_eq!(place(Some("~/x.json")), "/home/u/x.json");
    assert_eq!(place(Some("~")), "/home/u/");
    assert_eq!(place(Some("~other/x")), "~other/x");
    assert_eq!(place(Some("a/~/x")), "a/~/x");
}
