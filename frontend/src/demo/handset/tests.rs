use smsc_proto::sms::{Deliver, RpAck, StatusReport, SubmitReport, Timestamp, UserData};

use super::super::people::{ALICE, BOB, SUBSCRIBERS};
use super::*;

const SCTS: Timestamp =
    Timestamp { year: 26, month: 11, day: 21, hour: 13, minute: 29, second: 19, zone_quarters: 0 };
const SC: &str = "sip:smsc@smsc01.demo.invalid";

/// A handset, and what it said so far.
struct Phone {
    handset: Handset,
    now: Instant,
    calls: u32,
}

impl Phone {
    fn new(who: usize) -> Self {
        Self { handset: Handset::new(SUBSCRIBERS[who].clone(), "t"), now: Instant::now(), calls: 0 }
    }

    fn types(&mut self, message: u32, text: &str) {
        self.handset.type_message(self.now, message, "+15550002", text).unwrap();
    }

    /// The next thing it sends; its RPDU in hex where it is one.
    fn sends(&mut self) -> Option<(Uplink, Vec<u8>)> {
        let uplink = self.handset.poll_uplink()?;
        let octets = match &uplink.body {
            Body::Rpdu(octets) => octets.to_vec(),
            Body::Text(text) => text.clone().into_bytes(),
        };
        Some((uplink, octets))
    }

    fn gets(&mut self, in_reply_to: Option<&str>, rpdu: &Rpdu<'_>) -> u16 {
        let mut octets = Vec::new();
        rpdu.encode(Direction::NetworkToMs, &mut octets);
        self.calls += 1;
        let downlink = Downlink {
            call_id: format!("mt-{}", self.calls),
            in_reply_to: in_reply_to.map(str::to_owned).into_iter().collect(),
            asserted: SC.to_owned(),
            body: Body::Rpdu(octets.into()),
        };
        self.handset.receive(self.now, downlink)
    }

    fn gets_tpdu(&mut self, tpdu: &[u8]) -> u16 {
        let data = RpData { mr: 9, oa: Address::EMPTY, da: Address::EMPTY, user_data: tpdu };
        self.gets(None, &Rpdu::Data(data))
    }

    /// RP-ACK for what was sent last.
    fn accepted(&mut self, uplink: &Uplink, mr: u8) -> u16 {
        let mut tpdu = Vec::new();
        SubmitReport { fcs: None, scts: SCTS, pid: None, ud: None }.encode(&mut tpdu);
        self.gets(Some(&uplink.call_id), &Rpdu::Ack(RpAck { mr, user_data: Some(&tpdu) }))
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.handset.poll_event())
            .filter(|event| {
                !matches!(event, Event::Sending { .. } | Event::Switched { .. } | Event::Note { .. })
            })
            .collect()
    }
}

fn deliver(text: &str, more_messages: bool) -> Vec<u8> {
    let part = split_text(text, 1, SplitOptions::default()).unwrap().remove(0);
    let mut tpdu = Vec::new();
    Deliver {
        more_messages,
        loop_prevention: false,
        reply_path: false,
        status_report_indication: false,
        oa: Address::dialled("+15550001").unwrap(),
        pid: 0,
        scts: SCTS,
        ud: part.as_user_data(),
    }
    .encode(&mut tpdu);
    tpdu
}

fn status_report(mr: u8, scts: Timestamp, status: u8) -> Vec<u8> {
    let ra = Address::dialled("+15550002").unwrap();
    let mut tpdu = Vec::new();
    StatusReport {
        more_messages: false,
        loop_prevention: false,
        status_report_qualifier: false,
        mr,
        ra,
        scts,
        dt: scts,
        status,
        pid: None,
        ud: None::<UserData<'_>>,
    }
    .encode(&mut tpdu);
    tpdu
}

fn shown(text: &str) -> Event {
    Event::Shown { handset: "bob", from: "+15550001".to_owned(), text: text.to_owned(), parts: 1 }
}

#[test]
fn a_message_is_delivered_when_its_own_status_report_says_so() {
    let mut alice = Phone::new(ALICE);
    alice.types(1, "hi");
    let (uplink, octets) = alice.sends().unwrap();
    // RP-DATA to +15550000; SMS-SUBMIT with TP-SRR and a relative TP-VP, TP-MR 1, to +15550002.
    assert_eq!(
        octets,
        b"\x00\x01\x00\x05\x91\x51\x55\x00\x00\x0e\x31\x01\x08\x91\x51\x55\x00\x20\x00\x00\xa7\x02\xe8\x34"
    );
    assert_eq!((uplink.in_reply_to.as_deref(), uplink.to.as_deref()), (None, None));
    alice.handset.answered(alice.now, &uplink.call_id, Some(202));
    assert_eq!(alice.accepted(&uplink, 1), 200);
    assert_eq!(alice.events(), [Event::Stored { handset: "alice", message: 1 }]);

    let another_time = Timestamp { second: 20, ..SCTS };
    for (mr, scts) in [(2, SCTS), (1, another_time)] {
        alice.gets_tpdu(&status_report(mr, scts, 0));
        assert_eq!(alice.events(), [], "a report on nothing it has sent");
    }
    alice.gets_tpdu(&status_report(1, SCTS, 0));
    let (to, status) = ("bob".to_owned(), "received by the SME".to_owned());
    assert_eq!(alice.events(), [Event::Delivered { handset: "alice", message: 1, to, status }]);
}

