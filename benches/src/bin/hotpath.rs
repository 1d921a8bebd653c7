//! One hot path over a fixed input, so often: what `benches/callgrind` counts the instructions of.
//!
//! `hotpath PATH REPEATS` prints lines and repeats; the difference between two numbers of repeats is the path alone.

use family_benches::{cold, hop, hot, newlines, ours};
use std::hint::black_box;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_default();
    let repeats: u32 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1);
    let kind = |head: &[u8]| hot().frames_with(head, usize::MAX);
    let body = match path.as_str() {
        "router" | "router-all" => kind(b" heroku router - "),
        "postgres" => kind(b" app heroku-postgres - "),
        "runtime" => kind(b" heroku web."),
        "custom" => custom(),
        "first" => cold().body().to_vec(),
        _ => hot().body().to_vec(),
    };
    let (lines, body) = (hop(&body), black_box(body.as_slice()));
    let (mut whole, mut extractor) = (ours::Whole::new(), ours::extractor());
    let mut found = 0;
    for _ in 0..repeats {
        found += match path.as_str() {
            "scan" => newlines(body) as u64,
            "hop" => hop(body),
            "header" => ours::headers(body).0,
            "fields" | "router" | "postgres" | "runtime" | "custom" => ours::fields(body).lines,
            "router-all" => ours::router_fields(body).0,
            "observations" => ours::observations(&mut extractor, body).0,
            "pipeline" => whole.ingest(body).frames(),
            // From an empty pipeline to all percentiles.
            "first" => {
                whole = ours::Whole::new();
                whole.ingest(body).frames() + whole.finish().requests
            }
            _ => {
                eprintln!(
                    "hotpath: {path}: scan hop header fields router router-all postgres runtime custom observations pipeline first"
                );
                return ExitCode::from(2);
            }
        };
    }
    println!("{lines} {repeats} {found}");
    ExitCode::SUCCESS
}

/// Frames of the application with metrics: those left when the ones without a `#` are.
fn custom() -> Vec<u8> {
    let mut kept = Vec::new();
    for raw in heroku_syslog::Frames::new(&hot().frames_with(b" host app web.", usize::MAX)).flatten() {
        if logfmt_metrics::maybe_metrics(raw.bytes()) {
            kept.extend_from_slice(format!("{} ", raw.bytes().len()).as_bytes());
            kept.extend_from_slice(raw.bytes());
        }
    }
    kept
}
