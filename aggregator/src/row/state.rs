//! What a row holds, borrowed and owned.

use crate::gauge::{Gauge, Term, Total};
use crate::sketch::Sketch;
use crate::sketch::own::Keeps;
use crate::stream_key::Form;
use metric_model::{Percentiles, Stats};

/// The state of a cell, as it stands there.
#[derive(Debug)]
pub(crate) enum State<'a, S> {
    Total(&'a Total),
    Gauge(&'a Gauge),
    Distribution(&'a Gauge, &'a S),
    /// Of a measure: a part of it came as a sum of others.
    Summed(&'a Gauge),
    /// The values themselves, and the last of them.
    Values(&'a [f64], Option<Term>),
}

/// The same, worked out and owned.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Held<S> {
    Total(Total),
    Gauge(Gauge),
    Distribution(Gauge, S),
    Summed(Gauge),
}

impl<S> Clone for State<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for State<'_, S> {}

impl<S: Sketch> State<'_, S> {
    /// The numbers that it answers; `form` is what the stream keeps.
    #[inline]
    pub(crate) fn stats(&self, form: Form) -> Stats {
        match *self {
            Self::Total(total) => total.stats(),
            Self::Gauge(gauge) => gauge.stats(),
            Self::Distribution(gauge, sketch) => with(gauge.stats(), sketch.percentiles()),
            Self::Summed(gauge) => gauge.stats().with_summaries(),
            Self::Values(values, last) => {
                let stats = Gauge::of(values.iter().copied(), last).stats();
                match form {
                    Form::Distribution(precision) => with(stats, S::percentiles_of(values, precision)),
                    Form::Gauge | Form::Total => stats,
                }
            }
        }
    }

    pub(super) fn to_held(self, form: Form) -> Held<S>
    where
        S: Clone,
    {
        match self {
            Self::Total(total) => Held::Total(*total),
            Self::Gauge(gauge) => Held::Gauge(*gauge),
            Self::Distribution(gauge, sketch) => Held::Distribution(*gauge, sketch.clone()),
            Self::Summed(gauge) => Held::Summed(*gauge),
            Self::Values(values, last) => {
                let gauge = Gauge::of(values.iter().copied(), last);
                match form {
                    Form::Distribution(precision) => {
                        let mut sketch = S::with_precision(precision);
                        values.iter().for_each(|value| sketch.record(*value));
                        Held::Distribution(gauge, sketch)
                    }
                    Form::Gauge | Form::Total => Held::Gauge(gauge),
                }
            }
        }
    }
}

impl<S> Held<S> {
    pub(super) const fn gauge(&self) -> Option<&Gauge> {
        match self {
            Self::Total(_) => None,
            Self::Gauge(gauge) | Self::Distribution(gauge, _) | Self::Summed(gauge) => Some(gauge),
        }
    }
}

impl<S: Sketch> Held<S> {
    pub(super) fn stats(&self) -> Stats {
        match self {
            Self::Total(total) => total.stats(),
            Self::Gauge(gauge) => gauge.stats(),
            Self::Distribution(gauge, sketch) => with(gauge.stats(), sketch.percentiles()),
            Self::Summed(gauge) => gauge.stats().with_summaries(),
        }
    }

    /// Takes in another state of the same form; nothing is changed when it is of another one.
    pub(super) fn merge(&mut self, other: &Self) {
        match (&mut *self, other) {
            (Self::Total(ours), Self::Total(theirs)) => ours.merge(theirs),
            (Self::Gauge(ours), Self::Gauge(theirs)) => ours.merge(theirs),
            (Self::Distribution(ours, sketch), Self::Distribution(theirs, more)) => {
                ours.merge(theirs);
                sketch.merge(more);
            }
            // What was summed stays so, whatever comes.
            (Self::Summed(ours), Self::Summed(theirs) | Self::Distribution(theirs, _)) => ours.merge(theirs),
            (Self::Distribution(ours, _), Self::Summed(theirs)) => {
                let mut gauge = *ours;
                gauge.merge(theirs);
                *self = Self::Summed(gauge);
            }
            (Self::Total(_) | Self::Gauge(_) | Self::Distribution(..) | Self::Summed(_), _) => {}
        }
    }
}

fn with(stats: Stats, percentiles: Option<Percentiles>) -> Stats {
    match percentiles {
        Some(percentiles) => stats.with_percentiles(percentiles),
        None => stats,
    }
}
