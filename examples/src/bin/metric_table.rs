//! Prints the table of native metrics, as the README shows it.
//!
//! `cargo run -p examples --bin metric_table`

fn main() {
    print!("{}", heroku_metrics::native::markdown());
}
