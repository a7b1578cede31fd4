//! Faults planted on purpose, to prove that the simulator's checkers catch them, and the ledger's tests those in the
//! ledger. Without the feature `faults`, which only tests ask for, nothing of them is in the program.

/// A classic mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The holder signs a ticket before its entry is committed (against I3).
    TicketBeforeCommit,
    /// The holder answers pings without a read (against I6).
    PongWithoutRead,
    /// The device counts its deadline from receiving an answer (against I7).
    DeadlineFromReceiving,
    /// A holder keeps its lease table from an earlier term (against I7).
    LeasesAcrossTerms,
    /// A vote is answered before it is on the disk (against I2).
    UnsyncedVote,
    /// An append is acknowledged before it is on the disk (against I2).
    UnsyncedAppend,
    /// A repeated request acts again (against I4).
    DoubleApply,
    /// A holder goes on with an expiry that it decided in an earlier term, and `apply` takes it (against I7).
    StaleHolderCommand,
    /// A holder's expiry ends also a later attach of the session (against I8).
    ExpireAnyAttach,
    /// A return ends also a later attach of the session (against I8).
    ReturnAnyAttach,
    /// The site's time is the holder's own clock.
    OneClock,
    /// The device judges its deadlines by the runtime's clock, which stands still in suspend (against I7).
    SuspendNotCounted,
    /// A snapshot leaves out what was asked before (against I5).
    SnapshotForgets,
    /// A device of another generation is answered (against I10).
    AnyGeneration,
    /// Admission does not count the seats in use (against I11).
    AdmissionBlind,
    /// The site is told of a return before the borrowed seat is retired on the disk (against I1).
    ReturnBeforeRetired,
    /// A borrowed seat is given back while programs use it (against I1).
    ReturnWhileUsed,
    /// The device judges the end of a borrow by its wall clock alone (against I1).
    BorrowByWallClock,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::TicketBeforeCommit,
        Self::PongWithoutRead,
        Self::DeadlineFromReceiving,
        Self::LeasesAcrossTerms,
        Self::UnsyncedVote,
        Self::UnsyncedAppend,
        Self::DoubleApply,
        Self::StaleHolderCommand,
        Self::ExpireAnyAttach,
        Self::ReturnAnyAttach,
        Self::OneClock,
        Self::SuspendNotCounted,
        Self::SnapshotForgets,
        Self::AnyGeneration,
        Self::AdmissionBlind,
        Self::ReturnBeforeRetired,
        Self::ReturnWhileUsed,
        Self::BorrowByWallClock,
    ];
}

#[cfg(feature = "faults")]
mod planted {
    use std::cell::Cell;

    use super::Fault;

    thread_local! {
        static PLANTED: Cell<Option<Fault>> = const { Cell::new(None) };
    }

    /// Plants a fault on this thread, or takes it out again.
    pub fn plant(fault: Option<Fault>) {
        PLANTED.set(fault);
    }

    /// Whether `fault` is planted on this thread.
    pub fn planted(fault: Fault) -> bool {
        PLANTED.get() == Some(fault)
    }
}

#[cfg(feature = "faults")]
pub use planted::{plant, planted};

/// Whether `fault` is planted: never.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub const fn planted(_fault: Fault) -> bool {
    false
}
