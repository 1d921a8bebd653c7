//! A sink of one's own: StatsD-like text with the tags behind `|#`, one datagram's worth at a time.
//!
//! `cargo run -p examples --bin custom_sink testdata/demo.logplex`

use heroku_metrics::model::{DataPoint, Kind, Sink};
use heroku_metrics::{
    ExtractorConfig, Pipeline, PipelineConfig,
    syslog::{Delivery, Dialect},
};
use std::io::{self, Write};

/// Gathers lines until a datagram is full, then writes it; here to any writer, in a service to a UDP socket.
struct Statsd<W> {
    out: W,
    datagram: String,
}

/// What fits an Ethernet frame.
const DATAGRAM: usize = 1432;

impl<W: Write> Statsd<W> {
    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(self.datagram.as_bytes())?;
        self.datagram.clear();
        Ok(())
    }
}

impl<W: Write> Sink for Statsd<W> {
    type Error = io::Error;

    fn write(&mut self, point: &DataPoint<'_>) -> io::Result<()> {
        for (name, value) in point.streams() {
            // A count is a counter; everything else was computed for the minute, and is a gauge.
            let kind = if point.kind() == Kind::Count { "c" } else { "g" };
            let line = format!("{name}:{value}|{kind}|#{}|T{}\n", point.tags(), point.window().start().unix_seconds());
            if self.datagram.len() + line.len() > DATAGRAM {
                self.flush()?;
            }
            self.datagram.push_str(&line);
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let body = std::fs::read(std::env::args().nth(1).ok_or("usage: custom_sink BODY")?)?;
    let config = PipelineConfig::new()
        .with_dialect(Dialect::ByHostname)
        .with_extractor(ExtractorConfig::new().with_app_name("shop"));
    let mut pipeline = Pipeline::new(config)?;
    pipeline.ingest(&Delivery::new(&body));
    let mut sink = Statsd { out: io::stdout().lock(), datagram: String::new() };
    pipeline.finish(&mut sink)?;
    sink.flush()?;
    Ok(())
}
