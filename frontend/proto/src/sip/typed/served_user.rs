//! P-Served-User (RFC 5502 §4): whose services are to run, and in which case.

use super::super::error::Problem;
use super::super::name_addr::NameAddr;

/// P-Served-User.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServedUser<'a> {
    /// The user.
    pub user: NameAddr<'a>,
}

/// Whether the served user originates or receives the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionCase {
    /// `sescase=orig`.
    Originating,
    /// `sescase=term`.
    Terminating,
}

impl<'a> ServedUser<'a> {
    /// Reads a value.
    pub fn parse(value: &'a str) -> Result<ServedUser<'a>, Problem> {
        NameAddr::parse(value).map(|user| ServedUser { user })
    }

    /// `sescase`; None if it is absent or says something else.
    pub fn session_case(&self) -> Option<SessionCase> {
        let case = self.user.param("sescase")?;
        if case.eq_ignore_ascii_case("orig") {
            Some(SessionCase::Originating)
        } else {
            case.eq_ignore_ascii_case("term").then_some(SessionCase::Terminating)
        }
    }

    /// `regstate`: whether the user is registered; None if it is absent or says something else.
    pub fn registered(&self) -> Option<bool> {
        let state = self.user.param("regstate")?;
        if state.eq_ignore_ascii_case("reg") {
            Some(true)
        } else {
            state.eq_ignore_ascii_case("unreg").then_some(false)
        }
    }
}
