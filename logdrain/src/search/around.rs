//! Kept lines that are found, with those around them, which are asked for by number.

use crate::search::event::Event;
use crate::search::task::Task;
use logdrain_terms::failure::Failure;

/// A line that is kept somewhere, with its number.
pub(crate) trait Kept {
    fn id(&self) -> u64;
    fn event(&self) -> Event<'_>;
}

/// What was handed over last, and which lines around it are still to come.
#[derive(Debug)]
pub(crate) struct Around<E> {
    before: usize,
    after: usize,
    last: Option<u64>,
    /// Lines behind the last that was found.
    waiting: Vec<E>,
}

impl<E: Kept> Around<E> {
    pub(crate) const fn new((before, after): (usize, usize)) -> Self {
        Self { before, after, last: None, waiting: Vec::new() }
    }

    /// Hands over a line that was found, with what is around it; `neighbours` gives as many lines in front of and behind a
    /// number, in their order.
    ///
    /// # Errors
    /// Those of the task and of `neighbours`.
    pub(crate) fn found(
        &mut self,
        event: &E,
        task: &mut Task,
        neighbours: impl FnOnce(u64, usize, usize) -> Result<(Vec<E>, Vec<E>), Failure>,
    ) -> Result<(), Failure> {
        let id = event.id();
        if self.before > 0 || self.after > 0 {
            self.give_waiting(id, task)?;
            // One more than is printed tells whether something lies between.
            let (front, behind) = neighbours(id, self.before.saturating_add(1), self.after)?;
            let is_new = |event: &&E| self.last.is_none_or(|last| event.id() > last);
            let new: Vec<&E> = front.iter().filter(is_new).collect();
            let is_apart = new.len() > self.before;
            if is_apart && self.last.is_some() {
                task.gap();
            }
            for event in &new[new.len().saturating_sub(self.before)..] {
                task.take(&event.event(), false)?;
            }
            self.waiting = behind;
        }
        self.last = Some(id);
        task.take(&event.event(), true)
    }

    /// The lines behind the last that was found, up to this one.
    fn give_waiting(&mut self, id: u64, task: &mut Task) -> Result<(), Failure> {
        for event in std::mem::take(&mut self.waiting).iter().take_while(|event| event.id() < id) {
            self.last = Some(event.id());
            task.take(&event.event(), false)?;
        }
        Ok(())
    }

    /// The lines behind the last that was found.
    ///
    /// # Errors
    /// Those of the task.
    pub(crate) fn end(&mut self, task: &mut Task) -> Result<(), Failure> {
        self.give_waiting(u64::MAX, task)
    }
}
