//! Tests of the library from outside, on recordings of a real server.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by failing")]
#![allow(unreachable_pub, reason = "a test crate has no outside")]

mod actions;
mod alert_rules;
mod architecture;
mod auth;
mod clocks;
mod config;
mod configuration;
mod container_image;
mod dashboards;
mod decode;
mod deployment;
mod derived_events;
mod docs;
mod feed;
mod field;
mod file_faults;
mod file_input;
mod folders;
mod golden;
mod http;
mod instant;
mod limits;
mod linear;
mod manual_pages;
mod openapi;
mod outputs;
mod promql;
mod proof;
mod properties;
mod query;
mod reconcile;
mod recordings;
mod reload;
mod restarts;
mod rules;
mod rules_test;
mod runtime_api;
mod service_manager;
mod streams;
mod support;
mod verdicts;
mod web_config;
