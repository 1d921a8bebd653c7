//! Prints the table of native metrics, as `docs/metrics.md` shows it.
//!
//! `cargo run -p examples --bin metric_table`

fn main() {
    print!("{}", heroku_metrics::native::markdown());
}
