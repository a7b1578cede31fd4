//! What is refused, and in which words.

use std::collections::BTreeMap;

use seatkeeper_protocol::id::DeviceId;
use seatkeeper_protocol::license::{Date, Downgrade, parse_unsigned};

use super::{bought, node, node_id, office, purchase_id, version};
use crate::org::{
    Device, Glob, Match, Network, Organisation, Placement, PlacementError, Purchase, PurchaseError, Register,
    RegisterError, Rule,
};

fn manual(of: &[(&str, u32)]) -> BTreeMap<crate::org::NodeId, u32> {
    of.iter().map(|(node, quantity)| (node_id(node), *quantity)).collect()
}

#[test]
fn purchases_that_may_not_be_registered() {
    let check = |change: &dyn Fn(&mut Purchase), says: &str| {
        let mut purchase = bought("2026", 10);
        change(&mut purchase);
        let mut register = Register::new(office());
        let error = register.add_purchase(purchase_id("p"), purchase).unwrap_err();
        assert_eq!(error.to_string(), format!("purchase `p`: {says}"));
        assert!(register.purchases().is_empty());
    };
    check(&|p| p.quantity = 0, "the quantity is 0; write 1 to 1000000");
    check(&|p| p.quantity = 1_000_001, "the quantity is 1000001; write 1 to 1000000");
    check(
        &|p| p.manual = manual(&[("E1", 8), ("E2", 4)]),
        "12 are allocated by hand, but 10 were bought; allocate less, or raise the quantity",
    );
    check(
        &|p| p.manual = manual(&[("E1", u32::MAX), ("E2", u32::MAX)]),
        "8589934590 are allocated by hand, but 10 were bought; allocate less, or raise the quantity",
    );
    check(
        &|p| p.manual = manual(&[("E1", 0)]),
        "0 are allocated to `E1`; write how many, or leave the node out",
    );
    check(
        &|p| p.manual = manual(&[("Q", 1)]),
        "some are allocated to `Q`, which is not in the organisation; add the node, or correct the allocation",
    );
    check(
        &|p| (p.owner, p.manual) = (Some(node_id("W")), manual(&[("E1", 1)])),
        "some are allocated to `E1`, which is not below the owner `W`; allocate to the owner or below, or name another owner",
    );
    check(
        &|p| (p.owner, p.manual) = (Some(node_id("W")), manual(&[("R", 1)])),
        "some are allocated to `R`, which is not below the owner `W`; allocate to the owner or below, or name another owner",
    );
    check(
        &|p| p.owner = Some(node_id("E")),
        "the owner `E` is no legal entity; name one, or make the node one",
    );
    check(
        &|p| p.owner = Some(node_id("Q")),
        "the owner `Q` is not in the organisation; add the node, or name another owner",
    );
    check(
        &|p| (p.valid_from, p.valid_until) = (Date::new(2026, 2, 1), Date::new(2026, 1, 1)),
        "it ends on 2026-01-01, before it begins on 2026-02-01; correct one of the dates",
    );
    check(
        &|p| p.downgrade = Downgrade::To(vec![version("2025"), version("2027")]),
        "version 2026 is not newer than 2027, so it can't be downgraded to it; name earlier versions only",
    );
    check(
        &|p| p.downgrade = Downgrade::To(vec![version("2025"), version("2025")]),
        "the downgrade names 2025 twice; name it once",
    );
}

#[test]
fn the_owner_is_the_root_only_if_that_is_a_legal_entity() {
    let mut register = Register::new(office());
    register.add_purchase(purchase_id("p"), bought("2026", 1)).unwrap();
    assert_eq!(register.purchases()[&purchase_id("p")].owner, Some(node_id("R")));
    let nodes = vec![node("R", None, false), node("W", Some("R"), true)];
    let mut register = Register::new(Organisation::new(nodes).unwrap());
    assert_eq!(
        register.add_purchase(purchase_id("p"), bought("2026", 1)).unwrap_err().to_string(),
        "purchase `p`: no owner is named, and the root `R` is no legal entity; name a legal entity as the owner"
    );
    let named = Purchase { owner: Some(node_id("W")), ..bought("2026", 1) };
    register.add_purchase(purchase_id("p"), named).unwrap();
}

