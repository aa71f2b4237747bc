//! The engine on a scripted cluster.
