//! The targets, one module each.

mod config;
mod encode;
mod multipart;
mod reginfo;
mod rpdu;
mod sip;
mod store;
mod stream;
mod tpdu;
mod uri;

use crate::Meter;

/// One thing that is fuzzed.
pub struct Target {
    /// Its name: also of its corpus.
    pub name: &'static str,
    /// The longest input, in octets.
    pub max_len: usize,
    /// A shorter input counts as one of so many octets when its time is compared: what brings it (a datagram with its
    /// system call, a request with its HTTP head, a file) costs more than reading it.
    pub floor: usize,
    /// What an input may allocate.
    pub caps: Caps,
    run: fn(&[u8], &mut Meter),
}

/// What the product may allocate for one input: `base + per_octet × octets of the input`.
///
/// Far below what a bomb needs and above what the worst honest input takes, so that every copy more of an input, and
/// every list that grows faster than its input, is seen.
#[derive(Clone, Copy, Debug)]
pub struct Caps {
    /// Octets alive at one time.
    pub octets: (usize, usize),
    /// Allocations in all, a hundredth per octet.
    pub allocations: (usize, usize),
}

impl Target {
    /// Runs one input: panics if a property of the target or a cap is broken.
    pub fn run(&self, input: &[u8], meter: &mut Meter) {
        (self.run)(input, meter);
        let ratio = self.allocation_ratio(input, meter);
        assert!(
            ratio <= 1.0,
            "allocations out of proportion: {} octets at one time, {} allocations, for an input of {} octets ({:?})",
            meter.peak(),
            meter.count(),
            input.len(),
            self.caps
        );
    }

    /// How much of its caps an input took: the greater of both shares, 1.0 is all.
    pub fn allocation_ratio(&self, input: &[u8], meter: &Meter) -> f64 {
        let Caps { octets, allocations } = self.caps;
        let most = octets.0 + octets.1 * input.len();
        let most_allocations = allocations.0 + allocations.1 * input.len() / 100;
        (meter.peak() as f64 / most as f64).max(meter.count() as f64 / most_allocations as f64)
    }
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target {
        name: "sip",
        max_len: 20_000,
        floor: 256,
        // A folded head is copied once, a malformed one twice; URIs and responses are short of their input.
        caps: Caps { octets: (8192, 6), allocations: (64, 40) },
        run: sip::run,
    },
    Target {
        name: "stream",
        max_len: 20_000,
        floor: 256,
        // The buffer doubles as it grows, and of each small message the target keeps a handle of 32 octets.
        caps: Caps { octets: (8192, 12), allocations: (64, 20) },
        run: stream::run,
    },
    Target {
        name: "uri",
        max_len: 4096,
        floor: 32,
        // A key, the number in it, and the unescaped user.
        caps: Caps { octets: (512, 6), allocations: (16, 1) },
        run: uri::run,
    },
    Target {
        name: "reginfo",
        max_len: 66_000,
        floor: 256,
        // A contact of 60 octets of XML becomes one of some 150.
        caps: Caps { octets: (8192, 8), allocations: (64, 20) },
        run: reginfo::run,
    },
    Target {
        name: "multipart",
        max_len: 8192,
        floor: 256,
        // Sixteen parts with an index of lines each, on three levels.
        caps: Caps { octets: (65_536, 6), allocations: (256, 20) },
        run: multipart::run,
    },
    Target {
        name: "rpdu_ms_to_network",
        max_len: 300,
        floor: 32,
        // The tree that explains has some 150 octets a node, and a node can be one bit of an octet.
        caps: Caps { octets: (32_768, 512), allocations: (512, 2000) },
        run: rpdu::ms_to_network,
    },
    Target {
        name: "rpdu_network_to_ms",
        max_len: 300,
        floor: 32,
        caps: Caps { octets: (32_768, 512), allocations: (512, 2000) },
        run: rpdu::network_to_ms,
    },
    Target {
        name: "encode",
        max_len: 1024,
        floor: 64,
        // One buffer for what is encoded; text may take a part for every 66 characters, each with its own buffer.
        caps: Caps { octets: (4096, 16), allocations: (128, 40) },
        run: encode::run,
    },
    Target {
        name: "config",
        max_len: 16_384,
        floor: 512,
        // The YAML reader keeps some 100 octets an event in a list that doubles, an event can be one octet, and a tree
        // of as many nodes follows; a mistake is told with its path.
        caps: Caps { octets: (262_144, 512), allocations: (20_000, 4000) },
        run: config::run,
    },
    Target {
        name: "store",
        max_len: 8192,
        floor: store::FLOOR,
        // A request is read, taken apart, stored and answered; all the requests of an input are one piece of work.
        caps: Caps { octets: (262_144, 64), allocations: (2000, 1000) },
        run: store::run,
    },
];
