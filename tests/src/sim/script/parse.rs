//! The text of a story: its lines, and what they ask for.

use std::fmt;

/// A story as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Story {
    /// Its parts, in order.
    pub parts: Vec<Part>,
}

/// A part of a story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// An empty line or a comment.
    Text(String),
    /// A command and what it is expected to say.
    Scene(Scene),
}

/// A command and what it is expected to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// Where it stands, from 1.
    pub line: usize,
    /// As it is written.
    pub text: String,
    /// What it asks for.
    pub command: Command,
    /// The lines that begin with [`OUTPUT`], without it.
    pub expected: Vec<String>,
}

/// What begins the lines of output.
pub const OUTPUT: &str = "> ";

/// A line that cannot be read or carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misread {
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// `pc3`: by its number.
    Number(usize),
    /// By the name that the story has given it: begins with a capital.
    Named(String),
    /// `the-holder`: whoever holds now.
    Holder,
}

/// Some machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Set {
    /// These.
    These(Vec<Who>),
    /// All but these.
    AllBut(Vec<Who>),
}

/// What a machine does for the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It is the leader, and grants seats.
    Holder,
    /// It votes and does not hold.
    Voter,
    /// It keeps the log and has no vote.
    Standby,
    /// It keeps no log.
    Spare,
    /// It belongs to no site.
    Outside,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Holder => "holder",
            Self::Voter => "voter",
            Self::Standby => "standby",
            Self::Spare => "spare",
            Self::Outside => "outside",
        })
    }
}

/// An office to begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Office {
    /// Machines, laptops among them.
    pub machines: usize,
    /// The last so many are laptops.
    pub laptops: usize,
    /// Seats of the license.
    pub seats: u32,
    /// The license's ttl, seconds.
    pub ttl_s: u64,
    /// Voters are on Wi-Fi: the clockwork of elections is slower.
    pub wifi: bool,
    /// Its license lets seats be borrowed.
    pub lends: bool,
}

/// Something that can be waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Somebody holds.
    Holder,
    /// Nobody holds.
    NoHolder,
    /// Somebody else holds.
    HolderBesides(Who),
    /// So many voters.
    Voters(usize),
    /// These are in this role.
    Are(Set, Role),
    /// These are in any other.
    AreNot(Set, Role),
    /// The agents of these have stopped.
    Stopped(Set),
    /// A program has a seat that it may use.
    HasSeat(String),
    /// A program knows that it must not use a seat.
    Stops(String),
    /// So many seats are free in the books.
    Free(usize),
}

/// What can be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Show {
    /// Who does what.
    Roles,
    /// Who has seats.
    Seats,
    /// Who waits.
    Queue,
    /// The site's time.
    Time,
    /// One machine.
    Machine(Who),
    /// One program.
    Program(String),
    /// How a program's request stands in the log.
    Log(String),
    /// Whether a machine keeps the log, as it knows itself.
    Books(Who),
}

/// What a program is and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Who runs it.
    pub user: String,
    /// Where.
    pub on: Who,
    /// What the story calls it.
    pub name: String,
    /// It holds its seat by its connection alone.
    pub by_connection: bool,
    /// It waits in the queue when no seat is free.
    pub waiting: bool,
}

/// A line of a story. Times are milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Another office, from its beginning.
    Office(Office),
    /// Names the first machine of a role that has no name yet.
    Call(String, Role),
    /// Lets time pass.
    Wait(u64),
    /// Waits for something, so long at most.
    Await(Condition, u64),
    /// Switches machines on, or starts their agents.
    Start(Set),
    /// Kills agents; programs run on.
    Kill(Set),
    /// Stops agents gracefully, the last one so long after the first.
    Stop(Set, u64),
    /// Cuts the power.
    PowerCut(Set),
    /// Suspends machines for a while.
    Suspend(Set, u64),
    /// The same; their agents are told before.
    Sleep(Set, u64),
    /// The agents stand still for a while.
    Stall(Set, u64),
    /// These no longer hear the others, nor the others them.
    Partition(Set),
    /// The second no longer hears the first.
    Deafen(Who, Who),
    /// Everybody hears everybody.
    Heal,
    /// Steps wall clocks.
    Clock(Set, i64),
    /// A machine gets another address; whether the connections that it dialed survive.
    Move(Who, bool),
    /// Keeps an image of a disk.
    Image(Who),
    /// Puts the image back, with the power off, and starts the machine.
    RollBack(Who),
    /// The disks of these are full, and what gets free is taken by others.
    Fill(Set),
    /// There is room again.
    MakeRoom(Set),
    /// A machine with a copy of a disk is switched on.
    Clone(Who, String),
    /// A new machine joins; whether it is a laptop.
    Add(bool, String),
    /// A machine leaves the site.
    Leave(Who),
    /// An admin revokes a machine.
    Revoke(Who),
    Recover(Who),
    /// An admin declares a machine always-on.
    AlwaysOn(Who),
    /// Somebody with a machine's key speaks for other generations.
    Rival(Who),
    /// A program asks for a seat; how long its answer is awaited.
    Checkout(Ask, Option<u64>),
    /// A program ends.
    End(String),
    /// A user borrows a seat on a machine for so long.
    Borrow(String, Who, u64),
    /// A user gives back what it has borrowed on a machine.
    Return(String, Who),
    /// Tells something.
    Show(Show),
}