#[test]
fn nodes_that_own_something_stay() {
    let mut register = Register::new(office());
    let at_w = Purchase { owner: Some(node_id("W")), ..bought("2026", 5) };
    register.add_purchase(purchase_id("at-w"), at_w).unwrap();
    register.add_purchase(purchase_id("at-r"), bought("2026", 5)).unwrap();
    register.allocate(&purchase_id("at-r"), manual(&[("E1", 2)])).unwrap();
    let rule = Rule { matches: Match::Host(Glob::new("e2-*").unwrap()), node: node_id("E2") };
    register.set_placement(vec![rule]).unwrap();
    let before = register.clone();
    for (node, says) in [
        ("R", "node `R` is the root; import another organisation instead"),
        ("W", "node `W1` is below node `W`; move or remove it first"),
        ("E1", "part of purchase `at-r` is allocated to node `E1`; change the allocation first"),
        ("E2", "rule 1 puts devices into node `E2`; change the rule first"),
        ("Q", "there is no node `Q`; look for it in the organisation"),
    ] {
        assert_eq!(register.remove_node(&node_id(node)).unwrap_err().to_string(), says);
    }
    register.remove_node(&node_id("W1")).unwrap();
    assert_eq!(
        register.remove_node(&node_id("W")).unwrap_err().to_string(),
        "node `W` owns purchase `at-w`; move or remove the purchase first"
    );
    // The same by import.
    let mut register = before.clone();
    let without = |id: &str| {
        let nodes = office().nodes().iter().filter(|node| node.id != node_id(id)).cloned().collect();
        Organisation::new(nodes).unwrap()
    };
    assert!(matches!(register.set_organisation(without("E1")), Err(RegisterError::InUse { .. })));
    assert!(matches!(register.set_organisation(without("E2")), Err(RegisterError::Rules(_))));
    assert_eq!(
        register.set_node(node("W", Some("R"), false)).unwrap_err().to_string(),
        "purchase `at-w` needs the organisation as it is: the owner `W` is no legal entity; name one, or make the node one; or first change or remove that purchase"
    );
    assert!(matches!(register.set_node(node("E", Some("E1"), false)), Err(RegisterError::Tree(_))));
    assert_eq!(register, before);
    register.set_organisation(without("W1")).unwrap();
}

#[test]
fn purchases_are_there_once() {
    let mut register = Register::new(office());
    register.add_purchase(purchase_id("p"), bought("2026", 1)).unwrap();
    assert_eq!(
        register.add_purchase(purchase_id("p"), bought("2026", 1)),
        Err(RegisterError::PurchaseExists(purchase_id("p")))
    );
    assert_eq!(
        register.set_purchase(&purchase_id("q"), bought("2026", 1)),
        Err(RegisterError::NoPurchase(purchase_id("q")))
    );
    assert!(register.allocate(&purchase_id("p"), manual(&[("E1", 2)])).is_err());
    register.allocate(&purchase_id("p"), manual(&[("E1", 1)])).unwrap();
    register.allocate(&purchase_id("p"), manual(&[])).unwrap();
    assert_eq!(register.remove_purchase(&purchase_id("p")).unwrap().remainder(), 1);
    assert!(register.remove_purchase(&purchase_id("p")).is_err());
}

