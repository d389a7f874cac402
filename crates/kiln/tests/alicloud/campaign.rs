//! The fault campaign (`xtask::campaign`, where the builds and the troubles are listed): each call of a build fails, in
//! each way a call can fail; the program is interrupted and killed at each record of its journal. Whatever happens, the
//! build ends, with the right exit code, and nothing is left behind. All of it, a test for each build.

use xtask::campaign::{Campaign, SCENARIOS, TROUBLES};

/// A build waits more than it works, and other tests run besides.
const AT_ONCE: usize = 6;

#[track_caller]
fn campaign(name: &str) {
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name).unwrap();
    let campaign = Campaign {
        kiln: env!("CARGO_BIN_EXE_kiln").into(),
        scenarios: vec![scenario.clone()],
        troubles: TROUBLES.to_vec(),
        at_once: AT_ONCE,
    };
    let report = campaign.run(&|_, _| {}).unwrap();
    println!("{report}");
    assert!(report.wrong.is_empty(), "{report}\n{}", report.wrong.join("\n"));
    assert!(report.cells() > 100 && report.missed() * 20 < report.cells(), "{report}");
}

#[test]
fn each_call_of_a_plain_build_may_fail() {
    campaign("plain");
}

#[test]
fn each_call_of_a_build_by_snapshot_may_fail() {
    campaign("data-disks");
}

#[test]
fn each_call_of_a_build_in_a_given_network_may_fail() {
    campaign("given-network");
}

#[test]
fn each_call_of_a_build_with_encrypted_copies_may_fail() {
    campaign("encrypted-copies");
}
