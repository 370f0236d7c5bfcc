//! Header names: the ones this program knows, their compact forms, and finding one by name.

use std::fmt;

/// Declares the known headers once: variant, canonical name, compact form if there is one.
macro_rules! headers {
    ($($variant:ident = $name:literal $(/ $compact:literal)?,)*) => {
        /// A header this program knows by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Header {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl Header {
            /// Every known header, in the order of their canonical names' declaration.
            pub const ALL: &'static [Header] = &[$(Header::$variant,)*];

            /// The canonical name, as it is written on the wire.
            #[inline]
            pub const fn as_str(self) -> &'static str {
                match self { $(Header::$variant => $name,)* }
            }

            /// The one-letter compact form (RFC 3261 §7.3.3 and the IANA registry), if the header has one.
            pub const fn compact(self) -> Option<u8> {
                match self {
                    $($(Header::$variant => Some($compact),)?)*
                    _ => None,
                }
            }
        }
    };
}

headers! {
    Accept = "Accept",
    AcceptContact = "Accept-Contact" / b'a',
    AcceptEncoding = "Accept-Encoding",
    AcceptLanguage = "Accept-Language",
    Allow = "Allow",
    AllowEvents = "Allow-Events" / b'u',
    AuthenticationInfo = "Authentication-Info",
    Authorization = "Authorization",
    CallId = "Call-ID" / b'i',
    CallInfo = "Call-Info",
    Contact = "Contact" / b'm',
    ContentDisposition = "Content-Disposition",
    ContentEncoding = "Content-Encoding" / b'e',
    ContentLanguage = "Content-Language",
    ContentLength = "Content-Length" / b'l',
    ContentTransferEncoding = "Content-Transfer-Encoding",
    ContentType = "Content-Type" / b'c',
    CSeq = "CSeq",
    Date = "Date",
    Event = "Event" / b'o',
    Expires = "Expires",
    FeatureCaps = "Feature-Caps",
    From = "From" / b'f',
    HistoryInfo = "History-Info",
    Identity = "Identity" / b'y',
    InReplyTo = "In-Reply-To",
    MaxForwards = "Max-Forwards",
    MimeVersion = "MIME-Version",
    MinExpires = "Min-Expires",
    PAccessNetworkInfo = "P-Access-Network-Info",
    PAssertedIdentity = "P-Asserted-Identity",
    PAssertedService = "P-Asserted-Service",
    PAssociatedUri = "P-Associated-URI",
    PCalledPartyId = "P-Called-Party-ID",
    PChargingFunctionAddresses = "P-Charging-Function-Addresses",
    PChargingVector = "P-Charging-Vector",
    PPreferredIdentity = "P-Preferred-Identity",
    PServedUser = "P-Served-User",
    PVisitedNetworkId = "P-Visited-Network-ID",
    Path = "Path",
    Priority = "Priority",
    Privacy = "Privacy",
    ProxyAuthenticate = "Proxy-Authenticate",
    ProxyAuthorization = "Proxy-Authorization",
    ProxyRequire = "Proxy-Require",
    Reason = "Reason",
    RecordRoute = "Record-Route",
    ReferTo = "Refer-To" / b'r',
    ReferredBy = "Referred-By" / b'b',
    RejectContact = "Reject-Contact" / b'j',
    RequestDisposition = "Request-Disposition" / b'd',
    Require = "Require",
    RetryAfter = "Retry-After",
    Route = "Route",
    Server = "Server",
    ServiceRoute = "Service-Route",
    SessionExpires = "Session-Expires" / b'x',
    Subject = "Subject" / b's',
    SubscriptionState = "Subscription-State",
    Supported = "Supported" / b'k',
    Timestamp = "Timestamp",
    To = "To" / b't',
    Unsupported = "Unsupported",
    UserAgent = "User-Agent",
    Via = "Via" / b'v',
    Warning = "Warning",
    WwwAuthenticate = "WWW-Authenticate",
}

impl Header {
    /// Finds a header by its long or compact name, without regard to case (RFC 3261 §7.3.1).
    pub fn from_name(name: &[u8]) -> Option<Header> {
        if let [letter] = name {
            let index = usize::from(letter.to_ascii_lowercase().wrapping_sub(b'a'));
            return COMPACT.get(index).copied().flatten();
        }
        let mut slot = hash(name)?;
        // The table is never full, so the walk ends at an empty slot.
        while let Some(header) = TABLE[slot] {
            let known = header.as_str().as_bytes();
            if known == name || known.eq_ignore_ascii_case(name) {
                return Some(header);
            }
            slot = (slot + 1) % SLOTS;
        }
        None
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

const SLOTS: usize = 256;

/// An open-addressed hash table of the long names, laid out by the compiler.
static TABLE: [Option<Header>; SLOTS] = table();

/// The compact forms, `a` to `z`.
static COMPACT: [Option<Header>; 26] = compact_table();

/// Where the walk for `name` starts: from its length and three of its letters, lower-cased. None if empty.
const fn hash(name: &[u8]) -> Option<usize> {
    let length = name.len();
    if length == 0 {
        return None;
    }
    let first = (name[0] | 0x20) as usize;
    let middle = (name[length / 2] | 0x20) as usize;
    let last = (name[length - 1] | 0x20) as usize;
    // These factors give every name declared so far a slot of its own.
    Some((length * 57 + first * 21 + middle * 31 + last * 27) % SLOTS)
}

const fn table() -> [Option<Header>; SLOTS] {
    let mut table = [None; SLOTS];
    let mut index = 0;
    while index < Header::ALL.len() {
        let header = Header::ALL[index];
        if let Some(mut slot) = hash(header.as_str().as_bytes()) {
            while table[slot].is_some() {
                slot = (slot + 1) % SLOTS;
            }
            table[slot] = Some(header);
        }
        index += 1;
    }
    table
}

const fn compact_table() -> [Option<Header>; 26] {
    let mut table = [None; 26];
    let mut index = 0;
    while index < Header::ALL.len() {
        let header = Header::ALL[index];
        if let Some(letter) = header.compact() {
            table[(letter - b'a') as usize] = Some(header);
        }
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_header_is_found_by_its_name_in_any_case() {
        for &header in Header::ALL {
            let name = header.as_str();
            assert_eq!(Header::from_name(name.as_bytes()), Some(header), "{name}");
            assert_eq!(Header::from_name(name.to_ascii_lowercase().as_bytes()), Some(header), "{name}");
            assert_eq!(Header::from_name(name.to_ascii_uppercase().as_bytes()), Some(header), "{name}");
        }
    }

    #[test]
    fn compact_names_are_found_in_any_case() {
        assert_eq!(Header::from_name(b"v"), Some(Header::Via));
        assert_eq!(Header::from_name(b"L"), Some(Header::ContentLength));
        assert_eq!(Header::from_name(b"a"), Some(Header::AcceptContact));
        assert_eq!(Header::from_name(b"z"), None);
        assert_eq!(Header::from_name(b"{"), None);
    }

    #[test]
    fn an_unknown_name_is_not_found() {
        for name in ["", "X-Vendor", "Via2", "Viaa", "C%6Fntact", "\u{0}\u{0}", "Form"] {
            assert_eq!(Header::from_name(name.as_bytes()), None, "{name}");
        }
    }
}
