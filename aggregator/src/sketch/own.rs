//! What the engine knows of its own sketch, [`MinuteSketch`], and asks of no other: that its first values may be kept by
//! the window in less memory, and that it has a shorter form in rows.
//!
//! A sketch from elsewhere goes the general way. Which way a type goes is known when it is compiled, so that nothing is
//! asked at run time, and a trait that others implement is not burdened with it.

use super::minute::MinuteSketch;
use super::{Persist, Sketch};
use crate::config::Precision;
use core::any::{Any, TypeId};
use metric_model::{Percentiles, Stats};

fn minute<S: Sketch>(sketch: &S) -> Option<&MinuteSketch> {
    (sketch as &dyn Any).downcast_ref()
}

/// Keeping values outside of a sketch.
pub(crate) trait Keeps: Sketch {
    /// Up to so many values the sketch would only keep them, so that a window may do that itself and make a sketch when
    /// there are more; at most 255. With 0 each stream has its sketch from the first value on.
    #[inline(always)]
    fn most_kept() -> usize {
        if TypeId::of::<Self>() == TypeId::of::<MinuteSketch>() { MinuteSketch::EXACT } else { 0 }
    }

    /// The values that it took, in any order, while it keeps them.
    #[inline(always)]
    fn kept(&self) -> Option<&[f64]> {
        minute(self).and_then(MinuteSketch::values)
    }

    /// What [`percentiles`](Sketch::percentiles) of a sketch of these values answers; they are at most
    /// [`most_kept`](Self::most_kept), or those that a sketch from elsewhere is made of for this.
    #[inline(always)]
    fn percentiles_of(values: &[f64], precision: Precision) -> Option<Percentiles> {
        if TypeId::of::<Self>() == TypeId::of::<MinuteSketch>() {
            return MinuteSketch::percentiles_of(values);
        }
        let mut sketch = Self::with_precision(precision);
        values.iter().for_each(|value| sketch.record(*value));
        sketch.percentiles()
    }

    /// Whether it can be the sketch of what is kept beside it: made with this precision, of as many values, with their
    /// least and greatest. Asked of what untrusted bytes said; of a sketch from elsewhere nothing is known, so yes.
    fn is_of(&self, precision: Precision, stats: &Stats) -> bool {
        minute(self).is_none_or(|sketch| sketch.is_of(precision, stats))
    }
}

impl<S: Sketch> Keeps for S {}

/// As bytes in a row: there are many of those, so that it is worth some work to be short.
pub(crate) trait Packs: Persist {
    /// As `encode`, but shorter where there is a shorter form.
    fn pack(&self, out: &mut Vec<u8>) {
        match minute(self) {
            Some(sketch) => sketch.pack(out),
            None => self.encode(out),
        }
    }

    /// Reads what [`pack`](Self::pack) wrote; `None` for anything else. The bytes are untrusted.
    fn unpack(bytes: &[u8]) -> Option<Self> {
        let mut read: Option<Self> = None;
        match (&mut read as &mut dyn Any).downcast_mut::<Option<MinuteSketch>>() {
            Some(place) => *place = MinuteSketch::unpack(bytes),
            None => read = Self::decode(bytes),
        }
        read
    }

    /// Adds what [`pack`](Self::pack) wrote; `None` for anything else.
    fn add_packed(&mut self, bytes: &[u8]) -> Option<()> {
        if let Some(own) = (self as &mut dyn Any).downcast_mut::<MinuteSketch>() {
            return own.add_packed(bytes);
        }
        self.merge(&Self::decode(bytes)?);
        Some(())
    }
}

impl<S: Persist> Packs for S {}
