//! `logdrain serve` and what there is around it, in one program: linking one costs more than most of its tests.

mod addon;
mod alert_pages;
mod alerts;
mod archives;
mod asked;
mod browser;
mod certified;
#[cfg(unix)]
mod changes;
mod charts_page;
mod clients;
mod clock;
mod crash;
mod credentials;
mod damage;
mod dashboards;
mod dashboards_page;
mod deliveries;
mod demo;
#[cfg(unix)]
mod destroy;
mod disk;
mod drains;
mod events;
mod examples;
mod explore;
mod explore_page;
mod fair;
mod figures;
mod flood;
mod forms;
mod guard;
mod harness;
mod hostile_text;
mod lines;
mod lines_page;
mod lines_trouble;
mod long_runs;
#[cfg(unix)]
mod many;
mod measured;
mod minutes;
#[cfg(target_os = "linux")]
mod minutes_trouble;
mod moving;
mod outbox;
mod packaging;
mod page;
mod page_looks;
mod pages;
mod pages_hostile;
mod pages_main;
mod place;
mod places;
mod ports;
#[cfg(all(unix, feature = "postgres"))]
mod postgres;
#[cfg(unix)]
mod purge;
mod reload;
mod rights;
mod settings_api;
mod settings_rights;
#[cfg(all(unix, feature = "postgres"))]
mod spool;
mod tails;
mod uploads;
mod v1;
mod v2;
mod viewer;
mod viewer_forms;
mod watch;
mod ways;

use std::process::Output;

/// Runs the program once, with this on its standard input.
fn logdrain(arguments: &[&str], input: &[u8]) -> Output {
    testkit::program::run(env!("CARGO_BIN_EXE_logdrain"), arguments, input)
}
