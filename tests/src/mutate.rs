//! Messages made wrong: mutations of good ones and plain noise, the same for the same seed.

/// Makes hostile messages of ordinary ones.
pub struct Mutator {
    seeds: Vec<Vec<u8>>,
    state: u64,
    made: usize,
}

/// What parsers stumble over.
const TOKENS: [&[u8]; 20] = [
    b"\r\n",
    b"\r\n\r\n",
    b"\r",
    b"\n",
    b"\0",
    b" ",
    b":",
    b";",
    b",",
    b"\"",
    b"<",
    b">",
    b"@",
    b"%00",
    b"\xff\xfe",
    b"99999999999999999999",
    b"-1",
    b"\r\n \r\n ",
    b"SIP/2.0",
    b";branch=z9hG4bK",
];

impl Mutator {
    /// Mutates these.
    ///
    /// # Panics
    /// `seeds` is empty.
    pub fn new(seeds: Vec<Vec<u8>>, state: u64) -> Self {
        assert!(!seeds.is_empty(), "something to mutate");
        Self { seeds, state, made: 0 }
    }

    /// The next hostile message, at most 4096 octets.
    pub fn next_message(&mut self) -> Vec<u8> {
        if self.below(16) == 0 {
            let length = self.below(600);
            return (0..length).map(|_| self.below(256) as u8).collect();
        }
        let mut octets = self.seed();
        self.made += 1;
        // Else most would be taken for repetitions of the first ones.
        rename(&mut octets, b"z9hG4bK", self.made);
        rename(&mut octets, b"Call-ID: ", self.made);
        for _ in 0..self.below(6) {
            self.mutate(&mut octets);
        }
        octets.truncate(4096);
        octets
    }

    fn mutate(&mut self, octets: &mut Vec<u8>) {
        let at = self.below(octets.len() + 1);
        let end = at + self.below(64).min(octets.len() - at);
        match self.below(8) {
            0 => octets.truncate(at),
            1 => drop(octets.drain(at..end)),
            2 => {
                let again = octets[at..end].to_vec();
                octets.splice(at..at, again);
            }
            3 => {
                let token = TOKENS[self.below(TOKENS.len())];
                octets.splice(at..end.min(at + token.len()), token.iter().copied());
            }
            4 => {
                let other = self.seed();
                let from = self.below(other.len() + 1);
                octets.truncate(at);
                octets.extend_from_slice(&other[from..]);
            }
            // Mostly still well formed: another value where digits or letters stand.
            5 | 6 => {
                let digit = self.below(10) as u8 + b'0';
                octets[at..end]
                    .iter_mut()
                    .filter(|octet| octet.is_ascii_digit())
                    .for_each(|octet| *octet = digit);
            }
            _ => {
                let bit = 1 << self.below(8);
                octets[at..].iter_mut().take(1).for_each(|octet| *octet ^= bit);
            }
        }
    }

    fn seed(&mut self) -> Vec<u8> {
        let chosen = self.below(self.seeds.len());
        self.seeds[chosen].clone()
    }

    /// SplitMix64.
    fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound.max(1) as u64) as usize
    }
}

/// Puts a number behind the first occurrence of a marker.
fn rename(octets: &mut Vec<u8>, marker: &[u8], number: usize) {
    if let Some(found) = memchr::memmem::find(octets, marker) {
        let at = found + marker.len();
        octets.splice(at..at, number.to_string().into_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_messages_and_they_stay_small() {
        let make = || {
            let mut mutator = Mutator::new(vec![b"OPTIONS sip:a SIP/2.0\r\n\r\n".to_vec(), Vec::new()], 1);
            (0..500).map(|_| mutator.next_message()).collect::<Vec<_>>()
        };
        assert_eq!(make(), make());
        assert!(make().iter().all(|octets| octets.len() <= 4096));
    }
}
