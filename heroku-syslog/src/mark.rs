//! What tells a message from other text: PRI VERSION SP at its start.

use crate::error::Problem;
use crate::header::version;
use crate::pri::pri;

/// An answer that more input may be needed for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Yes,
    No,
    Open,
}

/// PRI VERSION SP, by the rules of the header: what is behind it, or `Open` or `No`.
pub(crate) fn mark(input: &[u8]) -> Result<&[u8], Verdict> {
    match pri(input).and_then(|pri| version(pri.rest)) {
        Ok(version) => Ok(version.rest),
        Err(fault) if fault.problem == Problem::Ends => Err(Verdict::Open),
        Err(_) => Err(Verdict::No),
    }
}
