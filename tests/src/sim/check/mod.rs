//! The checkers: one file for each invariant (ARCHITECTURE, "Invariants"). Each looks at the whole world after every
//! step, by what programs, devices and replicas really did, and not by what the product says of itself.

mod i1;
mod i10;
mod i11;
mod i2;
mod i3;
mod i4;
mod i5;
mod i6;
mod i7;
mod i8;
mod i9;
mod loans;
mod queue;
mod time;

use super::device::Device;
use super::history::{History, Loan, LoanOver};
use super::program::{Program, State};
use super::watch::Seen;

/// What a checker looks at.
#[derive(Debug)]
pub struct View<'a> {
    /// True time, milliseconds: the end of the step.
    pub now: u64,
    /// How long a step is, milliseconds.
    pub quantum: u64,
    /// The machines.
    pub devices: &'a [Device],
    /// What was seen in this step, in order.
    pub seen: &'a [Seen],
    /// Everything that was ever applied, this step included.
    pub history: &'a History,
    /// The last entry that anybody had applied before this step.
    pub newest_before: u64,
}

impl View<'_> {
    /// The programs that may be using a seat now, with their device's number, the session and the deadline.
    pub fn using(&self) -> impl Iterator<Item = Using<'_>> {
        self.devices.iter().flat_map(|device| {
            let mono = device.mono();
            device.programs().iter().filter_map(move |program| match program.state() {
                State::Using { session, seat, license, until, borrowed }
                    if program.is_running() && mono < until =>
                {
                    Some(Using { device, program, session, seat, license, borrowed })
                }
                _ => None,
            })
        })
    }

    /// The loan by whose ticket a program uses a seat.
    pub fn loan_of(&self, using: &Using<'_>) -> Option<&Loan> {
        let seat = using.seat.parse().ok().filter(|_| using.borrowed)?;
        self.history.loans.get(&seat)
    }

    /// Whether a program uses a seat that somebody else may have by now, as the design allows: the license takes back
    /// at once what a lost device has borrowed, or the device's disk was put back to before the seat's return.
    pub fn is_excused(&self, using: &Using<'_>) -> bool {
        let over = self.loan_of(using).and_then(|loan| loan.over);
        over.is_some_and(|(how, at)| {
            how == LoanOver::Lost || using.device.restored().is_some_and(|restored| restored >= at)
        })
    }
}

/// A program that may be using a seat.
#[derive(Debug)]
pub struct Using<'a> {
    /// Where.
    pub device: &'a Device,
    /// Which.
    pub program: &'a Program,
    /// Its session.
    pub session: seatkeeper_protocol::id::SessionId,
    /// Its seat.
    pub seat: String,
    /// The license that its ticket names.
    pub license: String,
    /// By the ticket of a borrowed seat.
    pub borrowed: bool,
}

/// An invariant does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which: `I1` …
    pub invariant: &'static str,
    /// What was found.
    pub found: String,
}

trait Check {
    const NAME: &'static str;

    fn step(&mut self, view: &View<'_>) -> Result<(), String>;
}

/// All checkers.
#[derive(Debug, Default)]
pub struct Checks {
    i1: i1::NeverOversubscribed,
    i2: i2::NothingLost,
    i3: i3::CommittedFirst,
    i4: i4::ActsOnce,
    i5: i5::SameBooks,
    i6: i6::CutOffHolderStops,
    i7: i7::DeviceStopsFirst,
    i8: i8::OneSeatPerSession,
    i9: i9::NoFalseDenial,
    i10: i10::RivalsRefused,
    i11: i11::NeverBreaks,
    loans: loans::LentSeats,
    queue: queue::InTurn,
    time: time::MedianTime,
}

impl Checks {
    /// Looks at one step.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn step(&mut self, view: &View<'_>) -> Result<(), Violation> {
        fn run<C: Check>(check: &mut C, view: &View<'_>) -> Result<(), Violation> {
            check.step(view).map_err(|found| Violation { invariant: C::NAME, found })
        }
        run(&mut self.i1, view)?;
        run(&mut self.i2, view)?;
        run(&mut self.i3, view)?;
        run(&mut self.i4, view)?;
        run(&mut self.i5, view)?;
        run(&mut self.i6, view)?;
        run(&mut self.i7, view)?;
        run(&mut self.i8, view)?;
        run(&mut self.i9, view)?;
        run(&mut self.i10, view)?;
        run(&mut self.i11, view)?;
        run(&mut self.loans, view)?;
        run(&mut self.queue, view)?;
        run(&mut self.time, view)
    }
}
