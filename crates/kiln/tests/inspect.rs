use super::support::World;

const TEMPLATE: &str = r#"{
  "description": "two machines",
  "variables": {"size": "20", "region": null, "token": "s3cret-text"},
  "sensitive-variables": ["token"],
  "builders": [{"type": "null", "communicator": "none"}, {"type": "null", "name": "web", "communicator": "none"}],
  "provisioners": [{"type": "shell-local", "inline": ["true"]}]
}"#;

#[test]
fn inspect_shows_what_a_template_is_made_of() {
    let out = World::with("t.json", TEMPLATE).kiln(&["inspect", "t.json"]).expect(0);
    insta::assert_snapshot!(out, @r"
    Packer Inspect: JSON mode
    Description:

    two machines

    Required variables:

      region

    Optional variables and their defaults:

      size   = 20
      token  = <sensitive>

    Builders:

      null
      web  (null)

    Provisioners:

      shell-local

    Note: If your build names contain user variables or template
    functions such as 'timestamp', these are processed at build time,
    and therefore only show in their raw form here.
    ");
}

#[test]
fn inspect_for_programs() {
    let out = World::with("t.json", TEMPLATE).kiln(&["inspect", "-machine-readable", "t.json"]).expect(0);
    insta::assert_snapshot!(out, @r"
    [TIME],,ui,say,Packer Inspect: JSON mode
    [TIME],,ui,say,Description:\n
    [TIME],,ui,say,two machines\n
    [TIME],,ui,say,Required variables:\n
    [TIME],,template-variable,region,,1
    [TIME],,ui,say,  region
    [TIME],,ui,say,
    [TIME],,ui,say,Optional variables and their defaults:\n
    [TIME],,template-variable,size,20,0
    [TIME],,ui,say,  size   = 20
    [TIME],,template-variable,token,<sensitive>,0
    [TIME],,ui,say,  token  = <sensitive>
    [TIME],,ui,say,
    [TIME],,ui,say,Builders:\n
    [TIME],,template-builder,null,null
    [TIME],,ui,say,  null
    [TIME],,template-builder,web,null
    [TIME],,ui,say,  web  (null)
    [TIME],,ui,say,
    [TIME],,ui,say,Provisioners:\n
    [TIME],,template-provisioner,shell-local
    [TIME],,ui,say,  shell-local
    [TIME],,ui,say,\nNote: If your build names contain user variables or template\nfunctions such as 'timestamp'%!(PACKER_COMMA) these are processed at build time%!(PACKER_COMMA)\nand therefore only show in their raw form here.
    ");
}

#[test]
fn inspect_without_a_template_shows_the_smallest() {
    let out = World::new().kiln(&["inspect"]).expect(0);
    insta::assert_snapshot!(out, @r"
    Packer Inspect: JSON mode
    Variables:

      <No variables>

    Builders:

      null

    Provisioners:

      <No provisioners>

    Note: If your build names contain user variables or template
    functions such as 'timestamp', these are processed at build time,
    and therefore only show in their raw form here.
    ");
}
