//! Where the time went: which steps of a build took how long, and which of them it waited for.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use kiln_core::event::{Event, EventKind, Outcome};

use super::durations::short;

/// Gathers step times from events.
#[derive(Debug, Default)]
pub struct Times {
    builds: Vec<(String, Build)>,
    /// Where each build stands in `builds`: a run may have thousands.
    index: HashMap<String, usize>,
}

#[derive(Debug, Default)]
struct Build {
    /// Steps under way: when they began, and as which.
    open: BTreeMap<String, (i64, usize)>,
    begun_steps: usize,
    steps: Vec<Step>,
    begun: Option<i64>,
    elapsed: Option<Duration>,
}

/// One step, in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq)]
struct Step {
    name: String,
    order: usize,
    start: i64,
    end: i64,
    failed: bool,
}

/// More builds than this are told of step by step together, not one by one.
const BUILDS_MAX: usize = 20;

/// Provisioners run inside the builder's step that calls them.
const INSIDE_A_STEP: &str = "provisioner ";

/// Two steps that follow each other may overlap by the resolution of the clock.
const SLACK_MS: i64 = 5;

impl Times {
    /// Takes note of an event.
    pub fn note(&mut self, event: &Event) {
        let (Some(name), Ok(time)) = (&event.build, event.time.parse::<Timestamp>()) else {
            return;
        };
        let now = time.as_millisecond();
        let index = match self.index.get(name) {
            Some(index) => *index,
            None => {
                self.builds.push((name.clone(), Build::default()));
                self.index.insert(name.clone(), self.builds.len() - 1);
                self.builds.len() - 1
            }
        };
        let build = &mut self.builds[index].1;
        match &event.kind {
            EventKind::BuildStarted => build.begun = Some(now),
            EventKind::StepStarted { step } => {
                build.open.insert(step.clone(), (now, build.begun_steps));
                build.begun_steps += 1;
            }
            EventKind::StepFinished { step, outcome, elapsed } => {
                let millis = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX);
                let unseen = (now.saturating_sub(millis), build.begun_steps);
                let (start, order) = build.open.remove(step).unwrap_or(unseen);
                let failed = matches!(outcome, Outcome::Failed | Outcome::Cancelled);
                build.steps.push(Step { name: step.clone(), order, start, end: now, failed });
            }
            EventKind::BuildFinished { elapsed, .. } => build.elapsed = Some(*elapsed),
            _ => {}
        }
    }

    /// Returns the closing table, or nothing if no build told of its steps.
    pub fn table(&self, bold: bool) -> Option<String> {
        let told: Vec<&(String, Build)> =
            self.builds.iter().filter(|(_, build)| !build.steps.is_empty()).collect();
        if told.is_empty() {
            return None;
        }
        if told.len() > BUILDS_MAX {
            return Some(summary(&told));
        }
        let width = told.iter().flat_map(|(_, build)| &build.steps).map(|step| step.name.chars().count() + 6);
        let width = width.chain(told.iter().map(|(name, _)| name.chars().count())).max().unwrap_or(0).max(24);
        let mut text =
            String::from("==> Where the time went (* the build waited for it; the rest ran alongside):");
        for (name, build) in told {
            text.push_str(&build.table(name, width, bold));
        }
        Some(text)
    }
}

/// Returns what each step took in all builds together, in the order of the steps.
fn summary(builds: &[&(String, Build)]) -> String {
    let mut order: Vec<&str> = Vec::new();
    let mut taken: HashMap<&str, (Vec<Duration>, usize)> = HashMap::new();
    for step in builds.iter().flat_map(|(_, build)| build.in_order()) {
        let (times, failed) = taken.entry(&step.name).or_insert_with(|| {
            order.push(&step.name);
            Default::default()
        });
        times.push(span(step.start, step.end));
        *failed += usize::from(step.failed);
    }
    let wholes: Vec<Duration> = builds.iter().filter_map(|(_, build)| build.elapsed).collect();
    let width = order.iter().map(|name| name.chars().count() + 2).max().unwrap_or(0).max(24);
    let mut text = format!("==> Where the time went, of {} builds (fastest, median, slowest):", builds.len());
    let mut row = |name: &str, mut times: Vec<Duration>, failed: usize| {
        times.sort_unstable();
        let at = |part: usize| times.get(part).copied().map(short).unwrap_or_default();
        let (fastest, median, slowest) = (at(0), at(times.len() / 2), at(times.len().saturating_sub(1)));
        text.push_str(&format!("\n    {name:<width$}  {fastest:>8}  {median:>8}  {slowest:>8}"));
        if failed > 0 {
            text.push_str(&format!("  failed in {failed}"));
        }
    };
    row("a build", wholes, 0);
    for name in order {
        let (times, failed) = taken.remove(name).unwrap_or_default();
        row(&format!("  {name}"), times, failed);
    }
    text
}

impl Build {
    /// Returns the steps in the order in which they began.
    fn in_order(&self) -> Vec<&Step> {
        let mut steps: Vec<&Step> = self.steps.iter().collect();
        steps.sort_by_key(|step| step.order);
        steps
    }

