//! Stories: what a cluster does, as a script that people read, with what comes of it.
//!
//! A story is a text file. A line is a comment (`#`), output (`> …`), or a command; output stands right below the
//! command that says it. Running a story carries its commands out on simulated machines, with all checkers at every
//! step, and compares what they say. A story begins with its office; a second `office` begins anew. `over wifi` lets
//! voters wait longer before they elect, which also costs less to simulate.
//!
//! ```text
//! office 5 desktops seats 1 ttl 15s
//! > 3 voters, 2 standbys, 0 spares
//! call Old the holder
//! call Desk a standby
//! kill Old
//! checkout eva@Desk as a within 3s
//! > granted
//! ```
//!
//! | command | |
//! |---|---|
//! | `call NAME a ROLE` | names the first machine of a role (`holder`, `voter`, `standby`, `spare`, `outside`) that has no name |
//! | `wait TIME`, `await SO within TIME` | `holder`, `no holder`, `holder besides X`, `3 voters`, `1 free`, `X stopped`, `X not voter`, `X spare`, `a has a seat`, `a stops` |
//! | `start`, `kill`, `stop [… within TIME]`, `power cut`, `suspend … for TIME`, `sleep … for TIME`, `stall … for TIME` | `sleep`: the agent is told before; machines: `X Y`, `pc3`, `the-holder`, `all`, `all but X` |
//! | `partition X Y`, `deafen X to Y`, `heal` | X and Y are cut off together; X no longer hears Y |
//! | `clock X +1h`, `move X [keeping connections]`, `image X`, `roll back X`, `clone X as Y`, `fill disk of X`, `make room on X` | |
//! | `add desktop\|laptop X`, `leave X`, `revoke X`, `recover X`, `always-on X`, `rival X` | what an admin does; somebody with X's key who speaks for other generations |
//! | `checkout USER@X as a [by connection] [waiting] [within TIME]`, `ask …`, `end a` | `ask` does not wait for the answer; `waiting`: in the queue |
//! | `borrow USER@X for TIME`, `return USER@X` | in an office whose license is `lending` |
//! | `show roles\|seats\|queue\|time\|X\|a\|log of a\|books of X` | |
//!
//! Who is elected and who stands by is chance, so machines are called by what they do; what a story says then holds
//! for any seed, which `--seed` shows.
//!
//! | module | holds |
//! |---|---|
//! | [`parse`] | the text |
//! | `stage` | what commands do |
//! | `look` | what is seen of the office |

mod look;
pub mod parse;
mod stage;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use self::parse::{Command, Misread, OUTPUT, Part, Story};
use self::stage::{Stage, Stop};
use super::run;
use super::trace::Telling;

const USAGE: &str = "\
usage: seatkeeper-tests story FILE [--seed N] [--steps] [--write]

  --seed N  with another seed than 1; the output is the same, or the story tells of chance
  --steps   narrates the run
  --write   writes what was said into the file
";
const SEED: u64 = 1;

/// What came of a story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What each command said, in order.
    pub said: Vec<Vec<String>>,
    /// Why it did not go on, if it did not.
    pub broke: Option<Break>,
}

/// Why a story did not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Break {
    /// It asks for what cannot be.
    Misread(Misread),
    /// An invariant does not hold: the line, what was found, the last lines of the trace.
    Violation(usize, String, Vec<String>),
}

/// Runs a story, on a thread of its own.
///
/// # Panics
/// When the system gives no thread.
pub fn tell(story: &Story, seed: u64, telling: Telling) -> Told {
    let story = story.clone();
    run::alone(seed, None, move || {
        let mut told = Told { said: Vec::new(), broke: None };
        let mut stage: Option<Stage> = None;
        for scene in story.scenes() {
            let said = match (&scene.command, &mut stage) {
                (Command::Office(office), _) => Stage::new(seed, *office, telling).map(|new| {
                    let said = new.roles();
                    stage = Some(new);
                    said
                }),
                (_, Some(stage)) => stage.act(scene),
                (_, None) => Err(Stop::Meaningless("a story begins with its `office`".to_owned())),
            };
            let line = scene.line;
            match said {
                Ok(said) => told.said.push(said),
                Err(Stop::Meaningless(problem)) => {
                    told.broke = Some(Break::Misread(Misread { line, problem }));
                    break;
                }
                Err(Stop::Violation(violation)) => {
                    let found = format!("{}: {}", violation.invariant, violation.found);
                    let last = stage.as_ref().map(Stage::last).unwrap_or_default();
                    told.broke = Some(Break::Violation(line, found, last));
                    break;
                }
            }
        }
        told
    })
}

