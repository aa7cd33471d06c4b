//! Tests of the library from outside, on recordings of a real server.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by failing")]
#![allow(unreachable_pub, reason = "a test crate has no outside")]

mod actions;
mod api;
mod architecture;
mod compose;
mod config;
mod configuration;
mod dashboards;
mod deploy;
mod derived_events;
mod docs;
mod ems_api;
mod fake_api;
mod feed;
mod files;
mod golden;
#[path = "../dashboards/grafana.rs"]
mod grafana;
mod guard;
mod http;
mod limits;
mod manual;
mod openapi;
mod outputs;
mod promql;
mod properties;
mod reactions;
mod reconcile;
mod recorded;
mod rehearse;
mod reload;
mod restarts;
mod rules;
mod service;
mod streams;
mod support;
mod web;
mod wire;
