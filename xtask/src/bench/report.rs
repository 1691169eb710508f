//! Pairs and single figures with their goals, printed for people or as JSON.

use std::time::Duration;

use serde::Serialize;

use super::measure::Cost;
use crate::error::{Result, TaskError};

/// What one side of a pair is called, and how it is run once.
pub(crate) struct Side<'a> {
    /// Its name in the report.
    pub(crate) name: String,
    /// Brings everything into the state in which a run is measured, then runs it.
    pub(crate) run: Box<dyn FnMut() -> Result<Cost> + 'a>,
}

impl<'a> Side<'a> {
    /// Returns a side.
    pub(crate) fn new(name: impl Into<String>, run: impl FnMut() -> Result<Cost> + 'a) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }
}

/// What a pair is compared with.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind", content = "value")]
pub(crate) enum Goal {
    /// Our time is at most this many times the other's.
    AtMost(f64),
    /// The other's time is at least this many times ours.
    TimesFaster(f64),
    /// Nothing is asked for; the figure is for information.
    Shown,
}

/// All figures of one run of the task.
pub(crate) struct Report {
    is_json: bool,
    bench: String,
    lines: Vec<Line>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    bench: String,
    work: String,
    #[serde(flatten)]
    body: Body,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Body {
    Pair { ours: Figures, theirs: Figures, ratio: Spread, goal: Goal, met: Option<bool> },
    Value { value: f64, unit: String, goal_at_most: Option<f64>, met: Option<bool> },
    Missing { why: String },
}

/// What one side cost.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Figures {
    name: String,
    wall_seconds: Spread,
    cpu_seconds: f64,
    peak_mebibytes: f64,
    runs: usize,
}

/// Minimum, median and maximum of some numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

impl Spread {
    fn of(numbers: impl Iterator<Item = f64>) -> Self {
        let mut numbers: Vec<f64> = numbers.collect();
        numbers.sort_by(f64::total_cmp);
        let at = |index: usize| numbers.get(index).copied().unwrap_or(f64::NAN);
        let last = numbers.len().saturating_sub(1);
        let median = f64::midpoint(at(last / 2), at(numbers.len() / 2));
        Self { min: at(0), median, max: at(last) }
    }
}

impl Figures {
    fn of(name: &str, costs: &[Cost]) -> Self {
        Self {
            name: name.to_owned(),
            wall_seconds: Spread::of(costs.iter().map(|cost| cost.wall.as_secs_f64())),
            cpu_seconds: Spread::of(costs.iter().map(|cost| cost.cpu.as_secs_f64())).median,
            peak_mebibytes: mebibytes(costs.iter().map(|cost| cost.peak_bytes).max().unwrap_or(0)),
            runs: costs.len(),
        }
    }

    fn print(&self) -> String {
        let Spread { min, median, max } = self.wall_seconds;
        format!(
            "  {:<34} min {:>10}  median {:>10}  max {:>10}  cpu {:>10}  peak {:>7.1} MiB  ({} runs)",
            self.name,
            seconds(min),
            seconds(median),
            seconds(max),
            seconds(self.cpu_seconds),
            self.peak_mebibytes,
            self.runs
        )
    }
}

impl Report {
    /// Returns an empty report.
    pub(crate) fn new(is_json: bool) -> Self {
        Self { is_json, bench: String::new(), lines: Vec::new() }
    }

    /// Begins the figures of a bench.
    pub(crate) fn begin(&mut self, bench: &str) {
        self.bench = bench.to_owned();
        self.say(&format!("== {bench}"));
    }

    /// Says something to the person who waits.
    pub(crate) fn say(&self, words: &str) {
        if self.is_json {
            eprintln!("{words}");
        } else {
            println!("{words}");
        }
    }

    /// Measures both sides in turn, after one run of each that does not count.
    ///
    /// # Errors
    /// A side fails.
    pub(crate) fn pair(
        &mut self,
        work: &str,
        rounds: usize,
        goal: Goal,
        mut ours: Side<'_>,
        mut theirs: Side<'_>,
    ) -> Result<()> {
        (ours.run)()?;
        (theirs.run)()?;
        let mut costs = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            costs.0.push((ours.run)()?);
            costs.1.push((theirs.run)()?);
        }
        self.compare(work, goal, (&ours.name, &costs.0), (&theirs.name, &costs.1));
        Ok(())
    }

