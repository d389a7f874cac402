//! Runs a command and measures it as a whole process: wall time and peak memory.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// One run.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// From start to end.
    pub wall: Duration,
    /// Peak resident memory of the largest process, KiB.
    pub peak_kib: i64,
    /// Processor time of the process and of what it started and waited for.
    pub cpu: Duration,
}

/// Runs `command` to its end; a failure of it is an error, since its time means nothing then.
pub fn once(command: &mut Command) -> Result<Sample> {
    measured(command.stdout(Stdio::null()).stderr(Stdio::null()))
}

/// Does the same and keeps what it said in the file `log`: a long run is worth a look at where its time went.
pub fn logged(command: &mut Command, log: &Path) -> Result<Sample> {
    let file = File::create(log).with_context(|| format!("write {}", log.display()))?;
    let sample = measured(command.stdout(file.try_clone()?).stderr(file));
    sample.with_context(|| format!("what it said is in {}", log.display()))
}

fn measured(command: &mut Command) -> Result<Sample> {
    let shown = format!("{:?} {:?}", command.get_program(), command.get_args().collect::<Vec<_>>());
    let begun = Instant::now();
    let child = command.stdin(Stdio::null()).spawn();
    let child = child.with_context(|| format!("run {shown}"))?;
    let (status, peak_kib, cpu) = wait(child.id())?;
    let wall = begun.elapsed();
    if status != 0 {
        bail!("{shown} ended with status {status}");
    }
    Ok(Sample { wall, peak_kib, cpu })
}

/// Measures `ours` and `peer` in turn, so that a drift of the machine hits both alike; one uncounted run of each first.
pub fn in_turn(runs: usize, ours: &mut Command, peer: &mut Command) -> Result<(Vec<Sample>, Vec<Sample>)> {
    once(ours)?;
    once(peer)?;
    let mut samples = (Vec::new(), Vec::new());
    for _ in 0..runs {
        samples.0.push(once(ours)?);
        samples.1.push(once(peer)?);
    }
    Ok(samples)
}

/// Returns the median of `values`.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[expect(unsafe_code, reason = "the standard library does not tell a child's peak memory; wait4(2) does")]
fn wait(pid: u32) -> Result<(i32, i64, Duration)> {
    let mut status = 0;
    // SAFETY: rusage is plain data, for which all zeros are a value; wait4 writes to two live locals only.
    let (result, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        let pid = libc::pid_t::try_from(pid).context("a process id is not one")?;
        (libc::wait4(pid, &raw mut status, 0, &raw mut usage), usage)
    };
    if result < 0 {
        return Err(std::io::Error::last_os_error()).context("wait for a child");
    }
    let time = |time: libc::timeval| {
        let (seconds, micros) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_usec));
        Duration::from_secs(seconds.unwrap_or_default()) + Duration::from_micros(micros.unwrap_or_default())
    };
    Ok((status, usage.ru_maxrss, time(usage.ru_utime) + time(usage.ru_stime)))
}
