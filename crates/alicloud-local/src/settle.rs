//! What time does to the state: statuses whose moment has come, machines to boot, instances to release.

use std::collections::BTreeMap;

use crate::api::Effect;
use crate::clock::{Clock, Moment};
use crate::model::{
    Account, Content, EipStatus, Image, ImageStatus, Instance, InstanceStatus, NetworkStatus, SnapshotStatus,
    Stage, State,
};
use crate::timings;

/// Brings everything to the present and returns what is to be done outside.
pub fn settle(state: &mut State, clock: &Clock) -> Vec<Effect> {
    let now = clock.now();
    let mut effects = Vec::new();
    for account in state.accounts.values_mut() {
        account.access_keys.retain(|_, key| {
            key.expires.is_none_or(|end| end.plus(std::time::Duration::from_secs(3600)) > now)
        });
        for vpc in account.vpcs.values_mut() {
            vpc.stage.settle(now);
        }
        account.vswitches.retain(|_, vswitch| {
            vswitch.stage.settle(now);
            vswitch.stage.now != NetworkStatus::Deleted
        });
        for eip in account.eips.values_mut() {
            if !eip.stage.settle(now).is_empty() {
                effects.push(Effect::Readdress);
                if eip.stage.now == EipStatus::Available {
                    eip.instance_id = None;
                }
            }
        }
        settle_instances(account, clock, now, &mut effects);
        account.snapshots.retain(|_, snapshot| {
            match (&snapshot.content, snapshot.stage.due()) {
                // Time alone does not finish a snapshot: its files must be there.
                (Content::Pending, Some(_)) => {}
                (Content::Lost(_), Some(_)) => {
                    snapshot.stage.next.clear();
                    snapshot.stage.now = SnapshotStatus::Failed;
                }
                (Content::Ready, Some(_)) => {
                    snapshot.stage.settle(now);
                }
                (_, None) => {}
            }
            let kept_for =
                snapshot.retention_days.map(|days| std::time::Duration::from_secs(u64::from(days) * 86_400));
            kept_for.is_none_or(|kept| snapshot.created.plus(kept) > now)
        });
    }
    settle_images(state, now);
    crate::ecs::images::promote(state, clock, now);
    effects
}

fn settle_instances(account: &mut Account, clock: &Clock, now: Moment, effects: &mut Vec<Effect>) {
    let mut gone = Vec::new();
    for instance in account.instances.values_mut() {
        if instance.auto_release.is_some_and(|at| at <= now) && !instance.deleting {
            release(instance, clock, now, effects);
        }
        settle_spot(instance, clock, now, effects);
        instance.stage.settle(now);
        if instance.stage.now == InstanceStatus::Deleted {
            gone.push(instance.id.clone());
            continue;
        }
        if instance.boot_at.is_some_and(|at| at <= now) {
            instance.boot_at = None;
            effects.push(Effect::Boot(instance.id.clone()));
        }
    }
    for id in gone {
        account.instances.remove(&id);
        account.disks.retain(|_, disk| {
            if disk.instance_id.as_deref() != Some(&id) {
                return true;
            }
            disk.instance_id = None;
            !disk.delete_with_instance
        });
        // An elastic address of an instance that goes is freed.
        for eip in account.eips.values_mut().filter(|eip| eip.instance_id.as_deref() == Some(&id)) {
            eip.stage = Stage::settled(EipStatus::Available, now);
            eip.instance_id = None;
        }
        effects.push(Effect::Readdress);
        effects.push(Effect::SweepLayers);
    }
}

/// Begins to delete an instance.
fn release(instance: &mut Instance, clock: &Clock, now: Moment, effects: &mut Vec<Effect>) {
    instance.deleting = true;
    (instance.boot_at, instance.reachable_at) = (None, None);
    instance.stage.next = vec![(now.plus(clock.scaled(timings::INSTANCE_DELETE)), InstanceStatus::Deleted)];
    effects.push(Effect::Destroy(instance.id.clone()));
}

/// Tells a spot instance that it is to be taken back, and takes it back.
fn settle_spot(instance: &mut Instance, clock: &Clock, now: Moment, effects: &mut Vec<Effect>) {
    let Some(spot) = instance.spot.as_mut().filter(|_| !instance.deleting) else { return };
    if let Some(at) = spot.notice_at.take_if(|at| *at <= now) {
        spot.reclaim_at = Some(at.plus(clock.scaled(timings::SPOT_NOTICE)));
    }
    if spot.reclaim_at.take_if(|at| *at <= now).is_none() {
        return;
    }
    if !spot.stops {
        release(instance, clock, now, effects);
    } else if matches!(instance.stage.now, InstanceStatus::Running | InstanceStatus::Starting) {
        (instance.boot_at, instance.reachable_at) = (None, None);
        instance.stage = Stage::settled(InstanceStatus::Stopping, now);
        let end = now.plus(clock.scaled(timings::INSTANCE_FORCE_STOP));
        instance.stage.next = vec![(end, InstanceStatus::Stopped)];
        effects.push(Effect::Stop { instance: instance.id.clone(), force: true });
    }
}

fn settle_images(state: &mut State, now: Moment) {
    let State { images, accounts, .. } = state;
    for image in images.values_mut() {
        if image.stage.due().is_none() {
            continue;
        }
        let contents: Vec<&Content> = image
            .disks
            .iter()
            .filter_map(|disk| accounts.values().find_map(|account| account.snapshots.get(&disk.snapshot_id)))
            .map(|snapshot| &snapshot.content)
            .collect();
        if contents.iter().any(|content| matches!(content, Content::Lost(_))) {
            image.stage.next.clear();
            image.stage.now = ImageStatus::CreateFailed;
        } else if contents.iter().all(|content| **content == Content::Ready) {
            image.stage.settle(now);
        }
        if image.stage.now != ImageStatus::Creating {
            image.copying = None;
        }
    }
}

/// Returns the next moment at which something is due.
pub fn next_due(state: &State) -> Option<Moment> {
    let accounts = state.accounts.values().flat_map(|account| {
        let stages = account
            .vpcs
            .values()
            .map(|of| of.stage.due())
            .chain(account.vswitches.values().map(|of| of.stage.due()))
            .chain(account.eips.values().map(|of| of.stage.due()))
            .chain(
                account
                    .instances
                    .values()
                    .flat_map(|of| [of.stage.due(), of.boot_at, of.auto_release.filter(|_| !of.deleting)]),
            )
            .chain(
                account
                    .instances
                    .values()
                    .filter(|of| !of.deleting)
                    .filter_map(|of| of.spot.as_ref())
                    .flat_map(|spot| [spot.notice_at, spot.reclaim_at]),
            )
            // What waits for its files is looked at again when they are there.
            .chain(
                account.snapshots.values().filter(|of| of.content == Content::Ready).map(|of| of.stage.due()),
            );
        stages.flatten().collect::<Vec<_>>()
    });
    let images = state.images.values().filter(|image| has_its_files(image, &state.accounts));
    accounts.chain(images.filter_map(|image| image.stage.due())).min()
}

/// Returns whether nothing but time is needed for an image to reach its next status.
fn has_its_files(image: &Image, accounts: &BTreeMap<String, Account>) -> bool {
    let mut snapshots = image.disks.iter().filter_map(|disk| {
        accounts.get(&image.owner).and_then(|account| account.snapshots.get(&disk.snapshot_id))
    });
    snapshots.all(|snapshot| snapshot.content == Content::Ready)
}
