//! A command for a SIM application, from the octets of a card's owner to the card and its answer back
//! (TS 23.040 §9.2.3.9, TS 31.115).

use smsc_proto::sms::{
    Address, Carrier, Dcs, Deliver, DeliverReport, Direction, Part, RpAck, RpData, RpError, Rpdu,
    SplitOptions, Timestamp, Tpdu, UserData, pid, split_binary,
};

/// IE 70, command packet identifier, which has no data.
const COMMAND_PACKET: [u8; 2] = [0x70, 0x00];
/// IE 71, response packet identifier.
const RESPONSE: [u8; 6] = [0x02, 0x71, 0x00, 0x00, 0x01, 0x90];

fn centre() -> Address {
    Address::international("447700900123").expect("a number")
}

/// The RPDU that takes a part to the handset.
fn rp_data(part: &Part, more_messages: bool) -> Vec<u8> {
    let deliver = Deliver {
        more_messages,
        loop_prevention: false,
        reply_path: false,
        status_report_indication: false,
        oa: Address::dialled("12345").expect("a number"),
        pid: pid::SIM_DOWNLOAD,
        scts: Timestamp::from_unix(1_795_285_953, 0),
        ud: part.as_user_data(),
    };
    let (mut tpdu, mut rpdu) = (Vec::new(), Vec::new());
    deliver.encode(&mut tpdu);
    let data = RpData { mr: 1, oa: centre(), da: Address::EMPTY, user_data: &tpdu };
    Rpdu::Data(data).encode(Direction::NetworkToMs, &mut rpdu);
    rpdu
}

#[test]
fn a_command_reaches_the_card_octet_by_octet_with_its_security_header_in_front_only() {
    let command: Vec<u8> = (0..400u16).map(|octet| octet as u8).collect();
    let options = SplitOptions { class: Some(2), udh: &COMMAND_PACKET, ..SplitOptions::default() };
    let parts = split_binary(&command, 0x2a, options).unwrap();
    // 132, 134 and 134 octets: the first header is two octets longer.
    assert_eq!(parts.len(), 3);
    let mut reached = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let rpdu = rp_data(part, index + 1 < parts.len());
        let octets = Rpdu::decode(Direction::NetworkToMs, &rpdu).unwrap().user_data().unwrap();
        let Ok(Tpdu::Deliver(deliver)) = Tpdu::decode(Direction::NetworkToMs, Carrier::Data, octets) else {
            panic!("an SMS-DELIVER");
        };
        assert!(pid::is_sim_download(deliver.pid, deliver.ud.dcs));
        let elements: Vec<u8> = deliver.ud.elements().map(|element| element.id).collect();
        assert_eq!(elements, if index == 0 { vec![0x00, 0x70] } else { vec![0x00] });
        assert_eq!(deliver.ud.concatenation().map(|part| usize::from(part.sequence)), Some(index + 1));
        assert!(deliver.ud.text().is_err());
        reached.extend_from_slice(deliver.ud.payload());
    }
    assert_eq!(reached, command);
}

#[test]
fn the_answer_of_the_card_comes_back_with_success_and_with_failure() {
    let ud = UserData { dcs: Dcs(0xf6), header: true, length: RESPONSE.len() as u8, octets: &RESPONSE };
    for fcs in [None, Some(0xd5)] {
        let report = DeliverReport { fcs, pid: Some(pid::SIM_DOWNLOAD), ud: Some(ud) };
        let (mut tpdu, mut octets) = (Vec::new(), Vec::new());
        report.encode(&mut tpdu);
        let user_data = Some(&tpdu[..]);
        let (rpdu, carrier) = match fcs {
            None => (Rpdu::Ack(RpAck { mr: 1, user_data }), Carrier::Ack),
            Some(_) => {
                (Rpdu::Error(RpError { mr: 1, cause: 111, diagnostic: None, user_data }), Carrier::Error)
            }
        };
        rpdu.encode(Direction::MsToNetwork, &mut octets);
        let read = Rpdu::decode(Direction::MsToNetwork, &octets).unwrap();
        assert_eq!(read, rpdu);
        let read = Tpdu::decode(Direction::MsToNetwork, carrier, read.user_data().unwrap());
        assert_eq!(read, Ok(Tpdu::DeliverReport(report)));
        assert_eq!(ud.payload(), &RESPONSE[3..]);
    }
}
