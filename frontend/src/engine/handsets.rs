//! Messages in hand, filed by handset: one outstanding delivery each (TS 24.011 §2), the rest in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use smsc_backend::{MessageId, QueuedMessage};
use smsc_proto::sip::transaction::Target;

use super::Now;
use super::compose::Composed;
use super::deliveries::DeliveryId;
use super::identity::digits;
use super::recent::Recent;
use super::settings::Settings;
use super::token::{Token, TokenId};

/// RP-MR values one pod has for a handset: the low five bits (design §4, Matching).
const REFERENCES: usize = 32;
/// How long a token is accepted, and with it whatever it refers to.
pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// All messages in hand.
#[derive(Debug)]
pub(super) struct Handsets {
    by_key: FxHashMap<Arc<str>, Handset>,
    in_hand: FxHashMap<MessageId, InHand>,
    per_location: FxHashMap<Arc<str>, u32>,
    open: FxHashMap<u64, Arc<str>>,
    references: Recent<Arc<str>, References>,
    sent: Recent<(Arc<str>, u8), Sent>,
    /// Ids that travel as a hash, for reports that come when the row is gone.
    hashed: Recent<TokenId, MessageId>,
    /// Parts already acknowledged, so that another attempt sends only the rest.
    acknowledged: Recent<MessageId, u8>,
    reference_life: Duration,
}

/// What is waiting for one handset.
#[derive(Debug, Default)]
pub(super) struct Handset {
    pub(super) queue: VecDeque<Row>,
    pub(super) open: Option<Delivery>,
}

/// A row and where it came from.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) message: QueuedMessage,
    pub(super) location: Arc<str>,
    /// Not before this: an attempt of an earlier life may still be reported (design §11).
    pub(super) hold_until: Option<Instant>,
}

#[derive(Debug, Clone)]
struct InHand {
    handset: Arc<str>,
    location: Arc<str>,
}

/// An attempt under way.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) serial: u64,
    pub(super) row: Row,
    pub(super) attempt: u32,
    pub(super) composed: Composed,
    /// The part under way, from 0.
    pub(super) part: usize,
    pub(super) rp_mr: u8,
    pub(super) state: State,
    /// Until when it waits, or has waited, for a next hop that asked to be left alone.
    pub(super) waits_until: Option<Instant>,
    /// When tr1n runs out.
    pub(super) deadline: Instant,
    /// The last SIP status seen, for the report.
    pub(super) sip_status: Option<u16>,
    /// What that answer said besides.
    pub(super) remarks: String,
    /// The newest SMS-DELIVER-REPORT with user data, hex.
    pub(super) answer: Option<String>,
    pub(super) icid: String,
    pub(super) target: Option<Target>,
    /// Targets to which this part could definitely not be sent.
    pub(super) tried: Vec<Target>,
}

/// What an attempt waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing of this part was sent: a next hop, an RP-MR or room is missing.
    Parked,
    /// The MESSAGE is out.
    Sent,
    /// The transport is done; only the handset's report or tr1n end it.
    AwaitingReport,
}

/// A part as it went out, kept for late reports that bring no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) id: MessageId,
    pub(super) attempt: u32,
    /// From 1.
    pub(super) part: u8,
    pub(super) parts: u8,
    /// Unix seconds.
    pub(super) at: i64,
}

impl Sent {
    /// The token it went out with.
    pub(super) fn token(&self, rp_mr: u8, ordinal: u8) -> Token {
        let Self { id, attempt, part, parts, at: _ } = self;
        let attempt = u8::try_from(*attempt).unwrap_or(u8::MAX);
        Token { id: TokenId::of(id), attempt, part: *part, parts: *parts, rp_mr, ordinal }
    }
}

/// RP-MR values in use towards one handset.
#[derive(Debug, Clone, Default)]
struct References {
    next: u8,
    used: VecDeque<(Instant, u8)>,
}

impl Handset {
    /// Nothing that waits goes out before `until`.
    pub(super) fn hold(&mut self, until: Instant) {
        for row in &mut self.queue {
            row.hold_until = row.hold_until.max(Some(until));
        }
    }
}

impl Handsets {
    pub(super) fn new(settings: &Settings) -> Self {
        let reference_life = settings.timers.tr1n * 3;
        let cap = settings.caps.remembered;
        Self {
            by_key: FxHashMap::default(),
            in_hand: FxHashMap::default(),
            per_location: FxHashMap::default(),
            open: FxHashMap::default(),
            references: Recent::new(reference_life, cap),
            sent: Recent::new(reference_life, cap),
            hashed: Recent::new(HOUR, cap),
            acknowledged: Recent::new(HOUR, cap),
            reference_life,
        }
    }

