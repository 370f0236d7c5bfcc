//! The tree behind `smsc-frontend decode`: every field with its octets, its value and what it means.
//!
//! Unlike the decoders, this reads on for as long as it can: what could not be read is a node of its own.

mod render;
mod rp;
mod tpdu;
mod user_data;
mod walk;

use std::ops::Range;

use serde::Serialize;

use super::rp::{Direction, rp_header};
use super::tpdu::Carrier;
use walk::Walk;

/// What the octets are taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "pdu", rename_all = "snake_case")]
pub enum Input {
    /// An RPDU, as in a SIP MESSAGE.
    Rpdu {
        /// Who sends it.
        direction: Direction,
    },
    /// A TPDU with the service centre's address in front, as modems take and give it (TS 27.005 §3.1).
    Modem {
        /// Who sends it.
        direction: Direction,
    },
    /// A bare TPDU.
    Tpdu {
        /// Who sends it.
        direction: Direction,
        /// What it rides in.
        carrier: Carrier,
    },
}

/// One field, or a group of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// The octets it stands in, counted from the start of the input; the end is not included.
    pub octets: Range<usize>,
    /// The name that the specification gives it.
    pub name: String,
    /// Its value.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// What the value means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether this is not a field but something wrong.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub problem: bool,
    /// The fields inside.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Node>,
}

/// What the octets are and say. [`std::fmt::Display`] shows it as an aligned tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What the octets were taken for.
    #[serde(flatten)]
    pub input: Input,
    /// The fields.
    pub nodes: Vec<Node>,
}

impl Explanation {
    /// Returns everything that is wrong, in the order of the octets.
    pub fn problems(&self) -> impl Iterator<Item = &Node> {
        let mut stack: Vec<&Node> = self.nodes.iter().rev().collect();
        std::iter::from_fn(move || {
            while let Some(node) = stack.pop() {
                stack.extend(node.children.iter().rev());
                if node.problem {
                    return Some(node);
                }
            }
            None
        })
    }

    /// How much of the input made no sense, for comparing guesses; 0 is a perfect reading.
    fn badness(&self, length: usize) -> usize {
        self.problems().map(|node| 1 + length.saturating_sub(node.octets.start)).sum()
    }
}

/// Explains octets that are known to be `input`. Never fails: what is wrong is in the tree.
#[must_use]
pub fn explain(octets: &[u8], input: Input) -> Explanation {
    let mut walk = Walk::new(octets);
    match input {
        Input::Rpdu { direction } => walk.rpdu(direction),
        Input::Modem { direction } => walk.modem_pdu(direction),
        Input::Tpdu { direction, carrier } => walk.tpdu(direction, carrier),
    };
    Explanation { input, nodes: walk.finish() }
}

/// Explains octets of which at most the direction is known: the reading with the least wrong in it.
///
/// An RPDU tells its direction itself; of equally good readings an RPDU is preferred to a modem's PDU, and that to a
/// bare TPDU.
#[must_use]
pub fn guess(octets: &[u8], direction: Option<Direction>) -> Explanation {
    let directions = [Direction::MsToNetwork, Direction::NetworkToMs];
    let wanted =
        || directions.into_iter().filter(move |&other| direction.is_none_or(|wanted| wanted == other));
    let told = rp_header(octets).and_then(|header| header.direction());
    let rpdu = told.filter(|&told| direction.is_none_or(|wanted| wanted == told));
    let mut readings: Vec<Input> = rpdu.map(|direction| Input::Rpdu { direction }).into_iter().collect();
    readings.extend(wanted().map(|direction| Input::Modem { direction }));
    for carrier in [Carrier::Data, Carrier::Error, Carrier::Ack] {
        readings.extend(wanted().map(|direction| Input::Tpdu { direction, carrier }));
    }
    let best = readings.into_iter().map(|input| explain(octets, input)).min_by_key(|explanation| {
        // A report is short and takes nearly anything, so a broken one is the last guess.
        let report = match explanation.input {
            Input::Tpdu { carrier, .. } if carrier != Carrier::Data => Some(carrier),
            _ => None,
        };
        // TP-FCS is 80 or above; TP-PI, which stands in its place in an RP-ACK, is below.
        let second_is_fcs = octets.get(1).is_some_and(|&octet| octet >= 0x80);
        let unlikely = report.is_some_and(|carrier| second_is_fcs != (carrier == Carrier::Error));
        let badness = explanation.badness(octets.len());
        (badness > 0 && report.is_some(), badness, unlikely)
    });
    best.unwrap_or_else(|| explain(octets, Input::Rpdu { direction: Direction::MsToNetwork }))
}

#[cfg(test)]
mod tests;
