//! From the provisioned instance to the images: copies, encryption, shares, replaced images, families. A template goes
//! in; compared are the calls, what exists afterwards, the lines, the artifact and the exit code.

use std::collections::{BTreeMap, BTreeSet};

use alicloud_local::{CallRecord, Existing, FaultEffect, FaultRule};
use nix::sys::signal::Signal;

use super::fixture::{TestCloud, template};
use crate::support::Output;

/// A build, and the cloud it worked in.
struct Built {
    cloud: TestCloud,
    code: i32,
    said: String,
    hints: String,
}

impl Built {
    fn of(fields: &str) -> Built {
        Built::in_cloud(TestCloud::start(), fields, &[])
    }

    /// A build in a cloud that does `effect` to the calls of `action` with these parameters.
    fn with_fault(fields: &str, action: &str, with: &[(&str, &str)], effect: FaultEffect) -> Built {
        let cloud = TestCloud::start();
        let with = with.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        cloud.add_fault(FaultRule { with, ..FaultRule::new(action, effect) });
        Built::in_cloud(cloud, fields, &[])
    }

    fn in_cloud(cloud: TestCloud, fields: &str, flags: &[&str]) -> Built {
        let world = cloud.world_with(&template(fields, ""));
        let arguments = [&["build", "-color=false"], flags, &["t.json"]].concat();
        let Output { code, stdout, stderr } = world.kiln(&arguments);
        assert_eq!(world.kiln(&["gc"]).expect(0), "Nothing is left behind.\n", "{stdout}{stderr}");
        Built { cloud, code, said: stdout, hints: stderr }
    }

    #[track_caller]
    fn succeeds(self) -> Built {
        assert_eq!(self.code, 0, "{}{}", self.said, self.hints);
        self.cloud.assert_only_images(&self.said);
        self
    }

    #[track_caller]
    fn fails_and_leaves_nothing(self) -> Built {
        assert_eq!(self.code, 1, "{}{}", self.said, self.hints);
        self.cloud.assert_empty(&self.said);
        self
    }

    fn calls(&self, action: &str) -> Vec<CallRecord> {
        self.cloud.calls().into_iter().filter(|call| call.action == action).collect()
    }

    /// The image of a region.
    #[track_caller]
    fn image(&self, region: &str) -> Existing {
        let images: Vec<_> =
            self.cloud.inventory().images.into_iter().filter(|image| image.region == region).collect();
        assert_eq!(images.len(), 1, "{images:?}\n{}", self.said);
        images.into_iter().next().unwrap()
    }

    fn regions(&self) -> Vec<String> {
        let images = self.cloud.inventory().images;
        images.into_iter().map(|image| image.region).collect::<BTreeSet<_>>().into_iter().collect()
    }

    #[track_caller]
    fn says(&self, lines: &[&str]) {
        let mut rest = self.said.as_str();
        for line in lines {
            let at = rest.find(line);
            let at = at.unwrap_or_else(|| panic!("`{line}` is missing or out of order:\n{}", self.said));
            rest = &rest[at + line.len()..];
        }
    }

    /// The calls of `action` in the order they came, each as the number it has among all calls.
    fn when(&self, action: &str) -> Vec<u64> {
        self.calls(action).iter().map(|call| call.seq).collect()
    }
}

fn param<'a>(call: &'a CallRecord, name: &str) -> &'a str {
    call.params.get(name).map(String::as_str).unwrap_or_default()
}

/// Two copies, the first of them named.
const TWO_COPIES: &str = r#"
    "image_copy_regions": ["cn-shanghai", "cn-hangzhou", "cn-shanghai"],
    "image_copy_names": ["kiln-in-shanghai"],
    "image_description": "made by a test",
    "boot_mode": "UEFI",
    "target_image_family": "web""#;

