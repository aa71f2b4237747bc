//! Faithful fakes of kinds of cluster, on loopback: for tests without the real thing
//! and for trying jobdeck out. They know nothing of the adapters, so that what both
//! share by mistake is found.

pub mod ray;
