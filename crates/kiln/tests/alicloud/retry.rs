//! `-on-error=ask`, answered with `r`: a step that failed is run again, whatever its failed call did.

use alicloud_local::{FaultEffect, FaultRule};

use super::fixture::{TestCloud, shell, template};
use crate::support::terminal::Screen;

const QUESTION: &str = "[r] retry step (build may fail even if retry succeeds)? ";

/// Fails the first call of `action` and tries the step again.
fn retried(action: &str, effect: FaultEffect) {
    let cloud = TestCloud::start();
    cloud.add_fault(FaultRule { nth: 1, ..FaultRule::new(action, effect) });
    let world = cloud.world_with(&template("", &shell("echo hello > /etc/hello")));
    let mut running = world.at_terminal(&["build", "-color=false", "-on-error=ask", "t.json"], Screen::All);
    running.wait_for(QUESTION);
    running.type_in("r\n");
    let (screen, output) = running.finish();
    assert_eq!(output.code, 0, "{action}: {screen}");
    assert_eq!(cloud.inventory().images.len(), 1, "{action}: {screen}");
    cloud.assert_only_images(&screen);
    assert_eq!(world.kiln(&["gc"]).expect(0), "Nothing is left behind.\n", "{action}: {screen}");
}

const CREATING: [&str; 6] =
    ["ImportKeyPair", "CreateVpc", "CreateVSwitch", "CreateSecurityGroup", "RunInstances", "CreateImage"];

#[test]
fn a_step_refused_before_its_effect_may_be_tried_again() {
    for action in CREATING {
        retried(
            action,
            FaultEffect::Refuse { code: "OperationDenied".to_owned(), message: None, status: None },
        );
    }
}

#[test]
fn a_step_refused_after_its_effect_may_be_tried_again() {
    for action in CREATING {
        retried(
            action,
            FaultEffect::FailAfter { code: "OperationDenied".to_owned(), message: None, status: None },
        );
    }
}
