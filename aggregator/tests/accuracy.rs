//! Percentiles of the sketch against sorted values. `cargo test -p minute-aggregator --test accuracy -- --nocapture`
//! prints the table of the crate's page.
#![allow(missing_docs)]

use metric_model::Percentile;
use minute_aggregator::{MinuteSketch, Precision, Sketch};

/// Uniform in (0, 1).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Box and Muller.
    fn normal(&mut self) -> f64 {
        (-2.0 * self.next().ln()).sqrt() * (std::f64::consts::TAU * self.next()).cos()
    }
}

type Draw = fn(&mut Random) -> f64;

const DISTRIBUTIONS: [(&str, Draw); 8] = [
    ("uniform, 0 to 1,000", |random| random.next() * 1_000.0),
    ("log-normal, median 20", |random| (3.0 + random.normal()).exp()),
    ("Pareto, shape 1.1", |random| random.next().powf(-1.0 / 1.1)),
    (
        "bimodal, 5 and 3,000",
        |random| if random.next() < 0.9 { 5.0 + random.next() } else { 3_000.0 + random.normal() },
    ),
    ("constant, 12.345", |_| 12.345),
    ("whole, 0 to 255", |random| (random.next() * 256.0).floor()),
    ("both signs, ±1,000", |random| random.next() * 2_000.0 - 1_000.0),
    ("1e-300 to 1e300", |random| 10_f64.powf(random.next() * 600.0 - 300.0)),
];

/// The worst relative error of the four percentiles over all numbers of values.
fn worst(draw: Draw, precision: Precision, sizes: &[usize]) -> f64 {
    let mut worst = 0.0_f64;
    for size in sizes {
        let mut random = Random(0x2545_F491_4F6C_DD1D);
        let mut values: Vec<f64> = (0..*size).map(|_| draw(&mut random)).collect();
        let mut sketch = MinuteSketch::with_precision(precision);
        values.iter().for_each(|value| sketch.record(*value));
        values.sort_unstable_by(f64::total_cmp);
        let found = sketch.percentiles().unwrap();
        for which in Percentile::ALL {
            let truth = values[which.rank(*size as u64) as usize - 1];
            let error = if truth == 0.0 { found.get(which).abs() } else { ((found.get(which) - truth) / truth).abs() };
            assert!(!found.is_exact(which) || error == 0.0, "called exact, and is not");
            if *size <= MinuteSketch::EXACT {
                assert_eq!(error, 0.0);
            }
            worst = worst.max(error);
        }
    }
    worst
}

#[test]
fn percentiles_are_within_the_stated_error() {
    let mut sizes = vec![1, 2, 10, 64, 65, 100, 999, 1_000, 1_001, 10_000, 100_000];
    if std::env::var_os("HEROKU_METRICS_LONG").is_some() {
        sizes.push(1_000_000);
    }
    println!("| values | two digits | three digits |\n|---|---:|---:|");
    for (name, draw) in DISTRIBUTIONS {
        let errors = [Precision::TwoDigits, Precision::ThreeDigits].map(|precision| {
            let error = worst(draw, precision, &sizes);
            assert!(error <= precision.relative_error(), "{name}: {error}");
            error
        });
        println!("| {name} | {:.3} % | {:.4} % |", errors[0] * 100.0, errors[1] * 100.0);
        if name.starts_with("constant") || name.starts_with("whole") {
            assert_eq!(errors, [0.0, 0.0], "{name}");
        }
    }
}
