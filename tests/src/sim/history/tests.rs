use seatkeeper::keys;
use seatkeeper_protocol::id::{SeatId, SiteId};
use seatkeeper_protocol::license;

use super::super::site::{PRODUCT, product};
use super::*;

#[test]
fn what_a_machine_borrows_after_it_left_and_came_back_is_lost_with_it() {
    let mut history = History::default();
    let device = DeviceId([1; 20]);
    let admin = || Actor::Admin { name: Name::new("anna").unwrap(), signature: Vec::new() };
    let mut index = 0;
    let mut apply = |history: &mut History, actor: Actor, command: Command| {
        index += 1;
        let request = RequestId { epoch: 1, counter: index };
        let entry = Some(Arc::new(Entry { time: wall_at(0), term: 1, actor, request, command }));
        let applied = Applied {
            device: 0,
            index,
            entry,
            outcome: Outcome::Done,
            hash: [0; 32],
            digest: None,
            bug: None,
        };
        history.applied(&applied, index);
    };
    let lose = Command::LoseDevice { device, lost: true };
    let (license, id) = license_that_takes_back_at_once();
    history.licenses.insert(id.clone(), Owned { license, active: true });

    apply(&mut history, admin(), lose.clone());
    apply(&mut history, Actor::Device(device), Command::Leave);
    let (seat, user, ends) = (SeatId(7), Name::new("eva").unwrap(), wall_at(60_000));
    let loan = Loan { device, user, license: id, serial: 3, ends, since: 3, site_off_ms: 0, over: None };
    history.loans.insert(seat.0, loan);
    assert_eq!(history.pool(&product()), (1, 2));
    apply(&mut history, admin(), lose);
    assert_eq!(history.pool(&product()), (0, 2));
}

fn license_that_takes_back_at_once() -> (License, Name) {
    let text = format!(
        "# Seatkeeper license v1\nlicense = \"L1\"\nvendor = \"example-vendor\"\ncustomer = \"Office\"\n\
         issued = 2026-01-01\nproduct = \"{PRODUCT}\"\ntitle = \"Cad\"\nversion = \"2026\"\nseats = 2\nsite = \"{}\"\n\
         borrow = {{ max_days = 30 }}\nlost = \"immediate\"\n",
        SiteId([0; 20])
    );
    let text = license::sign(&text, &keys::generate().unwrap()).unwrap();
    let license = SignedLicense::parse(&text).unwrap().license().clone();
    (license.clone(), license.id)
}
