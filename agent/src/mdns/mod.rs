//! mdns
