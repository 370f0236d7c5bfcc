//! `value;name=value`: the shape most headers have.

use super::super::error::Problem;
use super::super::list::quote_end;
use super::super::name_addr::params;
use super::super::octets::{is_token, trim_str};
use super::super::params::Params;

/// A token, or a quoted string, with parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Valued<'a> {
    /// The value; a quoted string without its quotes, escapes inside left as they are.
    pub value: &'a str,
    /// The parameters.
    pub params: Params<'a>,
}

impl<'a> Valued<'a> {
    /// Reads one element.
    pub fn parse(element: &'a str) -> Result<Valued<'a>, Problem> {
        let element = trim_str(element);
        if element.starts_with('"') {
            let end = quote_end(element.as_bytes(), 0).ok_or(Problem::OpenQuote)?;
            return Ok(Valued { value: &element[1..end], params: params(&element[end + 1..])? });
        }
        let end = element.find(';').unwrap_or(element.len());
        let value = trim_str(&element[..end]);
        match value {
            "" => Err(Problem::Empty),
            value if value.bytes().all(is_token) => Ok(Valued { value, params: params(&element[end..])? }),
            _ => Err(Problem::NotAToken),
        }
    }

    /// Whether the value is this, without regard to case.
    pub fn is(&self, value: &str) -> bool {
        self.value.eq_ignore_ascii_case(value)
    }

    /// The value of a parameter, if it has one.
    pub fn param(&self, name: &str) -> Option<&'a str> {
        self.params.value(name)
    }

    /// A parameter that is a whole number, as `expires`; None if it is absent or none. More than [`u32::MAX`] is read as
    /// that.
    pub fn number(&self, name: &str) -> Option<u32> {
        super::super::octets::saturating_number(self.param(name)?.as_bytes())
    }
}