#[test]
fn one_submission_is_outstanding_at_a_time_and_a_foreign_report_is_not_acceptable() {
    let mut alice = Phone::new(ALICE);
    alice.types(1, "one");
    alice.types(2, "two");
    let (first, _) = alice.sends().unwrap();
    assert_eq!(alice.sends(), None);
    assert_eq!(alice.gets(Some("another"), &Rpdu::Ack(RpAck { mr: 1, user_data: None })), 488);
    assert_eq!(alice.gets(Some(&first.call_id), &Rpdu::Ack(RpAck { mr: 7, user_data: None })), 488);
    assert_eq!(alice.accepted(&first, 1), 200);
    assert!(alice.sends().is_some_and(|(_, octets)| octets[..2] == [0, 2]));
}

#[test]
fn without_an_rp_ack_within_tr1m_a_message_has_failed() {
    let mut alice = Phone::new(ALICE);
    alice.types(1, "hi");
    assert_eq!(alice.handset.poll_timeout(), Some(alice.now + TR1M));
    alice.handset.handle_timeout(alice.now + TR1M);
    let why = "no RP-ACK within 40 s (TS 24.011 §10, TR1M)".to_owned();
    assert_eq!(alice.events(), [Event::Failed { handset: "alice", message: 1, why }]);
}

#[test]
fn a_delivery_is_acknowledged_in_a_message_of_its_own() {
    let mut bob = Phone::new(BOB);
    assert_eq!(bob.gets_tpdu(&deliver("hi", false)), 200);
    assert_eq!(bob.events(), [shown("hi")]);
    let (uplink, octets) = bob.sends().unwrap();
    assert_eq!(octets, b"\x02\x09\x41\x02\x00\x00");
    assert_eq!((uplink.in_reply_to.as_deref(), uplink.to.as_deref()), (Some("mt-1"), Some(SC)));
}

#[test]
fn an_equal_text_is_another_message_once_the_first_was_acknowledged() {
    let mut bob = Phone::new(BOB);
    for _ in 0..2 {
        bob.gets_tpdu(&deliver("OK", false));
        let (uplink, _) = bob.sends().unwrap();
        bob.handset.answered(bob.now, &uplink.call_id, Some(202));
    }
    assert_eq!(bob.events(), [shown("OK"), shown("OK")]);
}

#[test]
fn what_was_shown_but_not_acknowledged_is_shown_once() {
    let mut bob = Phone::new(BOB);
    bob.handset.switch(bob.now, Mode::Mute);
    bob.gets_tpdu(&deliver("hi", false));
    assert_eq!(bob.sends(), None);
    bob.handset.switch(bob.now, Mode::On);
    bob.gets_tpdu(&deliver("hi", true));
    assert_eq!(bob.events(), [shown("hi")]);
    // The acknowledgement does not get through either: the next copy is still the same message.
    let (uplink, _) = bob.sends().unwrap();
    bob.handset.answered(bob.now, &uplink.call_id, Some(500));
    bob.gets_tpdu(&deliver("hi", false));
    assert_eq!((bob.events(), bob.sends().is_some()), (vec![], true));
}

#[test]
fn a_full_handset_refuses_and_says_when_it_has_room() {
    let mut bob = Phone::new(BOB);
    bob.handset.switch(bob.now, Mode::Full);
    bob.gets_tpdu(&deliver("hi", false));
    assert_eq!(bob.sends().unwrap().1, b"\x04\x09\x01\x16\x41\x03\x00\xd3\x00");
    assert_eq!(bob.events(), []);
    bob.handset.switch(bob.now, Mode::On);
    assert_eq!(bob.sends().unwrap().1, b"\x06\x01");
}

#[test]
fn a_plain_handset_sends_text_and_its_202_is_all_it_learns() {
    let mut alice = Phone::new(ALICE);
    alice.handset.set_plain(true);
    alice.types(1, "né");
    let (uplink, octets) = alice.sends().unwrap();
    assert_eq!(
        (uplink.to.as_deref(), octets),
        (Some("sip:+15550002@ims.demo.invalid;user=phone"), "né".into())
    );
    alice.handset.answered(alice.now, &uplink.call_id, Some(202));
    assert_eq!(alice.events(), [Event::Stored { handset: "alice", message: 1 }]);
}
