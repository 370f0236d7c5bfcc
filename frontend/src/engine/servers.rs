//! The servers behind a name and which of them is next (RFC 3263 §4, RFC 2782). Pure: randomness is injected.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use smsc_proto::sip::Transport;
use smsc_proto::sip::transaction::Target;

/// What is looked up: the parts of a SIP URI that RFC 3263 goes by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// The host in lower case, IPv6 without brackets.
    pub host: String,
    /// The port, where the URI names one.
    pub port: Option<u16>,
    /// The transport, where the URI names one.
    pub transport: Option<Transport>,
}

impl Question {
    /// The target where the host is an address, which needs no look-up.
    #[must_use]
    pub fn numeric(&self, ip: IpAddr) -> Target {
        let default_port = self.transport.unwrap_or(Transport::Udp).default_port();
        Target {
            transport: self.transport,
            addr: SocketAddr::new(ip, self.port.unwrap_or(default_port)),
            name: (self.transport == Some(Transport::Tls)).then(|| self.host.as_str().into()),
        }
    }
}

/// One server: an SRV record's target, or the host itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// Servers of the lowest rank are tried first: NAPTR order and preference, then SRV priority.
    pub rank: u32,
    /// Its share among those of one rank (RFC 2782).
    pub weight: u16,
    /// Its addresses, best first.
    pub targets: Vec<Target>,
}

/// The servers behind a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// At least one, each with at least one target.
    pub servers: Vec<Server>,
    /// For how long this holds.
    pub life: Duration,
    /// NAPTR services that were left out, for we do not speak them: `SIPS+D2T` and the like.
    pub ignored: Vec<String>,
}

/// Why a name leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotFound {
    /// In words.
    pub why: String,
    /// For how long asking again is of no use.
    pub life: Duration,
    /// True if DNS has said so; false if it did not answer.
    pub definite: bool,
}

/// The answer to a [`Question`].
pub type Resolved = Result<Found, NotFound>;

impl Found {
    /// A single address, which needs no look-up.
    #[must_use]
    pub fn numeric(name: &str, target: Target) -> Self {
        let server = Server { name: name.to_owned(), rank: 0, weight: 0, targets: vec![target] };
        Self { servers: vec![server], life: Duration::MAX, ignored: Vec::new() }
    }
}

/// The next target among those that are not `excluded`: of the servers of the lowest rank, one is drawn by weight as
/// RFC 2782 tells, and of that server the first address is taken. `random(n)` returns a number below `n`.
#[must_use]
pub fn pick(
    servers: &[Server],
    excluded: impl Fn(&Target) -> bool,
    mut random: impl FnMut(u64) -> u64,
) -> Option<Target> {
    let next = |server: &Server| server.targets.iter().find(|target| !excluded(target)).cloned();
    let rank = servers.iter().filter(|server| next(server).is_some()).map(|server| server.rank).min()?;
    let eligible = || servers.iter().filter(|server| server.rank == rank && next(server).is_some());
    let sum: u64 = eligible().map(|server| u64::from(server.weight)).sum();
    if eligible().nth(1).is_none() || sum == 0 {
        let equal = eligible().count() as u64;
        let at = if equal > 1 { random(equal) } else { 0 };
        return eligible().zip(0..).find(|(_, index)| *index == at).and_then(|(server, _)| next(server));
    }
    // Those of weight 0 stand first, so that only a draw of 0 hits them: "a very small chance".
    let weightless = eligible().filter(|server| server.weight == 0);
    let weighted = eligible().filter(|server| server.weight > 0);
    let draw = random(sum + 1);
    let mut running = 0;
    let drawn = weightless.chain(weighted).find(|server| {
        running += u64::from(server.weight);
        running >= draw
    });
    drawn.and_then(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn target(last: u8) -> Target {
        Target::new(Some(Transport::Udp), ([192, 0, 2, last], 5060).into())
    }

    fn server(rank: u32, weight: u16, addresses: &[u8]) -> Server {
        let targets = addresses.iter().map(|last| target(*last)).collect();
        Server { name: format!("s{rank}-{weight}"), rank, weight, targets }
    }

    #[test]
    fn rank_decides_then_weight_then_the_order_of_addresses() {
        let pool =
            [server(20, 100, &[9]), server(10, 0, &[1]), server(10, 60, &[2, 3]), server(10, 40, &[4])];
        for (excluded, draw, expected) in [
            (&[][..], 0, Some(1)),
            (&[], 1, Some(2)),
            (&[], 60, Some(2)),
            (&[], 61, Some(4)),
            (&[], 100, Some(4)),
            (&[2], 60, Some(3)),
            (&[2, 3], 40, Some(4)),
            (&[1, 2, 3], 7, Some(4)),
            (&[1, 2, 3, 4], 7, Some(9)),
            (&[1, 2, 3, 4, 9], 7, None),
        ] {
            let excluded = |target: &Target| excluded.iter().any(|last| *target == self::target(*last));
            let picked = pick(&pool, excluded, |bound| draw.min(bound - 1));
            assert_eq!(picked, expected.map(target), "draw {draw}");
        }
    }

    #[test]
    fn servers_without_weights_are_drawn_alike() {
        let pool = [server(1, 0, &[1]), server(1, 0, &[2]), server(1, 0, &[3])];
        let drawn = [0, 1, 2].map(|draw| pick(&pool, |_| false, |bound| draw.min(bound - 1)));
        assert_eq!(drawn, [1, 2, 3].map(|last| Some(target(last))));
    }

    #[test]
    fn nothing_is_drawn_where_there_is_no_choice() {
        let pool = [server(1, 5, &[1]), server(2, 5, &[2])];
        assert_eq!(pick(&pool, |_| false, |_| unreachable!("no choice")), Some(target(1)));
        assert_eq!(pick(&[], |_| false, |_| unreachable!("no choice")), None);
    }

    proptest! {
        #[test]
        fn each_draw_takes_each_target_once_and_ranks_in_order(
            pool in prop::collection::vec((0..4_u32, 0..200_u16, 1..4_usize), 0..8),
            seed: u64,
        ) {
            let mut last = 0;
            let servers: Vec<Server> = pool
                .iter()
                .map(|(rank, weight, count)| {
                    let addresses: Vec<u8> = (0..*count).map(|_| { last += 1; last }).collect();
                    server(*rank, *weight, &addresses)
                })
                .collect();
            let mut state = seed;
            let mut random = |bound: u64| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33) % bound
            };
            let mut taken: Vec<Target> = Vec::new();
            while let Some(next) = pick(&servers, |target| taken.contains(target), &mut random) {
                taken.push(next);
            }
            let rank_of = |target: &Target| {
                servers.iter().find(|server| server.targets.contains(target)).map(|server| server.rank)
            };
            let ranks: Vec<_> = taken.iter().map(rank_of).collect();
            prop_assert!(ranks.is_sorted(), "{ranks:?}");
            prop_assert_eq!(taken.len(), usize::from(last));
        }

        #[test]
        fn shares_follow_weights(weight in 1..100_u16, other in 1..100_u16) {
            let pool = [server(1, weight, &[1]), server(1, other, &[2])];
            let sum = u64::from(weight) + u64::from(other);
            let drawn = (0..=sum).filter(|draw| pick(&pool, |_| false, |_| *draw) == Some(target(1))).count();
            // A draw of 0 falls to the first as well.
            prop_assert_eq!(drawn, usize::from(weight) + 1);
        }
    }
}
