//! What the rows of the demo take, as those who keep minutes will have them.
#![allow(missing_docs)]

use core::convert::Infallible;
use heroku_metrics::aggregator::{EachRow, MinuteSketch, Row, RowBuf};
use heroku_metrics::model::DataPointBuf;
use heroku_metrics::syslog::Delivery;
use heroku_metrics::{Pipeline, PipelineConfig};

fn pipeline() -> Pipeline {
    let demo = std::fs::read(testkit::testdata().join("demo.logplex")).unwrap();
    let mut pipeline = Pipeline::new(PipelineConfig::new()).unwrap();
    pipeline.ingest(&Delivery::new(&demo));
    pipeline
}

fn rows() -> Vec<RowBuf> {
    let mut rows = Vec::new();
    let mut keep = EachRow(|row: &Row<'_>| {
        rows.push(row.to_row_buf());
        Ok::<(), Infallible>(())
    });
    let Ok(()) = pipeline().finish(&mut keep);
    rows
}

/// How many bytes a number takes that grows by seven bits a byte.
fn number(value: u64) -> usize {
    (1..).find(|bytes| value.checked_shr(7 * bytes).is_none_or(|rest| rest == 0)).unwrap() as usize
}

/// The bytes of window, name, unit and tags.
fn key(row: &RowBuf) -> usize {
    let text = |text: &str| number(text.len() as u64) + text.len();
    let (start, end) = (row.window().start().unix_micros(), row.window().end().unix_micros());
    let window = number(start as u64 * 2) + number((end - start) as u64);
    let tags: usize = row.tags().iter().map(|(key, value)| text(key) + text(value)).sum();
    window + text(row.name()) + text(row.unit().as_str()) + number(row.tags().len() as u64) + tags
}

#[test]
fn the_rows_of_the_demo_are_its_points() {
    let mut points: Vec<DataPointBuf> = Vec::new();
    pipeline().finish(&mut points).unwrap();
    let rows = rows();
    assert_eq!(rows.iter().map(|row| row.point().to_buf()).collect::<Vec<_>>(), points);
    for row in rows {
        assert_eq!(RowBuf::from_bytes(&row.to_bytes()), Ok(row));
    }
}

#[test]
fn a_row_of_the_demo_takes_40_bytes_besides_its_key() {
    let rows = rows();
    let mean = |with_percentiles: bool| {
        let of_kind = rows.iter().filter(|row| row.precision().is_some() == with_percentiles);
        let bytes: Vec<usize> = of_kind.map(|row| row.to_bytes().len() - key(row)).collect();
        assert!(bytes.len() > 100, "{} rows are too few for a figure", bytes.len());
        bytes.iter().sum::<usize>() as f64 / bytes.len() as f64
    };
    let (without, with) = (mean(false), mean(true));
    let values: u64 = rows.iter().filter_map(|row| row.sketch()).map(MinuteSketch::count).sum();
    println!("{without:.1} bytes a row without percentiles, {with:.1} with them, for {values} values");
    assert!(without <= 40.0, "{without:.1} bytes a row");
    assert!(with <= 80.0, "{with:.1} bytes a row with percentiles");
}
