//! Tests of Seatkeeper as a whole.
//!
//! | test | holds |
//! |---|---|
//! | `house` | the rules of the source: who imports whom, what is banned |
//! | `fuzz` | whatever bytes come from a network, a disk or a person |
//! | `lan` | the real binary on hosts that are network namespaces on one bridge |

pub mod sim;
