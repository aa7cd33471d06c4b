//! Prometheus exporter for EvoStream Media Server.

pub mod simulate;
