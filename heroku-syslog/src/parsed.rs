/// What a rule read, and what is left behind it.
#[derive(Debug)]
pub(crate) struct Parsed<'a, T> {
    pub(crate) value: T,
    pub(crate) rest: &'a [u8],
}
