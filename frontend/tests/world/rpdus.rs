//! What handsets write and read: RPDUs and TPDUs by the real codec.

use smsc_proto::sms::{
    Address, Carrier, DeliverReport, Direction, RpAck, RpData, RpError, Rpdu, SplitOptions, Submit, Tpdu,
    Validity, split_text,
};

use super::handset::{Body, Report, SubmitVerdict};

/// A short message from a handset.
#[derive(Debug, Clone)]
pub(crate) struct Mo {
    pub(crate) to: String,
    pub(crate) text: String,
    pub(crate) tp_mr: u8,
    pub(crate) rp_mr: u8,
    pub(crate) reject_duplicates: bool,
    pub(crate) status_report: bool,
    pub(crate) validity: Option<Validity>,
    pub(crate) pod: usize,
}

impl Mo {
    /// A message with TP-MR 1 and RP-MR 1, sent through pod 0.
    pub(crate) fn new(to: &str, text: &str) -> Self {
        Self {
            to: to.to_owned(),
            text: text.to_owned(),
            tp_mr: 1,
            rp_mr: 1,
            reject_duplicates: false,
            status_report: false,
            validity: None,
            pod: 0,
        }
    }

    /// The SMS-SUBMIT.
    pub(crate) fn tpdu(&self) -> Vec<u8> {
        let parts = split_text(&self.text, 0, SplitOptions::default()).expect("a text that fits");
        let mut tpdu = Vec::new();
        Submit {
            reject_duplicates: self.reject_duplicates,
            reply_path: false,
            status_report_request: self.status_report,
            mr: self.tp_mr,
            da: Address::dialled(&self.to).expect("a number"),
            pid: 0,
            vp: self.validity,
            ud: parts[0].as_user_data(),
        }
        .encode(&mut tpdu);
        tpdu
    }

    /// The RP-DATA.
    pub(crate) fn rpdu(&self) -> Vec<u8> {
        let da = Address::international("447785016005").expect("a number");
        let mut rpdu = Vec::new();
        Rpdu::Data(RpData { mr: self.rp_mr, oa: Address::EMPTY, da, user_data: &self.tpdu() })
            .encode(Direction::MsToNetwork, &mut rpdu);
        rpdu
    }
}

/// What a submit report says.
pub(super) fn submit_verdict(body: &[u8], in_reply_to: &str) -> SubmitVerdict {
    let rpdu = Rpdu::decode(Direction::NetworkToMs, body).expect("an RPDU from the network");
    let report = |carrier, octets: Option<&[u8]>| {
        octets.map(|octets| match Tpdu::decode(Direction::NetworkToMs, carrier, octets) {
            Ok(Tpdu::SubmitReport(report)) => (report.fcs, report.scts),
            other => panic!("not an SMS-SUBMIT-REPORT: {other:?}"),
        })
    };
    let (error, report) = match &rpdu {
        Rpdu::Ack(ack) => (None, report(Carrier::Ack, ack.user_data)),
        Rpdu::Error(error) => {
            let report = report(Carrier::Error, error.user_data);
            (Some((error.cause, report.and_then(|(fcs, _)| fcs))), report)
        }
        other => panic!("not a submit report: {other:?}"),
    };
    SubmitVerdict {
        in_reply_to: in_reply_to.to_owned(),
        rp_mr: rpdu.mr(),
        error,
        scts: report.map(|(_, scts)| scts),
    }
}

/// RP-ACK or RP-ERROR with an SMS-DELIVER-REPORT.
pub(crate) fn report_rpdu(report: Report, mr: u8) -> Vec<u8> {
    let mut tpdu = Vec::new();
    let mut rpdu = Vec::new();
    match report {
        Report::Error(cause, fcs) => {
            if fcs.is_some() {
                DeliverReport { fcs, pid: None, ud: None }.encode(&mut tpdu);
            }
            let user_data = fcs.map(|_| &tpdu[..]);
            Rpdu::Error(RpError { mr, cause, diagnostic: None, user_data })
        }
        Report::AckWith(tpdu) => Rpdu::Ack(RpAck { mr, user_data: Some(tpdu) }),
        Report::Ack | Report::None => {
            DeliverReport { fcs: None, pid: None, ud: None }.encode(&mut tpdu);
            Rpdu::Ack(RpAck { mr, user_data: Some(&tpdu) })
        }
    }
    .encode(Direction::MsToNetwork, &mut rpdu);
    rpdu
}

pub(super) fn text(body: &[u8]) -> Body {
    Body::Text(String::from_utf8(body.to_vec()).expect("UTF-8"))
}

/// The TPDU in an RP-DATA from the network.
pub(crate) fn tpdu_for_handset(body: &[u8]) -> Vec<u8> {
    match Rpdu::decode(Direction::NetworkToMs, body) {
        Ok(Rpdu::Data(data)) => data.user_data.to_vec(),
        other => panic!("not RP-DATA: {other:?}"),
    }
}

/// An RP-DATA of a handset with this TPDU.
pub(crate) fn rp_data(mr: u8, tpdu: &[u8]) -> Vec<u8> {
    let da = Address::international("447785016005").expect("a number");
    let mut rpdu = Vec::new();
    Rpdu::Data(RpData { mr, oa: Address::EMPTY, da, user_data: tpdu })
        .encode(Direction::MsToNetwork, &mut rpdu);
    rpdu
}

/// RP-MR and content of an RP-DATA.
pub(super) fn incoming(body: &[u8]) -> (u8, Body) {
    let Ok(Rpdu::Data(data)) = Rpdu::decode(Direction::NetworkToMs, body) else {
        panic!("not RP-DATA: {body:02x?}");
    };
    let content = match Tpdu::decode(Direction::NetworkToMs, Carrier::Data, data.user_data) {
        Ok(Tpdu::Deliver(deliver)) => Body::Deliver {
            from: deliver.oa.as_dialled(),
            text: deliver.ud.text().unwrap_or_else(|_| data_encoding::HEXLOWER.encode(deliver.ud.payload())),
            more: deliver.more_messages,
            scts: deliver.scts,
            part: deliver.ud.concatenation(),
        },
        Ok(Tpdu::StatusReport(report)) => Body::StatusReport {
            tp_mr: report.mr,
            to: report.ra.as_dialled(),
            status: report.status,
            scts: report.scts,
        },
        other => panic!("not for a handset: {other:?}"),
    };
    (data.mr, content)
}
