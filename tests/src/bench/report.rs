//! Figures, each with its target: as a table for people, as JSON for programs.

use std::path::Path;

use serde::Serialize;

use super::Failure;

/// What a figure should be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Target {
    AtMost(f64),
    AtLeast(f64),
}

impl Target {
    fn met(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
        }
    }

    fn text(self, unit: &str) -> String {
        match self {
            Self::AtMost(most) => format!("≤ {} {unit}", number(most)),
            Self::AtLeast(least) => format!("≥ {} {unit}", number(least)),
        }
    }
}

/// One figure.
#[derive(Clone, Debug, Serialize)]
struct Figure {
    part: &'static str,
    name: String,
    value: f64,
    unit: &'static str,
    target: Option<Target>,
    ok: Option<bool>,
}

/// Something that could not be measured.
#[derive(Clone, Debug, Serialize)]
struct Missing {
    part: String,
    why: String,
}

/// All that was measured.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    format: u32,
    quick: bool,
    cpus: usize,
    load_before: Option<f64>,
    figures: Vec<Figure>,
    notes: Vec<String>,
    missing: Vec<Missing>,
}

impl Report {
    pub(super) fn begin(quick: bool) -> Self {
        let load = std::fs::read_to_string("/proc/loadavg").ok();
        let load_before = load.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let mut report = Self {
            format: 1,
            quick,
            cpus,
            load_before,
            figures: Vec::new(),
            notes: Vec::new(),
            missing: Vec::new(),
        };
        if let Some(load) = load_before.filter(|load| *load > 0.5) {
            report.note(format!("the machine was not calm: load {load} before the first measurement"));
        }
        report
    }

    /// A figure without a target, for comparison.
    pub(super) fn add(
        &mut self,
        part: &'static str,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
    ) {
        self.push(part, name.into(), value, unit, None);
    }

    /// A figure with a target.
    pub(super) fn judge(
        &mut self,
        part: &'static str,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        target: Target,
    ) {
        self.push(part, name.into(), value, unit, Some(target));
    }

    fn push(
        &mut self,
        part: &'static str,
        name: String,
        value: f64,
        unit: &'static str,
        target: Option<Target>,
    ) {
        let ok = target.map(|target| target.met(value));
        let figure = Figure { part, name, value, unit, target, ok };
        // Shown as it comes: a whole run takes long.
        note(&row(&figure));
        self.figures.push(figure);
    }

    pub(super) fn note(&mut self, text: String) {
        note(&format!("    {text}"));
        self.notes.push(text);
    }

    pub(super) fn failed(&mut self, part: &str, why: &str) {
        note(&format!("{part}: not measured: {why}"));
        self.missing.push(Missing { part: part.to_owned(), why: why.to_owned() });
    }

    /// Prints the table.
    pub(super) fn tell(&self) {
        line("");
        line(&format!("{:<11}{:<58}{:>16}   {:<18}", "part", "figure", "measured", "target"));
        self.figures.iter().for_each(|figure| line(&row(figure)));
        for missing in &self.missing {
            line(&format!("{:<11}not measured: {}", missing.part, missing.why));
        }
        self.notes.iter().for_each(|note| line(&format!("note: {note}")));
        let missed = self.figures.iter().filter(|figure| figure.ok == Some(false)).count();
        let judged = self.figures.iter().filter(|figure| figure.ok.is_some()).count();
        line(&format!("{} of {judged} targets met on {} cores", judged - missed, self.cpus));
    }

    /// Writes the JSON.
    pub(super) fn write(&self, file: &Path) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        std::fs::write(file, text + "\n")
            .map_err(|error| format!("{} cannot be written: {error}", file.display()))
    }
}

fn row(figure: &Figure) -> String {
    let measured = format!("{} {}", number(figure.value), figure.unit);
    let target = figure.target.map(|target| target.text(figure.unit)).unwrap_or_default();
    let verdict = match figure.ok {
        Some(true) => "ok",
        Some(false) => "MISSED",
        None => "",
    };
    format!("{:<11}{:<58}{measured:>16}   {target:<18}{verdict}", figure.part, figure.name)
}

/// As many digits as mean something.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 || size == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[allow(clippy::print_stdout, reason = "the program's output")]
fn line(text: &str) {
    println!("{text}");
}

/// Tells how it goes.
#[allow(clippy::print_stderr, reason = "the program's output")]
pub(super) fn note(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_met_at_its_limit_and_missed_beyond() {
        assert!(Target::AtMost(1.5).met(1.5) && !Target::AtMost(1.5).met(1.51));
        assert!(Target::AtLeast(10.0).met(10.0) && !Target::AtLeast(10.0).met(9.9));
    }

    #[test]
    fn numbers_have_as_many_digits_as_mean_something() {
        let texts = [12_345.6, 45.67, 0.456, 0.0456, 0.0].map(number);
        assert_eq!(texts, ["12346", "45.7", "0.46", "0.046", "0.00"]);
    }
}