    /// Adds a pair that was measured already; the costs of both sides belong together one by one.
    pub(crate) fn compare(&mut self, work: &str, goal: Goal, ours: (&str, &[Cost]), theirs: (&str, &[Cost])) {
        let ratios = ours.1.iter().zip(theirs.1).map(|(ours, theirs)| ratio(ours.wall, theirs.wall));
        let ratio = Spread::of(ratios);
        let met = match goal {
            Goal::AtMost(most) => Some(ratio.median <= most),
            Goal::TimesFaster(times) => Some(1.0 / ratio.median >= times),
            Goal::Shown => None,
        };
        let (ours, theirs) = (Figures::of(ours.0, ours.1), Figures::of(theirs.0, theirs.1));
        self.say(&format!("{work}\n{}\n{}", ours.print(), theirs.print()));
        self.say(&print_ratio(ratio, goal, met));
        self.add(work, Body::Pair { ours, theirs, ratio, goal, met });
    }

    /// Adds a single figure.
    pub(crate) fn value(&mut self, work: &str, value: f64, unit: &str, goal_at_most: Option<f64>) {
        let met = goal_at_most.map(|most| value <= most);
        let goal = goal_at_most
            .map_or(String::new(), |most| format!("  goal at most {most} {unit}  {}", verdict(met)));
        self.say(&format!("{work}: {value:.3} {unit}{goal}"));
        self.add(work, Body::Value { value, unit: unit.to_owned(), goal_at_most, met });
    }

    /// Names what could not be measured.
    pub(crate) fn missing(&mut self, work: &str, why: &str) {
        self.say(&format!("{work}: NOT MEASURED: {why}"));
        self.add(work, Body::Missing { why: why.to_owned() });
    }

    /// Ends the report; with JSON, prints all of it.
    ///
    /// # Errors
    /// A figure cannot be written as JSON.
    pub(crate) fn finish(&self) -> Result<()> {
        if self.is_json {
            let text =
                serde_json::to_string_pretty(&self.lines).map_err(TaskError::json("write the figures"))?;
            println!("{text}");
        }
        Ok(())
    }

    fn add(&mut self, work: &str, body: Body) {
        self.lines.push(Line { bench: self.bench.clone(), work: work.to_owned(), body });
    }
}

fn print_ratio(ratio: Spread, goal: Goal, met: Option<bool>) -> String {
    let Spread { min, median, max } = ratio;
    let times = 1.0 / median;
    let head = format!("  ours / theirs {median:.3} ({min:.3} to {max:.3}), {times:.1} × faster");
    match goal {
        Goal::AtMost(most) => format!("{head}  goal at most {most} ×  {}", verdict(met)),
        Goal::TimesFaster(goal) => format!("{head}  goal {goal} × faster  {}", verdict(met)),
        Goal::Shown => head,
    }
}

fn verdict(met: Option<bool>) -> &'static str {
    match met {
        Some(true) => "met",
        Some(false) => "MISSED",
        None => "",
    }
}

fn ratio(ours: Duration, theirs: Duration) -> f64 {
    ours.as_secs_f64() / theirs.as_secs_f64()
}

/// Returns bytes in MiB.
#[allow(clippy::cast_precision_loss, reason = "a figure for people; sizes here are far below 2^52 bytes")]
pub(crate) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn seconds(value: f64) -> String {
    if value < 1.0 { format!("{:.2} ms", value * 1_000.0) } else { format!("{value:.3} s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_the_middle_of_an_even_number_too() {
        let spread = |numbers: &[f64]| Spread::of(numbers.iter().copied());
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Spread { min: 1.0, median: 2.0, max: 3.0 });
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]), Spread { min: 1.0, median: 2.5, max: 4.0 });
        assert!(spread(&[]).median.is_nan());
    }

    #[test]
    fn a_goal_is_judged_by_the_median_of_the_pairs() {
        let cost = |milliseconds| Cost {
            wall: Duration::from_millis(milliseconds),
            cpu: Duration::ZERO,
            peak_bytes: 0,
        };
        let mut report = Report::new(true);
        let (ours, theirs) = ([cost(10), cost(10), cost(100)], [cost(40), cost(20), cost(20)]);
        report.compare("work", Goal::AtMost(0.5), ("a", &ours), ("b", &theirs));
        report.compare("work", Goal::TimesFaster(2.1), ("a", &ours), ("b", &theirs));
        let met: Vec<_> = report
            .lines
            .iter()
            .map(|line| match &line.body {
                Body::Pair { met, .. } => *met,
                _ => None,
            })
            .collect();
        assert_eq!(met, vec![Some(true), Some(false)]);
    }
}
