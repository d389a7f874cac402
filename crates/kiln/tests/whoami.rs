use super::support::World;

#[test]
fn without_credentials_every_source_is_told() {
    let out = World::new().kiln(&["whoami"]);
    let sources = [
        "`profile` of the template (not given)",
        "ALICLOUD_PROFILE names (not set)",
        "ALIBABA_CLOUD_CREDENTIALS_URI",
    ];
    for source in sources {
        assert!(out.stderr.contains(source), "{}", out.stderr);
    }
    assert!(out.expect(1).starts_with("no credentials: (ALICLOUD_ACCESS_KEY and ALICLOUD_SECRET_KEY) or"));
}

#[test]
fn in_the_embedded_cloud_its_own_key_serves_for_a_profile() {
    let template = r#"{"builders": [{"type": "alicloud-ecs", "profile": "nowhere", "image_name": "image",
        "source_image": "m-1", "instance_type": "ecs.g6.large", "ssh_username": "root"}]}"#;
    let world = World::with("t.json", template);
    let out = world.kiln(&["whoami", "-local", "t.json"]);
    assert!(
        out.stderr.contains("in the embedded cloud its own key serves instead of profile"),
        "{}",
        out.stderr
    );
    let text = out.expect(0);
    for line in [
        "kind:        Account",
        "region:      cn-hangzhou",
        "credentials: the embedded cloud",
        "expires:     never",
    ] {
        assert!(text.contains(line), "{text}");
    }
    // Outside of it, the file is named.
    let text = world.kiln(&["whoami", "t.json"]).expect(1);
    assert!(text.contains(".aliyun/config.json`: there is no such file"), "{text}");
}
