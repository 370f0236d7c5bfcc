//! Numbers as lower-case hexadecimal digits, without an allocation.

/// The digits of a number, without leading zeros.
pub(super) struct Hex {
    digits: [u8; 16],
    start: usize,
}

impl Hex {
    pub(super) fn new(mut number: u64) -> Self {
        let (mut digits, mut start) = ([b'0'; 16], 16);
        loop {
            start -= 1;
            digits[start] = b"0123456789abcdef"[(number & 15) as usize];
            number >>= 4;
            if number == 0 {
                return Self { digits, start };
            }
        }
    }

    /// The digits.
    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.digits[self.start..]).expect("hexadecimal digits are ASCII")
    }

    /// All sixteen digits.
    pub(super) fn padded(&self) -> &str {
        std::str::from_utf8(&self.digits).expect("hexadecimal digits are ASCII")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_formatter() {
        for number in [0, 9, 10, 0x10, 0xdead_beef, u64::MAX] {
            let hex = Hex::new(number);
            assert_eq!((hex.as_str(), hex.padded()), (&*format!("{number:x}"), &*format!("{number:016x}")));
        }
    }
}
