//! Ten lines: the body of a drain request in, minute streams out.
//!
//! `cargo run -p examples --bin hello testdata/demo.logplex`

use heroku_metrics::{
    Pipeline, PipelineConfig,
    model::DataPoint,
    syslog::{Delivery, Dialect},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let body = std::fs::read(std::env::args().nth(1).ok_or("usage: hello BODY")?)?;
    let mut pipeline = Pipeline::new(PipelineConfig::new().with_dialect(Dialect::ByHostname))?;
    pipeline.ingest(&Delivery::new(&body));
    pipeline.finish(&mut |point: &DataPoint<'_>| {
        point
            .streams()
            .for_each(|(name, value)| println!("{} {name} {{{}}} {value}", point.window().start(), point.tags()));
        Ok::<(), std::convert::Infallible>(())
    })?;
    eprintln!("{}", pipeline.ledger());
    Ok(())
}
