//! Copies of messages on the air: what the promise of exact delivery is about.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use smsc_backend::Status;
use smsc_frontend::engine::{Keys, Token, TokenId};
use smsc_proto::sip::{Header, Message};

use super::link::Party;
use super::{KEY, WALL, World, pod};

/// One copy of one part, at the moment it was first sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Copy {
    pub(crate) at: Duration,
    pub(crate) pod: usize,
    pub(crate) id: String,
    pub(crate) attempt: u8,
    pub(crate) part: u8,
    pub(crate) rp_mr: u8,
    pub(crate) call_id: String,
}

impl World {
    /// Requests pods have sent, repetitions of a transaction taken out.
    pub(crate) fn requests(&self) -> Vec<(Duration, usize, Message)> {
        let mut branches = BTreeSet::new();
        let mut requests = Vec::new();
        for packet in &self.wire {
            let Party::Pod(pod) = packet.from else { continue };
            let message = packet.message();
            let via = message.header(Header::Via).unwrap_or_default().to_owned();
            if message.is_request() && branches.insert(via) {
                requests.push((packet.at, pod, message));
            }
        }
        requests
    }

    /// Every copy of a delivery that went on the air.
    pub(crate) fn copies(&self) -> Vec<Copy> {
        let keys = Keys::new(&[KEY.to_vec()], pod::DOMAIN);
        let copy = |(at, pod, message): (Duration, usize, Message)| {
            let wall = WALL + i64::try_from(at.as_secs()).expect("not that late");
            let token = Token::read(message.call_id().ok()?, &keys, wall)?;
            let TokenId::Plain(id) = token.id else { return None };
            let call_id = message.call_id().ok()?.to_owned();
            let (attempt, part, rp_mr) = (token.attempt, token.part, token.rp_mr);
            Some(Copy { at, pod, id: id.0, attempt, part, rp_mr, call_id })
        };
        self.requests().into_iter().filter_map(copy).collect()
    }

    /// Pairs of copies of one part of which the second went out although nothing said that the first had ended:
    /// no outcome was recorded, and the pod that sent the first has not been dead for tr1n (design §4, §11).
    pub(crate) fn broken_promises(&self) -> Vec<(Copy, Copy)> {
        let mut last: BTreeMap<(String, u8), Copy> = BTreeMap::new();
        let mut broken = Vec::new();
        for copy in self.copies() {
            let earlier = last.insert((copy.id.clone(), copy.part), copy.clone());
            if let Some(earlier) = earlier
                && !self.ended_between(&earlier, &copy)
            {
                broken.push((earlier, copy));
            }
        }
        broken
    }

    fn ended_between(&self, first: &Copy, second: &Copy) -> bool {
        let recorded = self.backend.records.iter().any(|(at, id, report)| {
            id.0 == first.id
                && (first.at..=second.at).contains(at)
                && report.attempt >= u32::from(first.attempt)
                && report.status != Status::Released
        });
        let pod = &self.pods[first.pod];
        let patience = pod.settings.timers.tr1n;
        let died = pod.deaths.iter().any(|death| *death >= first.at && *death + patience <= second.at);
        recorded || died
    }

    /// Copies of one message.
    pub(crate) fn copies_of(&self, id: &str) -> Vec<Copy> {
        self.copies().into_iter().filter(|copy| copy.id == id).collect()
    }
}

/// A SIP message for people and for comparison: lines, an empty line, the body in hex.
pub(crate) fn shown(message: &Message) -> String {
    let raw = message.raw();
    let head = &raw[..raw.len() - message.body_octets().len()];
    let head = std::str::from_utf8(head).expect("text").replace("\r\n", "\n");
    head + &data_encoding::HEXLOWER.encode(message.body_octets())
}