#[test]
fn copies_are_awaited_and_carry_everything_and_the_family_comes_last() {
    let built = Built::of(TWO_COPIES).succeeds();
    let home = built.image("cn-beijing");
    let (shanghai, hangzhou) = (built.image("cn-shanghai"), built.image("cn-hangzhou"));
    assert_eq!(home.name, "kiln-test");
    assert_eq!(shanghai.name, "kiln-in-shanghai");
    assert_eq!(hangzhou.name, format!("kiln-test_{}", home.id));
    let inventory = built.cloud.inventory();
    for image in &inventory.images {
        assert_eq!((image.status.as_str(), image.detail.as_str()), ("Available", "web"), "{image:?}");
        assert_eq!(image.tags, BTreeMap::from([("app".to_owned(), "web".to_owned())]), "{image:?}");
    }
    assert_eq!(inventory.snapshots.len(), 3);
    for snapshot in &inventory.snapshots {
        assert_eq!(snapshot.tags, BTreeMap::from([("app".to_owned(), "web".to_owned())]), "{snapshot:?}");
    }
    built.says(&[
        "==> alicloud-ecs: Creating image: kiln-test\n",
        "==> alicloud-ecs: Adding tags(map[app:web]) to snapshot: s-",
        &format!("==> alicloud-ecs: Coping image {} from cn-beijing...\n", home.id),
        &format!("alicloud-ecs: Copy image from cn-beijing({}) to cn-shanghai({})\n", home.id, shanghai.id),
        &format!("alicloud-ecs: Copy image from cn-beijing({}) to cn-hangzhou({})\n", home.id, hangzhou.id),
        "==> alicloud-ecs: Cleaning up 'instance'\n",
        &format!(
            "--> alicloud-ecs: Alicloud images were created:\n\ncn-beijing: {}\ncn-hangzhou: {}\ncn-shanghai: {}\n",
            home.id, hangzhou.id, shanghai.id
        ),
    ]);
    let copies = built.calls("CopyImage");
    assert_eq!(copies.len(), 2);
    for copy in &copies {
        assert_eq!(param(copy, "RegionId"), "cn-beijing");
        assert_eq!(param(copy, "DestinationDescription"), "made by a test");
        assert_eq!(param(copy, "Encrypted"), "", "unset stays unset");
        assert_eq!((param(copy, "Tag.1.Key"), param(copy, "Tag.1.Value")), ("app", "web"));
    }
    // Both began before either was looked at.
    let looks = built.calls("DescribeImages").into_iter();
    let copied = |call: &CallRecord| [&shanghai.id, &hangzhou.id].contains(&&call.params["ImageId"]);
    let first = looks.filter(|call| call.params.contains_key("ImageId")).find(|call| copied(call)).unwrap();
    assert!(copies.iter().all(|copy| copy.seq < first.seq));
    assert_eq!(param(&built.calls("CreateImage")[0], "ImageFamily"), "");
    let families: Vec<_> = built.calls("ModifyImageAttribute");
    let families: Vec<_> = families.iter().filter(|call| param(call, "ImageFamily") == "web").collect();
    assert_eq!(families.len(), 3);
    let others = ["CopyImage", "TagResources", "DescribeImages"].map(|action| built.when(action));
    let last = others.into_iter().flatten().filter(|seq| *seq < families[0].seq).max().unwrap();
    assert!(last < families[0].seq && built.when("CopyImage").iter().all(|seq| *seq < last));
}