    /// Attempts under way.
    pub(super) fn open_deliveries(&self) -> usize {
        self.open.len()
    }

    /// Rows in hand, of all locations.
    pub(super) fn in_hand(&self) -> usize {
        self.in_hand.len()
    }

    /// Rows in hand of one location.
    pub(super) fn in_hand_of(&self, location: &str) -> u32 {
        self.per_location.get(location).copied().unwrap_or(0)
    }

    /// The locations of which rows are in hand.
    pub(super) fn locations(&self) -> impl Iterator<Item = &Arc<str>> {
        self.per_location.keys()
    }

    /// True if the row is queued, under way, or its outcome is not recorded yet.
    pub(super) fn holds(&self, id: &MessageId) -> bool {
        self.in_hand.contains_key(id)
    }

    /// Rows waiting for the handset this message is for.
    pub(super) fn queued(&self, message: &QueuedMessage) -> usize {
        self.by_key.get(handset_key(message).as_str()).map_or(0, |handset| handset.queue.len())
    }

    /// Takes a row in hand; returns the handset it is for.
    pub(super) fn take(&mut self, row: Row) -> Arc<str> {
        let key = handset_key(&row.message);
        let key = self
            .by_key
            .get_key_value(key.as_str())
            .map_or_else(|| Arc::from(key), |(known, _)| known.clone());
        let in_hand = InHand { handset: key.clone(), location: row.location.clone() };
        *self.per_location.entry(row.location.clone()).or_default() += 1;
        self.in_hand.insert(row.message.id.clone(), in_hand);
        self.by_key.entry(key.clone()).or_default().queue.push_back(row);
        key
    }

