//! What people do with borrowed seats.

use std::time::Duration;

use seatkeeper::node::{BorrowAsk, Until};
use seatkeeper_protocol::id::Name;

use super::device::{Answer, Device};
use super::site;

/// What came of a borrow or a return.
pub type Lent = Result<Done, String>;

/// That it was done, and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The site knows.
    Known,
    /// The site hears of it at the next contact.
    Later,
}

impl Device {
    /// A user borrows a seat on this machine.
    pub fn borrow(&self, user: &Name, length: Duration, renew: bool) -> Answer<Lent> {
        let ask = BorrowAsk {
            user: user.clone(),
            product: site::product(),
            version: None,
            features: Vec::new(),
            until: Until::For(length),
            renew,
        };
        let answer = Answer::default();
        let Some(node) = self.node().cloned() else { return answer };
        let given = answer.clone();
        self.spawn(async move {
            let done = node.borrow(ask).await;
            given.give(done.map(|_| Done::Known).map_err(|error| error.to_string()));
        });
        answer
    }

    /// A user gives back what it has borrowed on this machine.
    pub fn give_back(&self, user: &Name) -> Answer<Lent> {
        let answer = Answer::default();
        let Some(node) = self.node().cloned() else { return answer };
        let (user, given) = (user.clone(), answer.clone());
        self.spawn(async move {
            let done = node.return_borrow(&user, &site::product(), None).await;
            let how = |pending| if pending { Done::Later } else { Done::Known };
            given.give(done.map(|returned| how(returned.pending)).map_err(|error| error.to_string()));
        });
        answer
    }

    /// Who has borrowed seats on this machine, as its agent says.
    pub fn borrowers(&self) -> Vec<Name> {
        let Some(node) = self.node() else { return Vec::new() };
        node.borrow_list().borrows.iter().filter_map(|borrow| Name::new(borrow.user.clone()).ok()).collect()
    }
}
