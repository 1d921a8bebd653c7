use crate::term::Term;
use alloc::boxed::Box;
use core::fmt::{self, Write};
use core::net::IpAddr;

/// One node of a query's tree, in the order in which it stands there: a node, then all that is below it. Flat, so that no
/// depth of brackets costs stack when a query is copied, compared, dropped or asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// With the number of entries below it.
    All(usize),
    /// The same.
    Any(usize),
    /// The same: that of one node.
    Not(usize),
    Term(Box<Term>),
    Severity(u8),
    Facility(u8),
    SourceIp(IpPrefix),
}

impl Entry {
    /// How many entries there are below this one.
    pub(crate) fn below(&self) -> usize {
        match self {
            Self::All(below) | Self::Any(below) | Self::Not(below) => *below,
            Self::Term(_) | Self::Severity(_) | Self::Facility(_) | Self::SourceIp(_) => 0,
        }
    }

    pub(crate) fn is_leaf(&self) -> bool {
        !matches!(self, Self::All(_) | Self::Any(_) | Self::Not(_))
    }
}

/// A query, or a part of one, as a tree: for whoever evaluates it in a way of their own.
///
/// ```
/// use log_query::{Fields, Node, Query, Term};
///
/// /// Whether a line can fit, where all that is known of it is its message, folded.
/// fn may_fit(node: Node<'_>, folded: &[u8]) -> bool {
///     match node {
///         Node::All(mut nodes) => nodes.all(|node| may_fit(node, folded)),
///         Node::Any(mut nodes) => nodes.any(|node| may_fit(node, folded)),
///         Node::Term(term) if term.in_message() && !term.in_system() => term.found_in(folded),
///         _ => true,
///     }
/// }
///
/// let parsed = Query::parse("message:timeout severity:error");
/// assert!(may_fit(parsed.query().root(), b"request timeout"));
/// assert!(!may_fit(parsed.query().root(), b"request done"));
/// ```
///
/// A tree is at most 2,600 levels deep: five for each bracket within brackets.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Node<'q> {
    /// Fits if all of these do. Without nodes, which only the root can be, it is everything.
    All(Nodes<'q>),
    /// Fits if one of these does. Never without nodes.
    Any(Nodes<'q>),
    /// Fits if the node within does not. That is never a [`Not`](Self::Not) itself.
    Not(Negated<'q>),
    /// Fits if the text is in one of the texts that the term looks in.
    Term(&'q Term),
    /// Fits if the line has this severity, 0 to 7.
    Severity(u8),
    /// Fits if the line has this facility, 0 to 23.
    Facility(u8),
    /// Fits if the address that the line came from begins so.
    SourceIp(&'q IpPrefix),
}

/// The nodes below a node, in the order in which they were typed.
#[derive(Clone, Copy, Debug)]
pub struct Nodes<'q>(&'q [Entry]);

impl<'q> Nodes<'q> {
    pub(crate) fn new(entries: &'q [Entry]) -> Self {
        Self(entries)
    }
}

impl<'q> Iterator for Nodes<'q> {
    type Item = Node<'q>;

    fn next(&mut self) -> Option<Node<'q>> {
        let (first, rest) = self.0.split_first()?;
        let (below, behind) = rest.split_at_checked(first.below())?;
        self.0 = behind;
        Some(match first {
            Entry::All(_) => Node::All(Nodes(below)),
            Entry::Any(_) => Node::Any(Nodes(below)),
            Entry::Not(_) => Node::Not(Negated(below)),
            Entry::Term(term) => Node::Term(term),
            Entry::Severity(severity) => Node::Severity(*severity),
            Entry::Facility(facility) => Node::Facility(*facility),
            Entry::SourceIp(prefix) => Node::SourceIp(prefix),
        })
    }
}

/// What a [`Node::Not`] excludes.
#[derive(Clone, Copy, Debug)]
pub struct Negated<'q>(&'q [Entry]);

impl<'q> Negated<'q> {
    /// The node that must not fit.
    ///
    /// ```
    /// use log_query::{Node, Query};
    ///
    /// let parsed = Query::parse("-CROND");
    /// let Node::Not(negated) = parsed.query().root() else { panic!("negated") };
    /// assert!(matches!(negated.node(), Node::Term(term) if term.text() == "CROND"));
    /// ```
    #[must_use]
    pub fn node(&self) -> Node<'q> {
        // There is always one.
        Nodes(self.0).next().unwrap_or(Node::All(Nodes(&[])))
    }
}

/// What an address begins with, as text: `10.1.` or `2001:db8:`.
#[derive(Clone, PartialEq, Eq)]
pub struct IpPrefix(Box<str>);

impl IpPrefix {
    /// `None` if no address begins so.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let letters = |byte: u8| byte.is_ascii_hexdigit() || byte == b'.' || byte == b':';
        (text.len() < ADDRESS_LEN && text.bytes().all(letters)).then(|| Self(text.into()))
    }

    /// The text, as it was typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether an address begins so, as it is printed: IPv4 with dots, also where it is mapped into IPv6, and IPv6 in lower
    /// case and as short as can be. Case is ignored.
    ///
    /// ```
    /// use log_query::{Node, Query};
    ///
    /// let parsed = Query::parse("ip:10.1.2");
    /// let Node::SourceIp(prefix) = parsed.query().root() else { panic!("a prefix") };
    /// assert!(prefix.fits([10, 1, 2, 77].into()) && prefix.fits([10, 1, 21, 7].into()));
    /// assert!(prefix.fits("::ffff:10.1.2.3".parse()?) && !prefix.fits([10, 1, 1, 1].into()));
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub fn fits(&self, address: IpAddr) -> bool {
        let mut text = AddressText { bytes: [0; ADDRESS_LEN], len: 0 };
        let printed = write!(text, "{}", address.to_canonical()).is_ok();
        let address = text.bytes.get(..text.len).unwrap_or_default();
        printed && address.get(..self.0.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(self.0.as_bytes()))
    }
}

impl fmt::Debug for IpPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The longest text of an address has 45 bytes.
const ADDRESS_LEN: usize = 46;

struct AddressText {
    bytes: [u8; ADDRESS_LEN],
    len: usize,
}

impl Write for AddressText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
