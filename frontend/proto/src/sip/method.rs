//! Request methods and the CSeq value.

use std::fmt;

use super::error::Problem;
use super::octets::{is_token, split_at_blank, trim_str};

/// A request method. Methods are compared with regard to case (RFC 3261 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method<'a> {
    /// REGISTER (RFC 3261 §10)
    Register,
    /// MESSAGE (RFC 3428)
    Message,
    /// NOTIFY (RFC 6665)
    Notify,
    /// SUBSCRIBE (RFC 6665)
    Subscribe,
    /// OPTIONS (RFC 3261 §11)
    Options,
    /// INVITE (RFC 3261 §13)
    Invite,
    /// ACK (RFC 3261 §13); never answered
    Ack,
    /// CANCEL (RFC 3261 §9)
    Cancel,
    /// BYE (RFC 3261 §15)
    Bye,
    /// PRACK (RFC 3262)
    Prack,
    /// UPDATE (RFC 3311)
    Update,
    /// REFER (RFC 3515)
    Refer,
    /// INFO (RFC 6086)
    Info,
    /// PUBLISH (RFC 3903)
    Publish,
    /// Any other token.
    Other(&'a str),
}

impl<'a> Method<'a> {
    /// The method of this name; any name is one.
    pub fn from_name(name: &'a str) -> Method<'a> {
        match name {
            "REGISTER" => Method::Register,
            "MESSAGE" => Method::Message,
            "NOTIFY" => Method::Notify,
            "SUBSCRIBE" => Method::Subscribe,
            "OPTIONS" => Method::Options,
            "INVITE" => Method::Invite,
            "ACK" => Method::Ack,
            "CANCEL" => Method::Cancel,
            "BYE" => Method::Bye,
            "PRACK" => Method::Prack,
            "UPDATE" => Method::Update,
            "REFER" => Method::Refer,
            "INFO" => Method::Info,
            "PUBLISH" => Method::Publish,
            other => Method::Other(other),
        }
    }

    /// The name as written on the wire.
    pub fn as_str(&self) -> &'a str {
        match self {
            Method::Register => "REGISTER",
            Method::Message => "MESSAGE",
            Method::Notify => "NOTIFY",
            Method::Subscribe => "SUBSCRIBE",
            Method::Options => "OPTIONS",
            Method::Invite => "INVITE",
            Method::Ack => "ACK",
            Method::Cancel => "CANCEL",
            Method::Bye => "BYE",
            Method::Prack => "PRACK",
            Method::Update => "UPDATE",
            Method::Refer => "REFER",
            Method::Info => "INFO",
            Method::Publish => "PUBLISH",
            Method::Other(name) => name,
        }
    }
}

impl fmt::Display for Method<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A CSeq value (RFC 3261 §20.16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CSeq<'a> {
    /// The sequence number, below 2³¹ (RFC 3261 §8.1.1.5).
    pub number: u32,
    /// The method of the request.
    pub method: Method<'a>,
}

impl<'a> CSeq<'a> {
    /// Reads `number method`.
    pub fn parse(value: &'a str) -> Result<CSeq<'a>, Problem> {
        let (number, method) = split_at_blank(value).ok_or(Problem::NoMethod)?;
        if number.is_empty() || !number.bytes().all(|octet| octet.is_ascii_digit()) {
            return Err(Problem::NotANumber);
        }
        let number = number.parse().ok().filter(|&number| number < 1 << 31).ok_or(Problem::NumberTooLarge)?;
        let method = trim_str(method);
        if method.is_empty() {
            return Err(Problem::NoMethod);
        }
        if !method.bytes().all(is_token) {
            return Err(Problem::NotAToken);
        }
        Ok(CSeq { number, method: Method::from_name(method) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cseq_is_a_number_and_a_method() {
        assert_eq!(CSeq::parse("0009 INVITE"), Ok(CSeq { number: 9, method: Method::Invite }));
        assert_eq!(
            CSeq::parse("2147483647 \t x.y"),
            Ok(CSeq { number: 0x7fff_ffff, method: Method::Other("x.y") })
        );
    }

    #[test]
    fn a_wrong_cseq_says_what_is_wrong() {
        assert_eq!(CSeq::parse("7"), Err(Problem::NoMethod));
        assert_eq!(CSeq::parse("+7 INVITE"), Err(Problem::NotANumber));
        assert_eq!(CSeq::parse("2147483648 INVITE"), Err(Problem::NumberTooLarge));
        assert_eq!(CSeq::parse("36893488147419103232 REGISTER"), Err(Problem::NumberTooLarge));
        assert_eq!(CSeq::parse("7 IN VITE"), Err(Problem::NotAToken));
    }

    #[test]
    fn methods_are_compared_with_regard_to_case() {
        assert_eq!(Method::from_name("MESSAGE"), Method::Message);
        assert_eq!(Method::from_name("message"), Method::Other("message"));
        assert_eq!(Method::from_name("message").as_str(), "message");
    }
}
