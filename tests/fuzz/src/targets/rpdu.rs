//! RPDUs of both directions, and the TPDUs in them; also the input taken as a bare TPDU.

use smsc_proto::sms::explain::{Input, guess};
use smsc_proto::sms::{Carrier, Direction, Rpdu, explain, rp_header};

use super::tpdu;
use crate::Meter;

pub(super) fn ms_to_network(input: &[u8], meter: &mut Meter) {
    run(Direction::MsToNetwork, input, meter);
}

pub(super) fn network_to_ms(input: &[u8], meter: &mut Meter) {
    run(Direction::NetworkToMs, input, meter);
}

const CARRIERS: [Carrier; 3] = [Carrier::Data, Carrier::Ack, Carrier::Error];

fn run(direction: Direction, input: &[u8], meter: &mut Meter) {
    let decoded = meter.watch(|| Rpdu::decode(direction, input));
    let explained = meter.watch_untimed(|| explain(input, Input::Rpdu { direction }));
    assert!(!explained.to_string().is_empty() || input.is_empty());
    match decoded {
        Ok(rpdu) => {
            assert_eq!(rp_header(input).map(|header| header.mr), Some(rpdu.mr()));
            let mut written = Vec::new();
            rpdu.encode(direction, &mut written);
            assert_eq!(Rpdu::decode(direction, &written), Ok(rpdu));
            if let Some(octets) = rpdu.user_data() {
                let carrier = match rpdu {
                    Rpdu::Ack(_) => Carrier::Ack,
                    Rpdu::Error(_) => Carrier::Error,
                    Rpdu::Data(_) | Rpdu::Smma { .. } => Carrier::Data,
                };
                tpdu::check(direction, carrier, octets, meter);
            }
        }
        Err(error) => {
            assert!(error.octet <= input.len() && error.rp_cause() < 128, "{error}");
            assert!(
                explained.problems().next().is_some(),
                "refused and explained without a problem: {error}"
            );
        }
    }
    for carrier in CARRIERS {
        tpdu::check(direction, carrier, input, meter);
        let _ = explain(input, Input::Tpdu { direction, carrier }).to_string();
    }
    let _ = explain(input, Input::Modem { direction }).to_string();
    let _ = guess(input, None).problems().count();
}
