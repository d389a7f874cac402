use super::support::World;

#[test]
fn version_names_packers_and_its_own() {
    let own = format!("Packer v1.16.0\nKiln v{}\n", env!("CARGO_PKG_VERSION"));
    for spelling in ["version", "-v", "-version", "--version"] {
        assert_eq!(World::new().kiln(&[spelling]).expect(0), own, "{spelling}");
    }
}

#[test]
fn version_for_programs() {
    let out = World::new().kiln(&["-machine-readable", "version"]).expect(0);
    let out = out.replace(env!("CARGO_PKG_VERSION"), "[VERSION]");
    insta::assert_snapshot!(out, @r"
    [TIME],,version,1.16.0
    [TIME],,version-prelease,
    [TIME],,version-commit,
    [TIME],,ui,say,Packer v1.16.0
    [TIME],,ui,say,Kiln v[VERSION]
    ");
}