#[test]
fn without_copies_the_image_is_created_in_its_family() {
    let built = Built::of(r#""target_image_family": "web""#).succeeds();
    assert_eq!(param(&built.calls("CreateImage")[0], "ImageFamily"), "web");
    assert_eq!(built.calls("ModifyImageAttribute").len(), 0);
    assert_eq!(built.image("cn-beijing").detail, "web");
}

#[test]
fn an_encrypted_image_is_a_copy_and_the_temporary_one_goes() {
    let fields = r#"
    "image_encrypted": "true", "kms_key_id": "key-home",
    "image_copy_regions": "cn-shanghai", "image_copy_kms_ids": ["key-shanghai"],
    "image_ignore_data_disks": true"#;
    let built = Built::of(fields).succeeds();
    let temporary = &built.calls("CreateImage")[0];
    let name = param(temporary, "ImageName");
    assert!(name.len() == 14 && name.starts_with("packer_"), "{name}");
    let home = built.image("cn-beijing");
    assert_eq!(home.name, "kiln-test");
    let copies: Vec<_> = built
        .calls("CopyImage")
        .iter()
        .map(|call| ["DestinationRegionId", "Encrypted", "KMSKeyId"].map(|name| param(call, name).to_owned()))
        .collect();
    assert_eq!(copies, [["cn-shanghai", "true", "key-shanghai"], ["cn-beijing", "true", "key-home"]]);
    let source = param(&built.calls("CopyImage")[0], "ImageId").to_owned();
    built.says(&[
        "==> alicloud-ecs: Creating snapshot from system disk ",
        &format!("==> alicloud-ecs: Creating temporary image for encryption: {name}\n"),
        &format!("==> alicloud-ecs: Coping image {source} from cn-beijing...\n"),
        &format!("alicloud-ecs: Copy image from cn-beijing({source}) to cn-shanghai("),
        &format!("alicloud-ecs: Copy image from cn-beijing({source}) to cn-beijing({})\n", home.id),
        &format!(
            "==> alicloud-ecs: Deleting temporary image {source}({name}) and related snapshots after finishing \
             encryption...\n"
        ),
    ]);
    // Only the snapshots of the copies are left; the first one had an end of its own.
    assert_eq!(built.cloud.inventory().snapshots.len(), 2);
    assert_eq!(param(&built.calls("CreateSnapshot")[0], "RetentionDays"), "2");
}

#[test]
fn an_image_of_encrypted_disks_needs_no_encrypted_copy() {
    let fields = r#"
    "image_encrypted": true, "kms_key_id": "key-1",
    "system_disk_mapping": {"disk_encrypted": true, "disk_kms_key_id": "key-1"}"#;
    let built = Built::of(fields).succeeds();
    assert_eq!(built.calls("CopyImage").len(), 0);
    assert!(built.hints.contains("no encrypted copy of it is made"), "{}", built.hints);
    built.says(&["==> alicloud-ecs: Creating image: kiln-test\n"]);
}

#[test]
fn image_encrypted_false_makes_the_image_directly_and_plain_copies() {
    let built = Built::of(r#""image_encrypted": false, "image_copy_regions": ["cn-shanghai"]"#).succeeds();
    assert_eq!(param(&built.calls("CreateImage")[0], "ImageName"), "kiln-test");
    let copies = built.calls("CopyImage");
    assert_eq!(copies.len(), 1);
    assert_eq!(param(&copies[0], "Encrypted"), "false");
    assert_eq!(built.regions(), ["cn-beijing", "cn-shanghai"]);
}

#[test]
fn the_builds_own_region_needs_no_copy() {
    let built =
        Built::of(r#""image_copy_regions": ["cn-beijing"], "image_copy_names": ["other"]"#).succeeds();
    assert_eq!(built.calls("CopyImage").len(), 0);
    assert!(!built.said.contains("Coping image"), "{}", built.said);
}

#[test]
fn a_copy_that_cannot_be_made_fails_the_build_at_once_and_nothing_stays() {
    let to_hangzhou = [("DestinationRegionId", "cn-hangzhou")];
    let built = Built::with_fault(TWO_COPIES, "CopyImage", &to_hangzhou, FaultEffect::CreationFails)
        .fails_and_leaves_nothing();
    built.says(&[
        "Stopping copy image because cancellation or error...\n",
        "Deleting the image and related snapshots because of cancellation or error...\n",
        "finish copying: copy `m-",
        "` in `cn-hangzhou` cannot become ready: CreateFailed",
    ]);
    let refused = FaultEffect::Refuse { code: "OperationDenied".to_owned(), message: None, status: None };
    let built = Built::with_fault(TWO_COPIES, "CopyImage", &to_hangzhou, refused).fails_and_leaves_nothing();
    built.says(&["Error copying images: SDK.ServerError"]);
}

#[test]
fn a_copy_that_is_not_ready_in_time_is_cancelled() {
    let fields = format!("{TWO_COPIES}, \"wait_copying_image_ready_timeout\": 1");
    let built = Built::with_fault(
        &fields,
        "CopyImage",
        &[("DestinationRegionId", "cn-hangzhou")],
        FaultEffect::Stuck,
    )
    .fails_and_leaves_nothing();
    assert_eq!(built.calls("CancelCopyImage").len(), 1);
    built.says(&["Timeout waiting image m-", " finish copying: waited 1s for copy `m-"]);
    assert!(
        format!("{}{}", built.said, built.hints).contains("raise `wait_copying_image_ready_timeout`"),
        "{}",
        built.hints
    );
}

#[test]
fn a_failed_copy_may_be_left_out_and_then_no_family_is_switched() {
    let fields = format!("{TWO_COPIES}, \"copy_failure\": \"warn\"");
    let built = Built::with_fault(
        &fields,
        "CopyImage",
        &[("DestinationRegionId", "cn-hangzhou")],
        FaultEffect::CreationFails,
    )
    .succeeds();
    assert_eq!(built.regions(), ["cn-beijing", "cn-shanghai"]);
    assert!(built.cloud.inventory().images.iter().all(|image| image.detail.is_empty()));
    let warned = "the image was not copied to cn-hangzhou: ";
    assert!(format!("{}{}", built.said, built.hints).contains(warned), "{}{}", built.said, built.hints);
    assert_eq!(built.cloud.inventory().snapshots.len(), 2);
}

#[test]
fn an_interrupt_while_copying_cancels_the_copies() {
    let cloud = TestCloud::start();
    cloud.add_fault(FaultRule { times: 0, ..FaultRule::new("CopyImage", FaultEffect::Stuck) });
    let world = cloud.world_with(&template(TWO_COPIES, ""));
    let mut running = world.start(&["build", "-color=false", "t.json"]);
    running.wait_for("to cn-hangzhou(");
    running.signal(Signal::SIGINT);
    let said = running.finish().expect(1);
    assert!(said.contains("Stopping copy image because cancellation or error...\n"), "{said}");
    cloud.assert_empty(&said);
    assert_eq!(cloud.calls().iter().filter(|call| call.action == "CancelCopyImage").count(), 2);
    assert_eq!(world.kiln(&["gc"]).expect(0), "Nothing is left behind.\n");
}

fn accounts(count: u64) -> String {
    let accounts: Vec<String> = (0..count).map(|number| format!("\"1000000000{number:03}\"")).collect();
    accounts.join(", ")
}

#[test]
fn shares_are_sent_in_portions_of_ten_and_only_what_changes() {
    let fields = format!(
        r#""image_copy_regions": ["cn-shanghai"], "image_share_account": [{}], "image_unshare_account": ["2000000000"]"#,
        accounts(23)
    );
    let built = Built::of(&fields).succeeds();
    for region in ["cn-beijing", "cn-shanghai"] {
        let calls = built.calls("ModifyImageSharePermission").into_iter();
        let calls: Vec<_> = calls.filter(|call| param(call, "RegionId") == region).collect();
        let sent =
            |call: &CallRecord, kind: &str| call.params.keys().filter(|name| name.starts_with(kind)).count();
        let sizes: Vec<_> =
            calls.iter().map(|call| (sent(call, "AddAccount"), sent(call, "RemoveAccount"))).collect();
        // Nobody has a new image, so nothing is taken back.
        assert_eq!(sizes, [(10, 0), (10, 0), (3, 0)], "{region}");
    }
}

#[test]
fn a_share_that_fails_is_taken_back() {
    let cloud = TestCloud::start();
    let refused = FaultEffect::Refuse { code: "OperationDenied".to_owned(), message: None, status: None };
    cloud.add_fault(FaultRule { nth: 2, ..FaultRule::new("ModifyImageSharePermission", refused) });
    let fields = format!("\"image_share_account\": [{}]", accounts(12));
    let built = Built::in_cloud(cloud, &fields, &[]).fails_and_leaves_nothing();
    built.says(&[
        "==> alicloud-ecs: Restoring image share permission because cancellations or error...\n",
        "==> alicloud-ecs: Deleting the image and related snapshots because of cancellation or error...\n",
        "Failed modifying image share permissions: SDK.ServerError",
    ]);
    let calls = built.calls("ModifyImageSharePermission");
    let taken_back: BTreeSet<&str> = calls
        .iter()
        .flat_map(|call| &call.params)
        .filter(|(name, _)| name.starts_with("RemoveAccount"))
        .map(|(_, account)| account.as_str())
        .collect();
    assert_eq!(taken_back.len(), 10, "{calls:?}");
}

/// An account that has images of the names the build wants.
const OLD_IMAGES: &str = r#"{"images": [
    {"id": "m-old", "region": "cn-beijing", "name": "kiln-test"},
    {"id": "m-old-copy", "region": "cn-shanghai", "name": "kiln-in-shanghai"},
    {"id": "m-other", "region": "cn-shanghai", "name": "kiln-in-shanghai-2"}
]}"#;

#[test]
fn an_old_image_goes_only_when_the_new_one_has_its_name() {
    let built = Built::in_cloud(TestCloud::with(OLD_IMAGES), TWO_COPIES, &["-force"]).succeeds();
    built.says(&[
        "Force delete flag found, skipping prevalidating image name.\n",
        "==> alicloud-ecs: Deleting duplicated image and snapshot in cn-beijing: kiln-test\n",
        "==> alicloud-ecs: Deleting duplicated image and snapshot in cn-shanghai: kiln-in-shanghai\n",
        "==> alicloud-ecs: Creating image: kiln-test\n",
    ]);
    let images = built.cloud.inventory().images;
    let names: BTreeSet<_> =
        images.iter().map(|image| (image.region.as_str(), image.name.as_str())).collect();
    let home = images.iter().find(|image| image.name == "kiln-test").unwrap();
    let unnamed = format!("kiln-test_{}", home.id);
    let expected = [
        ("cn-beijing", "kiln-test"),
        ("cn-hangzhou", unnamed.as_str()),
        ("cn-shanghai", "kiln-in-shanghai"),
        ("cn-shanghai", "kiln-in-shanghai-2"),
    ];
    assert_eq!(names, BTreeSet::from(expected));
    assert!(images.iter().all(|image| !["m-old", "m-old-copy"].contains(&image.id.as_str())));
    let last_rename = built
        .calls("ModifyImageAttribute")
        .into_iter()
        .rfind(|call| ["kiln-test", "kiln-in-shanghai"].contains(&param(call, "ImageName")));
    assert!(built.when("DeleteImage").iter().all(|seq| *seq > last_rename.as_ref().unwrap().seq));
}

#[test]
fn an_old_image_keeps_its_name_if_the_build_fails() {
    let refused = || FaultEffect::Refuse { code: "OperationDenied".to_owned(), message: None, status: None };
    // While it is made; when the new one takes its name; when its family is switched.
    for (action, with) in [
        ("CreateImage", ("RegionId", "cn-beijing")),
        ("ModifyImageAttribute", ("ImageName", "kiln-test")),
        ("ModifyImageAttribute", ("ImageFamily", "web")),
    ] {
        let cloud = TestCloud::with(OLD_IMAGES);
        let with = BTreeMap::from([(with.0.to_owned(), with.1.to_owned())]);
        cloud.add_fault(FaultRule { with, ..FaultRule::new(action, refused()) });
        let built = Built::in_cloud(cloud, TWO_COPIES, &["-force"]);
        assert_eq!(built.code, 1, "{}", built.said);
        let images = built.cloud.inventory().images;
        let left: BTreeSet<_> = images.iter().map(|image| (image.id.as_str(), image.name.as_str())).collect();
        let expected =
            [("m-old", "kiln-test"), ("m-old-copy", "kiln-in-shanghai"), ("m-other", "kiln-in-shanghai-2")];
        assert_eq!(left, BTreeSet::from(expected), "{action}\n{}", built.said);
        built.cloud.assert_only_images(&built.said);
    }
}

#[test]
fn names_and_regions_of_copies_are_looked_at_first() {
    let built = Built::in_cloud(TestCloud::with(OLD_IMAGES), TWO_COPIES, &[]);
    assert_eq!(built.code, 1);
    built.says(&[
        "Error: Image Name: 'kiln-test' is used by an existing alicloud image: m-old\n",
        "Error: Image Name: 'kiln-in-shanghai' is used by an existing alicloud image: m-old-copy",
    ]);
    let built = Built::of(r#""image_copy_regions": ["cn-shanghi", "nowhere", "cn-hangzhou"]"#);
    assert_eq!(built.code, 1);
    built.says(&["Not a valid alicloud region: cn-shanghi\n", "Not a valid alicloud region: nowhere"]);
    assert!(built.calls("RunInstances").is_empty());
}

#[test]
fn a_snapshot_that_stays_has_the_images_tags_alone() {
    let built = Built::of(r#""image_ignore_data_disks": true, "run_tags": {"purpose": "build"}"#).succeeds();
    let inventory = built.cloud.inventory();
    assert_eq!(inventory.snapshots.len(), 1);
    assert_eq!(inventory.snapshots[0].tags, BTreeMap::from([("app".to_owned(), "web".to_owned())]));
    assert_eq!(param(&built.calls("CreateSnapshot")[0], "RetentionDays"), "");
}

#[test]
fn an_instance_that_nobody_stops_is_told_of_and_waited_for_with_a_limit() {
    let built = Built::of(r#""disable_stop_instance": true, "wait_instance_stopped_timeout": 1"#)
        .fails_and_leaves_nothing();
    built.says(&[
        "Waiting instance stopped: i-",
        "Error waiting for alicloud instance to stop: waited 1s for instance `i-",
    ]);
    let waits = "waiting up to 1 s for somebody to stop instance `i-";
    assert!(built.hints.contains(waits), "{}", built.hints);
    let all = format!("{}{}", built.said, built.hints);
    assert!(all.contains("nobody has stopped the instance"), "{all}");
    assert!(built.calls("StopInstance").is_empty());
}

#[test]
fn a_provisioner_may_stop_the_instance() {
    let cloud = TestCloud::start();
    let fields = r#""disable_stop_instance": true"#;
    // The connection ends with the machine.
    let stopping =
        r#"{"type": "shell", "inline": ["shutdown -h now"], "expect_disconnect": true, "skip_clean": true}"#;
    let world = cloud.world_with(&template(fields, stopping));
    let said = world.kiln(&["build", "-color=false", "t.json"]).expect(0);
    assert_eq!(cloud.inventory().images.len(), 1, "{said}");
    assert!(cloud.calls().iter().all(|call| call.action != "StopInstance"));
}

#[test]
fn the_marks_of_new_hardware_are_set_on_every_image() {
    let fields = r#"
    "nvme_support": "supported", "image_imds_support": "v2", "boot_mode": "UEFI-Preferred",
    "image_copy_regions": ["cn-shanghai"]"#;
    let built = Built::of(fields).succeeds();
    let create = &built.calls("CreateImage")[0];
    assert_eq!((param(create, "BootMode"), param(create, "Features.ImdsSupport")), ("UEFI-Preferred", "v2"));
    assert_eq!(param(create, "Features.NvmeSupport"), "", "CreateImage does not know it");
    for region in ["cn-beijing", "cn-shanghai"] {
        let calls = built.calls("ModifyImageAttribute");
        let marked = |call: &&CallRecord| {
            param(call, "RegionId") == region && param(call, "Features.NvmeSupport") == "supported"
        };
        assert_eq!(calls.iter().filter(marked).count(), 1, "{region}: {calls:?}");
    }
}
