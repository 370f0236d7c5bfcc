//! Addresses and CIDR blocks.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An address or a block of addresses, written `192.0.2.1`, `10.0.0.0/8` or `2001:db8::/32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// The block of one address.
    pub fn host(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, prefix: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// The first address of the block.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many leading bits its addresses share.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether `address` lies in this block. An IPv4-mapped IPv6 address counts as its IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        masked(address.to_canonical(), self.prefix) == Some(self.address)
            && address.to_canonical().is_ipv4() == self.address.is_ipv4()
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is not an address or CIDR block; write for example 192.0.2.1 or 10.0.0.0/8");
        let (address, prefix) =
            text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let Some(prefix) = prefix else { return Ok(Self::host(address)) };
        let prefix: u8 = prefix.parse().map_err(|_| wrong())?;
        if address.to_canonical() != address {
            return Err(format!("`{text}` is an IPv4 block in IPv6 clothes; write it as IPv4"));
        }
        let network = masked(address, prefix).ok_or_else(wrong)?;
        if network != address {
            return Err(format!("`{text}` has host bits set; write {network}/{prefix}"));
        }
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::host(self.address) {
            return write!(f, "{}", self.address);
        }
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// The first `prefix` bits of an address; `None` if the family has fewer bits.
fn masked(address: IpAddr, prefix: u8) -> Option<IpAddr> {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.checked_sub(prefix)?).unwrap_or(0);
            Some(IpAddr::V4((v4.to_bits() & mask).into()))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.checked_sub(prefix)?).unwrap_or(0);
            Some(IpAddr::V6((v6.to_bits() & mask).into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_network_contains_its_addresses_only() {
        for (network, address, inside) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "192.0.2.1", false),
            ("192.0.2.0/24", "::ffff:192.0.2.7", true),
        ] {
            let parsed: Network = network.parse().expect(network);
            assert_eq!(parsed.contains(ip(address)), inside, "{network} {address}");
        }
    }

    #[test]
    fn bad_networks_are_refused_with_the_reason() {
        for (text, reason) in [
            ("10.0.0.1/8", "has host bits set; write 10.0.0.0/8"),
            ("10.0.0.0/33", "is not an address or CIDR block"),
            ("10.0.0.0/", "is not an address or CIDR block"),
            ("::/129", "is not an address or CIDR block"),
            ("::ffff:10.0.0.0/104", "write it as IPv4"),
            ("scscf.example.org", "is not an address or CIDR block"),
        ] {
            let error = text.parse::<Network>().expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn a_network_contains_its_own_address(bits: u32, prefix in 0_u8..=32) {
            let network = masked(IpAddr::V4(bits.into()), prefix).expect("a prefix of IPv4");
            let parsed: Network = format!("{network}/{prefix}").parse().expect("host bits are clear");
            prop_assert!(parsed.contains(IpAddr::V4(bits.into())));
            prop_assert_eq!(parsed.to_string().parse::<Network>(), Ok(parsed));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[0-9a-f:./]{0,30}") {
            let _ = text.parse::<Network>();
        }
    }
}