    /// Lets go of a row whose outcome is recorded; returns its handset.
    pub(super) fn let_go(&mut self, id: &MessageId) -> Option<Arc<str>> {
        let held = self.in_hand.remove(id)?;
        if let Some(count) = self.per_location.get_mut(&held.location) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.per_location.remove(&held.location);
            }
        }
        Some(held.handset)
    }

    /// Takes a row that was not attempted out of its queue.
    pub(super) fn unqueue(&mut self, id: &MessageId) -> Option<Row> {
        let key = self.in_hand.get(id)?.handset.clone();
        let queue = &mut self.by_key.get_mut(&key)?.queue;
        let at = queue.iter().position(|row| row.message.id == *id)?;
        let row = queue.remove(at);
        self.tidy(&key);
        row
    }

    pub(super) fn get(&mut self, key: &str) -> Option<&mut Handset> {
        self.by_key.get_mut(key)
    }

    /// The attempt under way at a handset.
    pub(super) fn delivery(&mut self, key: &str) -> Option<&mut Delivery> {
        self.by_key.get_mut(key)?.open.as_mut()
    }

    /// The handset of an attempt, if this part of it is still under way.
    pub(super) fn handset_of(&mut self, id: DeliveryId) -> Option<Arc<str>> {
        let key = self.open.get(&id.serial)?.clone();
        (self.delivery(&key)?.part == usize::from(id.part)).then_some(key)
    }

    /// The handset whose attempt under way carries this message.
    pub(super) fn handset_with(&mut self, id: &MessageId) -> Option<Arc<str>> {
        let key = self.in_hand.get(id)?.handset.clone();
        (self.delivery(&key)?.row.message.id == *id).then_some(key)
    }

    /// The id behind a token's: one that travelled as a hash is known if it was sent or is in hand.
    pub(super) fn resolve(&mut self, now: Instant, id: &TokenId) -> Option<MessageId> {
        match id {
            TokenId::Plain(id) => Some(id.clone()),
            TokenId::Hashed(_) => {
                let sent = self.hashed.get(now, id).cloned();
                sent.or_else(|| self.in_hand.keys().find(|known| TokenId::of(known) == *id).cloned())
            }
        }
    }

    /// Starts an attempt.
    pub(super) fn open(&mut self, key: &Arc<str>, delivery: Delivery) {
        self.open.insert(delivery.serial, key.clone());
        self.by_key.entry(key.clone()).or_default().open = Some(delivery);
    }

    /// Ends an attempt.
    pub(super) fn close(&mut self, key: &str) -> Option<Delivery> {
        let delivery = self.by_key.get_mut(key)?.open.take()?;
        self.open.remove(&delivery.serial);
        Some(delivery)
    }

    /// Remembers for late reports what goes out now.
    pub(super) fn remember_sent(&mut self, now: Now, key: &Arc<str>) {
        let Some(delivery) = self.delivery(key) else { return };
        let id = delivery.row.message.id.clone();
        let sent = Sent {
            id: id.clone(),
            attempt: delivery.attempt,
            part: part_number(delivery.part),
            parts: part_count(&delivery.composed),
            at: now.wall,
        };
        let rp_mr = delivery.rp_mr;
        self.sent.insert(now.mono, (key.clone(), rp_mr), sent);
        if let hashed @ TokenId::Hashed(_) = TokenId::of(&id) {
            self.hashed.insert(now.mono, hashed, id);
        }
    }

    /// What went out with this RP-MR in the last 3 × tr1n.
    pub(super) fn sent(&mut self, now: Instant, key: &str, rp_mr: u8) -> Option<Sent> {
        self.sent.get(now, &(Arc::from(key), rp_mr)).cloned()
    }

    /// Ends the attempt that carries this message, if nothing of what it has yet to send is out; returns its handset
    /// and its row.
    pub(super) fn withdraw(&mut self, id: &MessageId) -> Option<(Arc<str>, Row)> {
        let key = self.handset_with(id)?;
        let parked = self.delivery(&key).is_some_and(|delivery| delivery.state == State::Parked);
        let delivery = parked.then(|| self.close(&key))??;
        Some((key, delivery.row))
    }

    /// Drops a handset for which nothing waits.
    pub(super) fn tidy(&mut self, key: &str) {
        if self.by_key.get(key).is_some_and(|h| h.queue.is_empty() && h.open.is_none()) {
            self.by_key.remove(key);
        }
    }

    /// Takes every row that was not attempted, and is of a location that `which` picks, out of its queue.
    pub(super) fn take_unattempted(&mut self, which: impl Fn(&str) -> bool) -> Vec<Row> {
        let mut rows = Vec::new();
        for handset in self.by_key.values_mut() {
            let unsent = |open: &mut Delivery| open.target.is_none() && which(&open.row.location);
            if let Some(delivery) = handset.open.take_if(unsent) {
                self.open.remove(&delivery.serial);
                rows.push(delivery.row);
            }
            let (taken, kept) = handset.queue.drain(..).partition(|row| which(&row.location));
            handset.queue = kept;
            rows.extend::<VecDeque<Row>>(taken);
        }
        self.by_key.retain(|_, handset| handset.open.is_some() || !handset.queue.is_empty());
        rows
    }

    /// An RP-MR that was not used towards this handset for 3 × tr1n, or when the next one is free.
    pub(super) fn reference(
        &mut self,
        now: Instant,
        key: &Arc<str>,
        ordinal: u8,
        start: u8,
    ) -> Result<u8, Instant> {
        let life = self.reference_life;
        let known = self.references.remove(key);
        let mut references = known.unwrap_or(References { next: start, used: VecDeque::new() });
        while references.used.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) >= life) {
            references.used.pop_front();
        }
        let result = if references.used.len() >= REFERENCES {
            Err(references.used.front().map_or(now, |(at, _)| *at + life))
        } else {
            let low = references.next % REFERENCES as u8;
            references.next = references.next.wrapping_add(1);
            references.used.push_back((now, low));
            Ok((ordinal & 7) << 5 | low)
        };
        self.references.insert(now, key.clone(), references);
        result
    }

    /// Gives an RP-MR back that was not used after all.
    pub(super) fn give_back_reference(&mut self, now: Instant, key: &Arc<str>) {
        if let Some(references) = self.references.get(now, key) {
            references.used.pop_back();
            references.next = references.next.wrapping_sub(1);
        }
    }

    /// Remembers that the first `parts` parts of a message were acknowledged.
    pub(super) fn acknowledge(&mut self, now: Instant, id: &MessageId, parts: u8) {
        if self.acknowledged(now, id) < parts {
            self.acknowledged.insert(now, id.clone(), parts);
        }
    }

    /// How many parts of a message were acknowledged in earlier attempts.
    pub(super) fn acknowledged(&mut self, now: Instant, id: &MessageId) -> u8 {
        self.acknowledged.get(now, id).map_or(0, |parts| *parts)
    }
}

/// What a row is filed under: the recipient's digits, else its public identity.
fn handset_key(message: &QueuedMessage) -> String {
    let number = digits(&message.destination_msisdn);
    match (&message.impu, number) {
        (Some(impu), "") => {
            smsc_proto::sip::Uri::parse(impu).map_or_else(|_| impu.clone(), |uri| uri.aor_key())
        }
        _ => number.to_owned(),
    }
}

/// The part's number in a token, from 1.
pub(super) fn part_number(part: usize) -> u8 {
    u8::try_from(part + 1).unwrap_or(u8::MAX)
}

/// The number of parts in a token.
pub(super) fn part_count(composed: &Composed) -> u8 {
    u8::try_from(composed.parts()).unwrap_or(u8::MAX)
}
