//! A bucket that fails: who comes next is told so at once, and does not wait in turn for the same.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// For so long nobody asks again, and then one does.
const REST: Duration = Duration::from_secs(1);
/// and behind that nobody is told of it any more: if it does not answer still, each finds out.
const LONG_AGO: Duration = Duration::from_secs(20);

/// How it stands. It answers until it does not.
#[derive(Default, Debug)]
pub(super) struct Failing(Mutex<Option<Failed>>);

#[derive(Debug)]
struct Failed {
    at: Instant,
    kind: io::ErrorKind,
    said: String,
    /// Somebody tries whether it answers again.
    is_tried: bool,
}

/// Somebody asks the bucket just now.
#[derive(Debug)]
pub(super) struct Asking<'a> {
    of: &'a Failing,
    is_trying: bool,
}

impl Failing {
    /// Before a request, and when it failed just now its error again.
    pub(super) fn ask(&self) -> io::Result<Asking<'_>> {
        let mut failed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *failed {
            None => Ok(Asking { of: self, is_trying: false }),
            Some(last) if last.at.elapsed() >= LONG_AGO => {
                *failed = None;
                Ok(Asking { of: self, is_trying: false })
            }
            Some(failed) if failed.is_tried || failed.at.elapsed() < REST => {
                Err(io::Error::new(failed.kind, failed.said.clone()))
            }
            Some(failed) => {
                failed.is_tried = true;
                Ok(Asking { of: self, is_trying: true })
            }
        }
    }
}

impl Asking<'_> {
    /// Behind it, with what came.
    pub(super) fn end<T>(mut self, outcome: &io::Result<T>) {
        let mut failed = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_trying = false;
        *failed = match outcome {
            Err(error) if is_of_bucket(error) => {
                Some(Failed { at: Instant::now(), kind: error.kind(), said: error.to_string(), is_tried: false })
            }
            _ => None,
        };
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        // It ended in another way: the next one tries.
        if self.is_trying
            && let Some(failed) = &mut *self.of.0.lock().unwrap_or_else(PoisonError::into_inner)
        {
            failed.is_tried = false;
        }
    }
}

/// Whether all others would find the same: what is said of one object is an answer.
fn is_of_bucket(error: &io::Error) -> bool {
    !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_asks_again_and_all_others_are_told() {
        let failing = Failing::default();
        let late = || Err::<(), _>(io::Error::new(io::ErrorKind::TimedOut, "late"));
        let [one, other] = [(); 2].map(|()| failing.ask().unwrap());
        one.end(&Err::<(), _>(io::Error::new(io::ErrorKind::NotFound, "there is none")));
        other.end(&late());
        let told = failing.ask().unwrap_err();
        assert_eq!((told.kind(), told.to_string().as_str()), (io::ErrorKind::TimedOut, "late"));
        let pass = || failing.0.lock().unwrap().as_mut().unwrap().at -= REST;
        pass();
        let tries = failing.ask().unwrap();
        assert!(failing.ask().is_err(), "one is enough");
        tries.end(&late());
        assert!(failing.ask().is_err());
        pass();
        drop(failing.ask().unwrap());
        let tries = failing.ask().unwrap();
        assert!(failing.ask().is_err());
        failing.0.lock().unwrap().as_mut().unwrap().at -= LONG_AGO;
        drop(failing.ask().unwrap());
        tries.end(&late());
        pass();
        failing.ask().unwrap().end(&Ok(()));
        failing.ask().unwrap();
    }
}
