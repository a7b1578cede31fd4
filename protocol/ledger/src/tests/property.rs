//! Random offices, and arbitrary bytes (I11): whatever is asked in whatever order, the invariants hold. [`super::million`]
//! goes on with many more commands; here everything is compared after each, and a failure is made small.

use std::sync::LazyLock;

use proptest::prelude::*;
use seatkeeper_protocol::id::RequestId;

use super::chance::Chance;
use super::office::{Office, START, device};
use super::random::{Compared, RandomOffice};
use super::steps::Scene;
use crate::command::{Actor, Entry};
use crate::{Ledger, decode, decode_command, decode_outcome, encode};

/// A step each.
fn seeds() -> impl Strategy<Value = Vec<u64>> {
    proptest::collection::vec(any::<u64>().no_shrink(), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn the_invariants_hold_in_any_office(seeds in seeds()) {
        let mut office = RandomOffice::open(Compared::AfterEachCommand, seeds[0] % 2 == 1);
        for seed in seeds {
            office.try_step(seed).map_err(TestCaseError::fail)?;
        }
        office.finish().map_err(TestCaseError::fail)?;
    }
}

static OFFICE: LazyLock<Ledger> = LazyLock::new(|| Office::with_license(2, "").ledger);

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode_command(&bytes);
        let _ = decode_outcome(&bytes);
        let _ = Ledger::restore(&bytes);
        if let Ok(entry) = decode(&bytes) {
            prop_assert_eq!(decode(&encode(&entry).unwrap()), Ok(entry));
        }
        let mut ledger = Ledger::new();
        ledger.apply(1, 1, &bytes);
        prop_assert_eq!(ledger.bug(), None);
    }

    #[test]
    fn a_changed_entry_is_applied_without_harm(
        seed in any::<u64>().no_shrink(),
        at in any::<proptest::sample::Index>(),
        bit in 0..8_u32,
        cut in any::<bool>(),
    ) {
        let mut ledger = OFFICE.clone();
        let scene = Scene { ledger: &ledger, now: START, recent: &[].into() };
        let (_, command) = scene.by_device(&mut Chance::new(seed));
        let entry = Entry {
            time: START,
            term: 1,
            actor: Actor::Device(device(1)),
            request: RequestId { epoch: 7, counter: 7 },
            command,
        };
        let mut bytes = encode(&entry).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if cut {
            bytes.truncate(at);
        }
        ledger.apply(1_000, 1, &bytes);
        prop_assert_eq!(ledger.bug(), None);
        prop_assert_eq!(crate::snapshot::check(&ledger.state), Ok(()));
    }
}
