//! Flags that several commands share.

use crate::flags::{Flag, Kind};

/// Which builds, and what variables they get.
pub const TEMPLATE: &[Flag] = &[
    Flag { name: "only", kind: Kind::List("foo,bar,baz"), help: "Only these builds." },
    Flag {
        name: "except",
        kind: Kind::List("foo,bar,baz"),
        help: "All builds and post-processors but these.",
    },
    Flag { name: "var", kind: Kind::Pair("'key=value'"), help: "Sets a variable; may be given many times." },
    Flag {
        name: "var-file",
        kind: Kind::Repeated("path"),
        help: "A JSON file with variables; may be given many times, the later wins.",
    },
    Flag {
        name: "config-type",
        kind: Kind::Choice(&["json", "hcl2"]),
        help: "The language where the template's name does not decide it. (Default: json)",
    },
];

/// HCL2 only.
pub const EVALUATION: &[Flag] = &[Flag {
    name: "use-sequential-evaluation",
    kind: Kind::Bool(false),
    help: "HCL2 templates: data sources first, then locals. JSON templates have neither.",
}];

/// Where to find plug-ins; Kiln's parts are built in.
pub const PLUGINS: &[Flag] = &[Flag {
    name: "ignore-prerelease-plugins",
    kind: Kind::Bool(false),
    help: "Leaves out plug-ins in pre-release; everything built into Kiln is released.",
}];

/// Journals.
pub const STATE: &[Flag] = &[Flag {
    name: "state-dir",
    kind: Kind::Text("DIR"),
    help: "Where journals of runs are kept. (Default: $KILN_STATE_DIR, ~/.local/state/kiln)",
}];

/// The embedded cloud.
pub const LOCAL_CLOUD: &[Flag] = &[
    Flag {
        name: "local-speed",
        kind: Kind::Factor("F"),
        help: "How many times faster its states pass than in the real one. (Default: 60)",
    },
    Flag {
        name: "local-state",
        kind: Kind::Text("DIR"),
        help: "Keeps its images and everything else in this folder, for the next run.",
    },
    Flag {
        name: "local-with",
        kind: Kind::Text("FILE"),
        help: "A JSON file that says what the account owns from the beginning.",
    },
];

/// How fast the embedded cloud's time passes unless the user says otherwise: a build of minutes takes seconds.
pub const LOCAL_SPEED: f64 = 60.0;