#[test]
fn a_license_is_narrowed_but_not_widened() {
    let text = "# Seatkeeper license v1\nlicense = \"L\"\nvendor = \"v\"\ncustomer = \"c\"\nissued = 2025-12-20\nproduct = \"cad\"\ntitle = \"CAD\"\nversion = \"2026\"\ndowngrade = [\"2025\"]\nseats = 3\nvalid_from = 2026-01-01\nvalid_until = 2027-01-01\n";
    let license = parse_unsigned(text).unwrap();
    let whole = Purchase::of_license(&license);
    assert_eq!((whole.quantity, whole.purchased), (3, Date::new(2025, 12, 20)));
    let check = |change: &dyn Fn(&mut Purchase), expected: Result<(), PurchaseError>| {
        let mut purchase = whole.clone();
        change(&mut purchase);
        assert_eq!(purchase.check_within(&license), expected);
    };
    check(&|_| {}, Ok(()));
    check(
        &|p| (p.quantity, p.downgrade, p.valid_until) = (2, Downgrade::None, Date::new(2026, 6, 1)),
        Ok(()),
    );
    check(&|p| p.quantity = 4, Err(PurchaseError::WiderQuantity(4, 3)));
    check(&|p| p.downgrade = Downgrade::Any, Err(PurchaseError::WiderThanNamed));
    check(
        &|p| p.downgrade = Downgrade::To(vec![version("2024")]),
        Err(PurchaseError::WiderDowngrade(version("2024"))),
    );
    check(&|p| p.valid_until = None, Err(PurchaseError::WiderDates));
    check(&|p| p.valid_from = None, Err(PurchaseError::WiderDates));
    let other = PurchaseError::NotLicensed(license.product.clone(), license.version.clone());
    check(&|p| p.version = version("2027"), Err(other));
}

#[test]
fn the_first_rule_that_fits_places_a_device() {
    let rule = |matches, node: &str| Rule { matches, node: node_id(node) };
    let glob = |text: &str| Glob::new(text).unwrap();
    let rules = vec![
        rule(Match::Device(DeviceId([7; 20])), "W1"),
        rule(Match::Host(glob("CAD-??-*")), "E1"),
        rule(Match::Address("10.1.0.0/16".parse().unwrap()), "E2"),
        rule(Match::Address("2001:db8::/33".parse().unwrap()), "W"),
        rule(Match::User(glob("*@workshop*")), "E"),
        rule(Match::User(glob("shop-*")), "E"),
    ];
    let placement = Placement::new(rules, &office()).unwrap();
    let addresses = |text: &str| vec![text.parse().unwrap()];
    let check = |id: u8, host: &str, address: &str, user: &str, node: Option<&str>| {
        let (addresses, users) = (addresses(address), [user]);
        let device = Device { id: Some(DeviceId([id; 20])), host, addresses: &addresses, users: &users };
        assert_eq!(placement.node(&device).map(crate::org::NodeId::as_str), node, "{device:?}");
    };
    check(7, "cad-01-x", "10.1.2.3", "", Some("W1"));
    check(1, "cad-01-x", "10.1.2.3", "", Some("E1"));
    check(1, "cad-1-x", "10.1.2.3", "", Some("E2"));
    check(1, "cad-1-x", "::ffff:10.1.2.3", "", Some("E2"));
    check(1, "", "10.2.2.3", "Eva@Workshop.example", Some("E"));
    check(1, "", "10.2.2.3", "OFFICE\\Shop-1", Some("E"));
    check(1, "", "10.2.2.3", "workshop-1", None);
    check(1, "", "2001:db8:7fff::1", "", Some("W"));
    check(1, "", "2001:db8:8000::1", "", None);
    assert_eq!(
        Placement::new(vec![rule(Match::Host(glob("*")), "Q")], &office()).unwrap_err().to_string(),
        "rule 1 puts devices into `Q`, which is not in the organisation; add the node, or correct the rule"
    );
    for wrong in ["", "10.1.0.0/33", "10.1/16", "::/129", "x", "10.0.0.0/", "10.0.0.0/-1"] {
        assert_eq!(wrong.parse::<Network>(), Err(PlacementError::Network(wrong.into())));
    }
    assert!("0.0.0.0/0".parse::<Network>().unwrap().contains("9.9.9.9".parse().unwrap()));
    // A star can be anything, many times over, in no time.
    let many = glob(&"*a".repeat(60));
    assert!(!many.fits(&"a".repeat(59)) && many.fits(&"a".repeat(60)));
    assert!(!many.fits(&("a".repeat(10_000) + "b")));
    // What is longer in lower case than a pattern may be would be refused when it is read again.
    assert_eq!(Glob::new(&"İ".repeat(64)), Err(PlacementError::Glob));
    let longest = glob(&"İ".repeat(42));
    assert_eq!(Glob::new(&longest.to_string()), Ok(longest));
    assert!(glob("**").fits("") && !glob("?").fits("") && glob("a*b").fits("a*b"));
}
