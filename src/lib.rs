//! Prometheus exporter for EvoStream Media Server.
