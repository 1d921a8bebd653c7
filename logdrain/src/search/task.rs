//! What is done with the lines: print them, count them, or count what they have in common.

use crate::search::event::Event;
use crate::search::output::Output;
use crate::search::patterns::Patterns;
use logdrain_terms::failure::Failure;
use std::io::Write as _;

/// What is done with lines that fit.
pub(crate) enum Task {
    Print(Output),
    Count(u64),
    Patterns(Patterns),
}

impl Task {
    pub(crate) fn take(&mut self, event: &Event<'_>, is_found: bool) -> Result<(), Failure> {
        match self {
            Self::Print(output) if is_found => output.found(event),
            Self::Print(output) => output.other(event),
            Self::Count(count) => {
                *count += u64::from(is_found);
                Ok(())
            }
            Self::Patterns(patterns) => {
                if is_found {
                    patterns.add(event);
                }
                Ok(())
            }
        }
    }

    /// Lines were left out that nobody handed over.
    pub(crate) fn gap(&mut self) {
        if let Self::Print(output) = self {
            output.gap();
        }
    }

    /// What can be read at once has been.
    pub(crate) fn pause(&mut self) -> Result<(), Failure> {
        if let Self::Print(output) = self { output.pause() } else { Ok(()) }
    }

    /// Nothing more is there, for now.
    pub(crate) fn settle(&mut self) -> Result<(), Failure> {
        if let Self::Print(output) = self { output.settle() } else { Ok(()) }
    }

    /// How many lines were found.
    pub(crate) fn end(self) -> Result<u64, Failure> {
        match self {
            Self::Print(mut output) => {
                output.settle()?;
                Ok(output.count())
            }
            Self::Count(count) => {
                writeln!(std::io::stdout(), "{count}")?;
                Ok(count)
            }
            Self::Patterns(patterns) => patterns.print(),
        }
    }
}