impl Story {
    /// Reads a story.
    ///
    /// # Errors
    /// The first line that is none.
    pub fn read(text: &str) -> Result<Self, Misread> {
        let mut parts = Vec::new();
        for (number, text) in text.lines().enumerate() {
            let line = number + 1;
            let misread = |problem: String| Misread { line, problem };
            if let Some(output) = text.strip_prefix(OUTPUT) {
                match parts.last_mut() {
                    Some(Part::Scene(scene)) => scene.expected.push(output.to_owned()),
                    _ => return Err(misread("output comes right after its command".to_owned())),
                }
                continue;
            }
            if text.trim().is_empty() || text.starts_with('#') {
                parts.push(Part::Text(text.to_owned()));
                continue;
            }
            let words: Vec<&str> = text.split_whitespace().collect();
            let command = command(&words).map_err(misread)?;
            let first = parts.iter().all(|part| matches!(part, Part::Text(_)));
            if first && !matches!(command, Command::Office(_)) {
                return Err(misread("a story begins with its `office`".to_owned()));
            }
            parts.push(Part::Scene(Scene { line, text: text.to_owned(), command, expected: Vec::new() }));
        }
        Ok(Self { parts })
    }

    /// Its commands.
    pub fn scenes(&self) -> impl Iterator<Item = &Scene> {
        self.parts.iter().filter_map(|part| match part {
            Part::Scene(scene) => Some(scene),
            Part::Text(_) => None,
        })
    }
}

fn command(words: &[&str]) -> Result<Command, String> {
    Ok(match words {
        ["office", rest @ ..] => Command::Office(office(rest)?),
        ["call", name, "a" | "the", as_role] => Command::Call(capital(name)?, role(as_role)?),
        ["wait", time] => Command::Wait(ms(time)?),
        ["await", so @ .., "within", time] => Command::Await(condition(so)?, ms(time)?),
        ["start", whom @ ..] => Command::Start(set(whom)?),
        ["kill", whom @ ..] => Command::Kill(set(whom)?),
        ["stop", whom @ .., "within", time] => Command::Stop(set(whom)?, ms(time)?),
        ["stop", whom @ ..] => Command::Stop(set(whom)?, 0),
        ["power", "cut", whom @ ..] => Command::PowerCut(set(whom)?),
        ["suspend", whom @ .., "for", time] => Command::Suspend(set(whom)?, ms(time)?),
        ["sleep", whom @ .., "for", time] => Command::Sleep(set(whom)?, ms(time)?),
        ["stall", whom @ .., "for", time] => Command::Stall(set(whom)?, ms(time)?),
        ["partition", whom @ ..] => Command::Partition(set(whom)?),
        ["deafen", to, "to", from] => Command::Deafen(who(from)?, who(to)?),
        ["heal"] => Command::Heal,
        ["clock", whom @ .., by] => Command::Clock(set(whom)?, signed_ms(by)?),
        ["move", machine] => Command::Move(who(machine)?, false),
        ["move", machine, "keeping", "connections"] => Command::Move(who(machine)?, true),
        ["image", machine] => Command::Image(who(machine)?),
        ["roll", "back", machine] => Command::RollBack(who(machine)?),
        ["fill", "disk", "of", whom @ ..] => Command::Fill(set(whom)?),
        ["make", "room", "on", whom @ ..] => Command::MakeRoom(set(whom)?),
        ["clone", machine, "as", name] => Command::Clone(who(machine)?, capital(name)?),
        ["add", "desktop", name] => Command::Add(false, capital(name)?),
        ["add", "laptop", name] => Command::Add(true, capital(name)?),
        ["leave", machine] => Command::Leave(who(machine)?),
        ["revoke", machine] => Command::Revoke(who(machine)?),
        ["recover", machine] => Command::Recover(who(machine)?),
        ["always-on", machine] => Command::AlwaysOn(who(machine)?),
        ["rival", machine] => Command::Rival(who(machine)?),
        ["ask", rest @ ..] => Command::Checkout(ask(rest)?, None),
        ["checkout", rest @ .., "within", time] => Command::Checkout(ask(rest)?, Some(ms(time)?)),
        ["checkout", rest @ ..] => Command::Checkout(ask(rest)?, Some(ANSWER_MS)),
        ["end", program] => Command::End(small(program)?),
        ["borrow", place, "for", time] => {
            let (user, machine) = at(place)?;
            Command::Borrow(user, machine, ms(time)?)
        }
        ["return", place] => {
            let (user, machine) = at(place)?;
            Command::Return(user, machine)
        }
        ["show", rest @ ..] => Command::Show(show(rest)?),
        _ => return Err(format!("`{}` is not understood", words.join(" "))),
    })
}

