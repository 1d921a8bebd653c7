use crate::point::{DataPoint, DataPointBuf};
use alloc::vec::Vec;
use core::convert::Infallible;

/// Takes data points as windows close: a file, a channel, an exporter.
///
/// Points of one window arrive sorted by name, kind, unit and tags, windows in order of time. When `write` fails, the
/// aggregator keeps the window and writes it again from its first point the next time it is asked, so a sink that
/// must not see a point twice keys it by (window, name, kind, unit, tags, revision).
///
/// A closure over `&DataPoint` is a sink, and so is a `Vec<DataPointBuf>`.
///
/// ```
/// use metric_model::{DataPoint, Sink};
///
/// struct Printer;
///
/// impl Sink for Printer {
///     type Error = std::io::Error;
///
///     fn write(&mut self, point: &DataPoint<'_>) -> Result<(), Self::Error> {
///         use std::io::Write;
///         writeln!(std::io::stdout(), "{} {} {}", point.window().start(), point.name(), point.stats().sum())
///     }
/// }
/// ```
pub trait Sink {
    /// Why a point could not be taken.
    type Error;

    /// Takes one point.
    ///
    /// # Errors
    /// Whatever the sink answers; the aggregator passes it on and keeps the window.
    fn write(&mut self, point: &DataPoint<'_>) -> Result<(), Self::Error>;
}

impl<F, E> Sink for F
where
    F: FnMut(&DataPoint<'_>) -> Result<(), E>,
{
    type Error = E;

    fn write(&mut self, point: &DataPoint<'_>) -> Result<(), E> {
        self(point)
    }
}

impl Sink for Vec<DataPointBuf> {
    type Error = Infallible;

    fn write(&mut self, point: &DataPoint<'_>) -> Result<(), Infallible> {
        self.push(point.to_buf());
        Ok(())
    }
}
