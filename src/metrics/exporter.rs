//! The exporter's own metrics, in a registry of the `prometheus` crate, which also watches this process.

use prometheus::{
    Gauge, IntCounter, IntCounterVec, IntGauge, Opts, Registry, register_gauge_with_registry as gauge,
    register_int_counter_vec_with_registry as counter_vec, register_int_counter_with_registry as counter,
    register_int_gauge_with_registry as int_gauge,
};
use strum::VariantArray;

use ems_protocol::Timestamp;

/// Example queries of these metrics.
pub(super) const QUERIES: &[(&str, &str)] = &[
    ("ems_exporter_build_info", "count by (version) (ems_exporter_build_info)"),
    (
        "ems_exporter_config_last_load_success_timestamp_seconds",
        "time() - ems_exporter_config_last_load_success_timestamp_seconds",
    ),
    ("ems_exporter_feed_lagged_total", "rate(ems_exporter_feed_lagged_total[5m])"),
    ("ems_exporter_feed_clients", "ems_exporter_feed_clients"),
    (
        "ems_exporter_feed_clients_rejected_total",
        "increase(ems_exporter_feed_clients_rejected_total[1h]) > 0",
    ),
    ("ems_exporter_config_last_reload_successful", "ems_exporter_config_last_reload_successful == 0"),
    ("ems_exporter_http_accept_failures_total", "increase(ems_exporter_http_accept_failures_total[1h]) > 0"),
    (
        "ems_exporter_http_connection_limit_hits_total",
        "increase(ems_exporter_http_connection_limit_hits_total[1h]) > 0",
    ),
    (
        "ems_exporter_http_connections_closed_total",
        "sum by (instance, reason) (rate(ems_exporter_http_connections_closed_total[5m]))",
    ),
    ("ems_exporter_http_connections", "ems_exporter_http_connections"),
    ("ems_exporter_http_handshake_failures_total", "rate(ems_exporter_http_handshake_failures_total[5m])"),
    (
        "ems_exporter_web_config_last_load_success_timestamp_seconds",
        "time() - ems_exporter_web_config_last_load_success_timestamp_seconds",
    ),
    ("ems_exporter_web_config_last_reload_successful", "ems_exporter_web_config_last_reload_successful == 0"),
    (
        "ems_exporter_http_connections_accepted_total",
        "rate(ems_exporter_http_connections_accepted_total[5m])",
    ),
    ("ems_exporter_http_overloads_total", "increase(ems_exporter_http_overloads_total[1h]) > 0"),
    (
        "ems_exporter_http_responses_total",
        r#"sum by (instance, code) (rate(ems_exporter_http_responses_total{code!="200"}[5m]))"#,
    ),
    ("ems_exporter_scrape_duration_seconds", "ems_exporter_scrape_duration_seconds > 1"),
    ("ems_exporter_scrape_samples", "topk(5, ems_exporter_scrape_samples)"),
    ("ems_exporter_time_seconds", "timestamp(ems_exporter_time_seconds) - ems_exporter_time_seconds"),
    ("process_cpu_seconds_total", r#"rate(process_cpu_seconds_total{job="ems"}[5m])"#),
    ("process_max_fds", r#"process_open_fds{job="ems"} / process_max_fds{job="ems"}"#),
    ("process_open_fds", r#"process_open_fds{job="ems"}"#),
    ("process_resident_memory_bytes", r#"process_resident_memory_bytes{job="ems"}"#),
    ("process_start_time_seconds", r#"time() - process_start_time_seconds{job="ems"}"#),
    ("process_threads", r#"process_threads{job="ems"}"#),
    ("process_virtual_memory_bytes", r#"process_virtual_memory_bytes{job="ems"}"#),
];

/// Why the exporter closed a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::VariantArray, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum DisconnectReason {
    /// The header section was not complete in time.
    SlowHeader,
    /// The header section was too large.
    LargeHeader,
    /// The client read nothing of the answer in time.
    SlowReader,
}

/// The exporter's own metrics.
#[derive(Debug)]
pub struct ExporterMetrics {
    pub(super) registry: Registry,
    /// The exporter's clock at the scrape.
    pub(super) time: Gauge,
    /// Open HTTP connections.
    pub connections: IntGauge,
    /// HTTP connections accepted since the start.
    pub connections_accepted: IntCounter,
    /// Failures to accept a connection.
    pub accept_failures: IntCounter,
    /// Times the connection limit was reached.
    pub connection_limit_hits: IntCounter,
    /// Connections closed by the exporter, by reason.
    disconnects: IntCounterVec,
    /// Failed TLS handshakes.
    pub handshake_failures: IntCounter,
    /// When the active configuration was loaded.
    loaded_at: Gauge,
    /// Whether the last load of the configuration succeeded.
    loaded: IntGauge,
    /// When the active web configuration was loaded.
    web_loaded_at: Gauge,
    /// Whether the last load of the web configuration succeeded.
    web_loaded: IntGauge,
    /// Responses by status code.
    responses: IntCounterVec,
    /// Requests without an answer because too many answers were being sent, by kind of answer.
    overloads: IntCounterVec,
    /// Clients of the live feed.
    pub feed_clients: IntGauge,
    /// Clients of the live feed rejected at the client limit.
    pub feed_clients_rejected: IntCounter,
    /// Times that a client of the live feed was too slow and missed messages.
    pub feed_lagged: IntCounter,
    /// Samples of the last scrape.
    pub scrape_samples: IntGauge,
    /// Seconds that the last scrape took.
    pub scrape_seconds: Gauge,
}

impl ExporterMetrics {
    /// A registry of its own; `config_loaded` is when the configuration was loaded.
    pub fn new(config_loaded: Timestamp) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let build = Opts::new("ems_exporter_build_info", "Always 1; version of the exporter.")
            .const_label("version", env!("CARGO_PKG_VERSION"));
        int_gauge!(build, registry)?.set(1);
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        let metrics = Self {
            connections: int_gauge!("ems_exporter_http_connections", "Open HTTP connections.", registry)?,
            connections_accepted: counter!(
                "ems_exporter_http_connections_accepted_total",
                "HTTP connections accepted.",
                registry
            )?,
            accept_failures: counter!(
                "ems_exporter_http_accept_failures_total",
                "Failed attempts to accept an HTTP connection, for example for lack of file descriptors.",
                registry
            )?,
            connection_limit_hits: counter!(
                "ems_exporter_http_connection_limit_hits_total",
                "Times the connection limit was reached; further connections wait.",
                registry
            )?,
            disconnects: counter_vec!(
                "ems_exporter_http_connections_closed_total",
                "HTTP connections closed by the exporter: slow_header, the first request's header was incomplete after the timeout; large_header, it was too large; slow_reader, the client read nothing of a response within the timeout, or read slowly while other requests waited.",
                &["reason"],
                registry
            )?,
            handshake_failures: counter!(
                "ems_exporter_http_handshake_failures_total",
                "Connections whose TLS handshake failed.",
                registry
            )?,
            loaded_at: gauge!(
                "ems_exporter_config_last_load_success_timestamp_seconds",
                "Time at which the active configuration was loaded.",
                registry
            )?,
            loaded: int_gauge!(
                "ems_exporter_config_last_reload_successful",
                "1 if the last load of the configuration succeeded, else 0.",
                registry
            )?,
            web_loaded_at: gauge!(
                "ems_exporter_web_config_last_load_success_timestamp_seconds",
                "Time at which the active web configuration was loaded.",
                registry
            )?,
            web_loaded: int_gauge!(
                "ems_exporter_web_config_last_reload_successful",
                "1 if the last load of the web configuration succeeded, else 0.",
                registry
            )?,
            responses: counter_vec!(
                "ems_exporter_http_responses_total",
                "HTTP responses by status code.",
                &["code"],
                registry
            )?,
            overloads: counter_vec!(
                "ems_exporter_http_overloads_total",
                "Requests answered with 503 because too many large responses were being rendered or sent to slow clients: metrics, pages of metrics; api, lists, snapshots and the live page.",
                &["kind"],
                registry
            )?,
            feed_clients: int_gauge!(
                "ems_exporter_feed_clients",
                "Connected clients of the live feed; each open status page is one.",
                registry
            )?,
            feed_clients_rejected: counter!(
                "ems_exporter_feed_clients_rejected_total",
                "Feed clients rejected at the client limit.",
                registry
            )?,
            feed_lagged: counter!(
                "ems_exporter_feed_lagged_total",
                "Times that a client of the live feed was too slow and missed messages or was disconnected.",
                registry
            )?,
            time: gauge!(
                "ems_exporter_time_seconds",
                "Time of the exporter's clock at the scrape. Ages are this minus a timestamp of the exporter; its difference to the time of the scrape is the skew against Prometheus.",
                registry
            )?,
            scrape_samples: int_gauge!(
                "ems_exporter_scrape_samples",
                "Samples in the last scrape.",
                registry
            )?,
            scrape_seconds: gauge!(
                "ems_exporter_scrape_duration_seconds",
                "Time taken to render the last scrape, including compression.",
                registry
            )?,
            registry,
        };
        for reason in DisconnectReason::VARIANTS {
            metrics.disconnects.with_label_values(&[<&str>::from(reason)]).inc_by(0);
        }
        for kind in ["metrics", "api"] {
            metrics.overloads.with_label_values(&[kind]).inc_by(0);
        }
        metrics.config_loaded(true, config_loaded);
        metrics.web_loaded(true, config_loaded);
        for code in ["200", "400", "401", "403", "404", "413", "503"] {
            metrics.responses.with_label_values(&[code]).inc_by(0);
        }
        Ok(metrics)
    }

    /// Counts a connection closed by the exporter.
    pub fn count_disconnect(&self, reason: DisconnectReason) {
        self.disconnects.with_label_values(&[<&str>::from(reason)]).inc();
    }

    /// Counts requests without an answer because too many answers of this kind were being sent.
    pub fn overloads(&self, kind: &str) -> IntCounter {
        self.overloads.with_label_values(&[kind])
    }

    /// Counts a response with this status code.
    pub fn count_response(&self, code: &str) {
        self.responses.with_label_values(&[code]).inc();
    }

    /// Records a load of the configuration at `at`.
    pub fn config_loaded(&self, success: bool, at: Timestamp) {
        self.loaded.set(i64::from(success));
        if success {
            self.loaded_at.set(at.seconds());
        }
    }

    /// Records a load of the web configuration at `at`.
    pub fn web_loaded(&self, success: bool, at: Timestamp) {
        self.web_loaded.set(i64::from(success));
        if success {
            self.web_loaded_at.set(at.seconds());
        }
    }
}