/// An agent answers within 10 s.
const ANSWER_MS: u64 = 11_000;

fn office(words: &[&str]) -> Result<Office, String> {
    let usage =
        || "an office is `office N desktops [N laptops] seats N ttl TIME [lending] [over wifi]`".to_owned();
    let (words, wifi) = match words {
        [words @ .., "over", "wifi"] => (words, true),
        words => (words, false),
    };
    let (words, lends) = match words {
        [words @ .., "lending"] => (words, true),
        words => (words, false),
    };
    let [counts @ .., "seats", seats, "ttl", ttl] = words else { return Err(usage()) };
    let (desktops, laptops) = match counts {
        [desktops, "desktops" | "desktop"] => (number(desktops)?, 0),
        [desktops, "desktops" | "desktop", laptops, "laptops" | "laptop"] => {
            (number(desktops)?, number(laptops)?)
        }
        _ => return Err(usage()),
    };
    if desktops == 0 {
        return Err("the first machine of an office is a desktop".to_owned());
    }
    let seats = u32::try_from(number(seats)?).map_err(|_| usage())?;
    Ok(Office { machines: desktops + laptops, laptops, seats, ttl_s: ms(ttl)? / 1_000, wifi, lends })
}

fn condition(words: &[&str]) -> Result<Condition, String> {
    Ok(match words {
        ["holder"] => Condition::Holder,
        ["no", "holder"] => Condition::NoHolder,
        ["holder", "besides", machine] => Condition::HolderBesides(who(machine)?),
        [count, "voters" | "voter"] if number(count).is_ok() => Condition::Voters(number(count)?),
        [count, "free"] => Condition::Free(number(count)?),
        [program, "has", "a", "seat"] => Condition::HasSeat(small(program)?),
        [program, "stops"] => Condition::Stops(small(program)?),
        [whom @ .., "stopped"] => Condition::Stopped(set(whom)?),
        [whom @ .., "not", as_role] => Condition::AreNot(set(whom)?, role(as_role)?),
        [whom @ .., as_role] => Condition::Are(set(whom)?, role(as_role)?),
        [] => return Err("what is awaited?".to_owned()),
    })
}

fn ask(words: &[&str]) -> Result<Ask, String> {
    let usage = || "a checkout is `USER@MACHINE as NAME [by connection] [waiting]`".to_owned();
    let (words, waiting) = match words {
        [words @ .., "waiting"] => (words, true),
        words => (words, false),
    };
    let (place, name, by_connection) = match words {
        [place, "as", name] => (place, name, false),
        [place, "as", name, "by", "connection"] => (place, name, true),
        _ => return Err(usage()),
    };
    let (user, on) = at(place)?;
    Ok(Ask { user, on, name: small(name)?, by_connection, waiting })
}

/// Somebody on a machine.
fn at(word: &str) -> Result<(String, Who), String> {
    let (user, machine) = word.split_once('@').ok_or_else(|| format!("`{word}` is not `USER@MACHINE`"))?;
    Ok((user.to_owned(), who(machine)?))
}

fn show(words: &[&str]) -> Result<Show, String> {
    Ok(match words {
        ["roles"] => Show::Roles,
        ["seats"] => Show::Seats,
        ["queue"] => Show::Queue,
        ["time"] => Show::Time,
        ["log", "of", program] => Show::Log(small(program)?),
        ["books", "of", machine] => Show::Books(who(machine)?),
        [one] if who(one).is_ok() => Show::Machine(who(one)?),
        [one] => Show::Program(small(one)?),
        _ => return Err(format!("`{}` is nothing that can be shown", words.join(" "))),
    })
}

