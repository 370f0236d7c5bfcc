//! Why a document was refused.

/// Where a document is wrong, and how.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("octet {octet}: {problem}")]
pub struct RegInfoError {
    /// Octets from the start of the document.
    pub octet: usize,
    /// What is wrong there.
    pub problem: RegInfoProblem,
}

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegInfoProblem {
    /// More octets than [`MAX_REGINFO`](super::MAX_REGINFO).
    #[error("the document is longer than {0} octets")]
    TooLong(usize),
    /// Another encoding than UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// It is no XML.
    #[error("not XML: {0}")]
    Xml(String),
    /// A document type declaration: it could define entities.
    #[error("a document type declaration")]
    DocumentType,
    /// An entity that XML itself does not define.
    #[error("an entity of its own")]
    Entity,
    /// Elements too deep in each other.
    #[error("elements more than {0} deep")]
    TooDeep(usize),
    /// More of something than is read.
    #[error("more than {limit} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many are read.
        limit: usize,
    },
    /// A value too long to be one.
    #[error("{what} is longer than {limit} octets")]
    ValueTooLong {
        /// Which value.
        what: &'static str,
        /// How long it may be, in octets.
        limit: usize,
    },
    /// The root is not `reginfo`, or there are two, or there is none.
    #[error("not one reginfo element")]
    Root,
    /// Text before or behind the root element (XML 1.0 §2.1).
    #[error("text outside the root element")]
    Outside,
    /// Something RFC 3680 §5 demands is not there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A value RFC 3680 §5 does not know.
    #[error("{0} has an unknown value")]
    Value(&'static str),
    /// The document ends inside an element.
    #[error("ends inside an element")]
    Unfinished,
}