    fn table(&self, name: &str, width: usize, bold: bool) -> String {
        let begun = self.begun.or_else(|| self.steps.iter().map(|step| step.start).min()).unwrap_or(0);
        let last = self.steps.iter().map(|step| step.end).max().unwrap_or(begun);
        let total = self.elapsed.unwrap_or_else(|| span(begun, last));
        let share = |part: Duration| match total.as_secs_f64() {
            0.0 => 0.0,
            whole => 100.0 * part.as_secs_f64() / whole,
        };
        let mut text = format!("\n    {name:<width$}  {:>8}", short(total));
        let mut steps = self.steps.clone();
        steps.sort_by_key(|step| step.order);
        let inner = |step: &Step| step.name.starts_with(INSIDE_A_STEP);
        let outer: Vec<Step> = steps.iter().filter(|step| !inner(step)).cloned().collect();
        let path: Vec<&Step> = critical_path(&outer).into_iter().map(|index| &outer[index]).collect();
        let mut accounted = Duration::ZERO;
        for step in &steps {
            let critical = path.contains(&step);
            let took = span(step.start, step.end);
            if critical {
                accounted += took;
            }
            let mark = if critical { '*' } else { ' ' };
            let failed = if step.failed { "  failed" } else { "" };
            let indent = if inner(step) && !outer.is_empty() { "  " } else { "" };
            let label = format!("  {mark} {indent}{}", step.name);
            let row = format!("{label:<width$}  {:>8}  {:>3.0}%{failed}", short(took), share(took));
            text.push_str("\n    ");
            match critical && bold {
                true => text.push_str(&format!("\x1b[1m{row}\x1b[0m")),
                false => text.push_str(&row),
            }
        }
        let rest = total.saturating_sub(accounted);
        let label = "    the rest";
        text.push_str(&format!("\n    {label:<width$}  {:>8}  {:>3.0}%", short(rest), share(rest)));
        text
    }
}

fn span(start: i64, end: i64) -> Duration {
    Duration::from_millis(u64::try_from(end - start).unwrap_or(0))
}

/// Returns the steps the end had to wait for: from the last one back, each time the one that ended last before the
/// next began. `steps` are in order of their beginning.
fn critical_path(steps: &[Step]) -> Vec<usize> {
    let mut path = Vec::new();
    let mut before = i64::MAX;
    loop {
        let next = (0..steps.len())
            .filter(|index| !path.contains(index) && steps[*index].end <= before.saturating_add(SLACK_MS))
            .max_by_key(|&index| (steps[index].end, -steps[index].start));
        let Some(index) = next else {
            path.reverse();
            return path;
        };
        before = steps[index].start;
        path.push(index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str, start: i64, end: i64) -> Step {
        Step { name: name.to_owned(), order: 0, start, end, failed: false }
    }

    #[test]
    fn the_path_is_what_the_end_waited_for() {
        let steps = [
            step("image", 0, 300),
            step("key", 0, 900),
            step("network", 0, 2000),
            step("instance", 2001, 9000),
        ];
        assert_eq!(critical_path(&steps), [2, 3]);
        assert_eq!(critical_path(&[]), [0usize; 0]);
        // A step without extent must not go round for ever.
        assert_eq!(critical_path(&[step("a", 5, 5), step("b", 5, 5)]).len(), 2);
    }

    #[test]
    fn the_table_tells_shares_and_marks_the_path() {
        let build = Build {
            steps: vec![step("network", 0, 2000), step("key", 0, 900), step("instance", 2001, 9000)],
            begun: Some(0),
            elapsed: Some(Duration::from_secs(10)),
            ..Build::default()
        };
        let times = Times { builds: vec![("alicloud-ecs".to_owned(), build)], ..Times::default() };
        insta::assert_snapshot!(times.table(false).unwrap(), @r"
        ==> Where the time went (* the build waited for it; the rest ran alongside):
            alicloud-ecs                 10.0s
              * network                   2.0s   20%
                key                      900ms    9%
              * instance                  7.0s   70%
                the rest                  1.0s   10%
        ");
    }

    #[test]
    fn many_builds_are_told_of_together() {
        let build = |number: i64| {
            let mut image = step("image", 2000, 3000 * number);
            (image.order, image.failed) = (1, number == 21);
            let elapsed = Some(Duration::from_secs(3 * u64::try_from(number).unwrap()));
            let steps = vec![image, step("network", 0, 2000)];
            (format!("b{number}"), Build { steps, begun: Some(0), elapsed, ..Build::default() })
        };
        let times = Times { builds: (1..=21).map(build).collect(), ..Times::default() };
        insta::assert_snapshot!(times.table(false).unwrap(), @r"
        ==> Where the time went, of 21 builds (fastest, median, slowest):
            a build                       3.0s     33.0s     1m03s
              network                     2.0s      2.0s      2.0s
              image                       1.0s     31.0s     1m01s  failed in 1
        ");
    }
}