fn role(word: &str) -> Result<Role, String> {
    let roles = [Role::Holder, Role::Voter, Role::Standby, Role::Spare, Role::Outside];
    let found = roles.into_iter().find(|role| role.to_string() == word);
    found.ok_or_else(|| format!("`{word}` is no role: holder, voter, standby, spare, outside"))
}

fn set(words: &[&str]) -> Result<Set, String> {
    match words {
        [] => Err("which machines? `all`, `all but …` or their names".to_owned()),
        ["all"] => Ok(Set::AllBut(Vec::new())),
        ["all", "but", rest @ ..] => Ok(Set::AllBut(whos(rest)?)),
        rest => Ok(Set::These(whos(rest)?)),
    }
}

fn whos(words: &[&str]) -> Result<Vec<Who>, String> {
    words.iter().map(|word| who(word)).collect()
}

fn who(word: &str) -> Result<Who, String> {
    if word == "the-holder" {
        return Ok(Who::Holder);
    }
    if let Some(number) = word.strip_prefix("pc").and_then(|number| number.parse().ok()) {
        return Ok(Who::Number(number));
    }
    capital(word).map(Who::Named)
}

/// The name of a machine.
fn capital(word: &str) -> Result<String, String> {
    if word.starts_with(|c: char| c.is_ascii_uppercase()) {
        return Ok(word.to_owned());
    }
    Err(format!("`{word}` is no machine: `pc0`, `the-holder`, or a name with a capital"))
}

/// The name of a program.
fn small(word: &str) -> Result<String, String> {
    if word.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Ok(word.to_owned());
    }
    Err(format!("`{word}` is no program: its name begins with a small letter"))
}

fn number(word: &str) -> Result<usize, String> {
    word.parse().map_err(|_| format!("`{word}` is no number"))
}

fn ms(word: &str) -> Result<u64, String> {
    let digits = word.len() - word.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (count, unit) = word.split_at(digits);
    let unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(format!("`{word}` is no time: 500ms, 10s, 2min, 1h, 365d")),
    };
    let count: Option<u64> = count.parse().ok();
    count.and_then(|count| count.checked_mul(unit)).ok_or_else(|| format!("`{word}` is no time"))
}

fn signed_ms(word: &str) -> Result<i64, String> {
    let (sign, rest) = match word.split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => return Err(format!("`{word}` is no step of a clock: +1h, -365d")),
    };
    let ms = i64::try_from(ms(rest)?).map_err(|_| format!("`{word}` is too far"))?;
    Ok(sign * ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, line: usize, problem: &str) {
        let misread = Story::read(text).unwrap_err();
        assert_eq!((misread.line, &*misread.problem), (line, problem), "{text}");
    }

    #[test]
    fn a_story_keeps_its_text_and_knows_its_lines() {
        let text = "# Two.\noffice 2 desktops 1 laptop seats 2 ttl 15s\n> 1 voter\n> more\n\nwait 2min\n";
        let story = Story::read(text).unwrap();
        let scenes: Vec<_> = story.scenes().collect();
        let office = Office { machines: 3, laptops: 1, seats: 2, ttl_s: 15, wifi: false, lends: false };
        assert_eq!((scenes[0].line, &scenes[0].command), (2, &Command::Office(office)));
        assert_eq!(scenes[0].expected, ["1 voter", "more"]);
        assert_eq!((scenes[1].line, &scenes[1].command), (6, &Command::Wait(120_000)));
        assert_eq!(story.parts.len(), 4);
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_line() {
        let office = "office 1 desktop seats 1 ttl 15s\n";
        refused(&format!("{office}dance pc1"), 2, "`dance pc1` is not understood");
        refused(&format!("{office}\nwait 5"), 3, "`5` is no time: 500ms, 10s, 2min, 1h, 365d");
        refused(&format!("{office}clock pc0 1h"), 2, "`1h` is no step of a clock: +1h, -365d");
        refused(&format!("{office}kill"), 2, "which machines? `all`, `all but …` or their names");
        refused(
            &format!("{office}kill rita"),
            2,
            "`rita` is no machine: `pc0`, `the-holder`, or a name with a capital",
        );
        refused(&format!("{office}end Rita"), 2, "`Rita` is no program: its name begins with a small letter");
        refused("wait 5s", 1, "a story begins with its `office`");
        refused("> 3 voters", 1, "output comes right after its command");
    }
}
