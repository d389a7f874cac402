//! The campaign's table: a row for each build and trouble.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use super::trouble::Trouble;
use super::{Cell, Verdict};

/// What came of a campaign.
#[derive(Debug, Default)]
pub struct Report {
    rows: BTreeMap<(usize, Trouble), Row>,
    names: Vec<&'static str>,
    /// Each cell that did not end as it should, with what the program said.
    pub wrong: Vec<String>,
}

#[derive(Debug, Default, Clone)]
struct Row {
    cells: usize,
    finished: usize,
    failed: usize,
    kept: usize,
    missed: usize,
    left: usize,
    left_after_gc: usize,
    wrong: usize,
    worst: Duration,
}

impl Report {
    pub(super) fn of(names: Vec<&'static str>) -> Report {
        Report { names, ..Report::default() }
    }

    pub(super) fn add(&mut self, cell: &Cell, verdict: Verdict) {
        let row = self.rows.entry((cell.scenario, cell.trouble)).or_default();
        row.cells += 1;
        row.finished += usize::from(verdict.finished);
        row.failed += usize::from(verdict.failed);
        row.kept += usize::from(verdict.kept);
        row.missed += usize::from(!verdict.befell);
        row.left += usize::from(!verdict.left.is_empty());
        row.left_after_gc += usize::from(!verdict.left_after_gc.is_empty());
        row.worst = row.worst.max(verdict.wall);
        if let Some(story) = verdict.wrong {
            row.wrong += 1;
            let name = self.names.get(cell.scenario).copied().unwrap_or_default();
            self.wrong.push(format!("--- {name}, {} at {:?}: {story}", cell.trouble.name(), cell.when));
        }
    }

    /// Returns how many builds were run.
    pub fn cells(&self) -> usize {
        self.rows.values().map(|row| row.cells).sum()
    }

    /// Returns how many of them the trouble did not reach: builds are not the same to the last look.
    pub fn missed(&self) -> usize {
        self.total().missed
    }

    fn total(&self) -> Row {
        self.rows.values().fold(Row::default(), |sum, row| Row {
            cells: sum.cells + row.cells,
            finished: sum.finished + row.finished,
            failed: sum.failed + row.failed,
            kept: sum.kept + row.kept,
            missed: sum.missed + row.missed,
            left: sum.left + row.left,
            left_after_gc: sum.left_after_gc + row.left_after_gc,
            wrong: sum.wrong + row.wrong,
            worst: sum.worst.max(row.worst),
        })
    }
}

impl Display for Report {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "{:<18} {:<13} {:>6} {:>9} {:>7} {:>5} {:>12} {:>9} {:>6} {:>11}",
            "build",
            "trouble",
            "places",
            "finished",
            "failed",
            "kept",
            "left behind",
            "after gc",
            "wrong",
            "worst time"
        )?;
        for ((scenario, trouble), row) in &self.rows {
            row.write(out, self.names.get(*scenario).copied().unwrap_or_default(), trouble.name())?;
        }
        self.total().write(out, "all", "")
    }
}

impl Row {
    fn write(&self, out: &mut Formatter<'_>, name: &str, trouble: &str) -> fmt::Result {
        writeln!(
            out,
            "{name:<18} {trouble:<13} {:>6} {:>9} {:>7} {:>5} {:>12} {:>9} {:>6} {:>9.1} s",
            self.cells,
            self.finished,
            self.failed,
            self.kept,
            self.left,
            self.left_after_gc,
            self.wrong,
            self.worst.as_secs_f64()
        )
    }
}