/// Where a story is not as it was told, for people; empty: nowhere.
pub fn compare(story: &Story, told: &Told) -> String {
    let mut text = String::new();
    for (scene, said) in story.scenes().zip(&told.said) {
        if scene.expected == *said {
            continue;
        }
        let _ = writeln!(text, "line {}: {}", scene.line, scene.text);
        scene.expected.iter().for_each(|line| {
            let _ = writeln!(text, "- {line}");
        });
        said.iter().for_each(|line| {
            let _ = writeln!(text, "+ {line}");
        });
    }
    match &told.broke {
        None => {}
        Some(Break::Misread(misread)) => {
            let _ = writeln!(text, "line {}: {}", misread.line, misread.problem);
        }
        Some(Break::Violation(line, found, last)) => {
            let _ = writeln!(text, "{}\nline {line}: VIOLATION {found}", last.join("\n"));
        }
    }
    text
}

/// The story's text with what was said.
pub fn rewritten(story: &Story, told: &Told) -> String {
    let (mut text, mut said) = (String::new(), told.said.iter());
    for part in &story.parts {
        match part {
            Part::Text(line) => {
                let _ = writeln!(text, "{line}");
            }
            Part::Scene(scene) => {
                let _ = writeln!(text, "{}", scene.text);
                for line in said.next().unwrap_or(&scene.expected) {
                    let _ = writeln!(text, "{OUTPUT}{line}");
                }
            }
        }
    }
    text
}

/// Runs the command line. The exit code is 1 if the story is not as it was told, and 2 if it cannot be read or
/// carried out.
pub fn main(args: &[String]) -> ExitCode {
    run::note_panics();
    match Options::read(args).and_then(|options| options.run()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::from(2)
        }
    }
}

struct Options {
    file: String,
    seed: u64,
    steps: bool,
    write: bool,
}

impl Options {
    fn read(args: &[String]) -> Result<Self, String> {
        let mut options = Self { file: String::new(), seed: SEED, steps: false, write: false };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--seed" => {
                    let seed = args.next().and_then(|seed| seed.parse().ok());
                    options.seed = seed.ok_or_else(|| format!("--seed wants a number\n\n{USAGE}"))?;
                }
                "--steps" => options.steps = true,
                "--write" => options.write = true,
                file if options.file.is_empty() && !file.starts_with('-') => {
                    file.clone_into(&mut options.file)
                }
                other => return Err(format!("{other} is not understood\n\n{USAGE}")),
            }
        }
        if options.file.is_empty() { Err(USAGE.to_owned()) } else { Ok(options) }
    }

    /// Whether the story is as it was told.
    fn run(&self) -> Result<bool, String> {
        let file = &self.file;
        let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        let misread = |misread: &Misread| format!("{file}:{}: {}", misread.line, misread.problem);
        let story = Story::read(&text).map_err(|error| misread(&error))?;
        let told = tell(&story, self.seed, if self.steps { Telling::Aloud } else { Telling::Quiet });
        if let Some(Break::Misread(error)) = &told.broke {
            return Err(misread(error));
        }
        if self.write && told.broke.is_none() {
            std::fs::write(file, rewritten(&story, &told)).map_err(|error| format!("{file}: {error}"))?;
            return Ok(true);
        }
        let difference = compare(&story, &told);
        // Whoever reads no further needs no more.
        let _ = std::io::stdout().write_all(difference.as_bytes());
        Ok(difference.is_empty())
    }
}
