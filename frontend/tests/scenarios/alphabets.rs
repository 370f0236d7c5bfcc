//! Alphabets on their way to and from handsets: national tables only where they are allowed and worth it
//! (TS 23.038 §6.2.1.2), and everything as UTF-8 at the backend.

use smsc_backend::{Encoding, QueuedMessage};
use smsc_proto::sms::gsm7::{Language, Shift};
use smsc_proto::sms::{
    Address, Alphabet, Carrier, Direction, RpData, Rpdu, SplitOptions, Submit, Tpdu, split_text,
};

use crate::repeats::CAROL;
use crate::world::*;

/// 85 characters, 13 of them in no other 7-bit alphabet.
const TURKISH: &str =
    "Işıklar içinde yürüyorsun, güneş doğuyor; şehrin üstünde bir kuş gibi özgürsün, canım.";

/// Alphabet and shift tables of every part a handset got.
fn coded(world: &World, handset: usize) -> Vec<(Alphabet, Shift)> {
    let inbox = &world.handset(handset).inbox;
    let part = |incoming: &Incoming| {
        let body = incoming.message.body();
        let Ok(Rpdu::Data(data)) = Rpdu::decode(Direction::NetworkToMs, &body) else { panic!("no RP-DATA") };
        match Tpdu::decode(Direction::NetworkToMs, Carrier::Data, data.user_data) {
            Ok(Tpdu::Deliver(deliver)) => (deliver.ud.dcs.alphabet(), deliver.ud.shift()),
            other => panic!("no SMS-DELIVER: {other:?}"),
        }
    };
    inbox.iter().map(part).collect()
}

fn delivered(languages: &[Language], text: &str, encoding: Option<Encoding>) -> World {
    let mut world = World::with(1, |settings| settings.languages = languages.to_vec());
    world.queue_with(0, "42", 1, text, |row| QueuedMessage { encoding, ..row });
    world.run(secs(2));
    assert_eq!(world.handset(1).texts().concat(), text);
    world
}

#[test]
fn a_turkish_text_is_one_part_instead_of_two_where_handsets_have_the_tables() {
    let both = (Alphabet::Ucs2, Shift::NONE);
    assert_eq!(coded(&delivered(&[], TURKISH, None), 1), [both, both]);
    let locking = Shift { single: None, locking: Some(Language::Turkish) };
    let turkish = [Language::Spanish, Language::Turkish];
    assert_eq!(coded(&delivered(&turkish, TURKISH, None), 1), [(Alphabet::Gsm7, locking)]);
    assert_eq!(coded(&delivered(&turkish, TURKISH, Some(Encoding::Gsm7)), 1), [(Alphabet::Gsm7, locking)]);
}

#[test]
fn what_the_default_alphabet_has_in_one_part_needs_no_table_and_ucs2_stays_what_a_sender_asked_for() {
    let languages = &Language::ALL;
    assert_eq!(coded(&delivered(languages, "plain ^{}", None), 1), [(Alphabet::Gsm7, Shift::NONE)]);
    let asked = delivered(languages, TURKISH, Some(Encoding::Ucs2));
    assert_eq!(coded(&asked, 1), [(Alphabet::Ucs2, Shift::NONE); 2]);
}

#[test]
fn a_plain_text_of_a_handset_is_passed_on_in_the_smallest_encoding() {
    for (languages, encoding) in [(&[][..], Encoding::Ucs2), (&[Language::Turkish][..], Encoding::Gsm7)] {
        let mut world = World::with(1, |settings| settings.languages = languages.to_vec());
        world.send_text(0, "tel:+447700900099", TURKISH);
        world.run(secs(1));
        let message = &world.backend.accepted[0].1;
        assert_eq!((message.message_body.as_str(), message.encoding), (TURKISH, encoding));
    }
}

/// Whatever tables a handset uses: the backend gets UTF-8, and the recipient the same octets.
#[test]
fn a_text_in_any_national_table_reaches_the_backend_as_utf8() {
    for language in Language::ALL {
        let name = match language {
            Language::Turkish => "ığŞç",
            Language::Spanish => "Mañana será otro día, corazón",
            Language::Portuguese => "Não há mãos à obra, coração",
            Language::Bengali => "বাংলা",
            Language::Gujarati => "ગુજરાતી",
            Language::Hindi => "हिन्दी",
            Language::Kannada => "ಕನ್ನಡ",
            Language::Malayalam => "മലയാളം",
            Language::Oriya => "ଓଡ଼ିଆ",
            Language::Punjabi => "ਪੰਜਾਬੀ",
            Language::Tamil => "தமிழ்",
            Language::Telugu => "తెలుగు",
            Language::Urdu => "اردو",
        };
        let options = SplitOptions {
            alphabet: Some(Alphabet::Gsm7),
            languages: &[language],
            ..SplitOptions::default()
        };
        let part = split_text(name, 0, options).unwrap().remove(0);
        assert_ne!(part.as_user_data().shift(), Shift::NONE, "{language:?}");
        let mut tpdu = Vec::new();
        Submit {
            reject_duplicates: false,
            reply_path: false,
            status_report_request: false,
            mr: 1,
            da: Address::dialled(CAROL).unwrap(),
            pid: 0,
            vp: None,
            ud: part.as_user_data(),
        }
        .encode(&mut tpdu);
        let mut rpdu = Vec::new();
        let da = Address::international("447785016005").unwrap();
        Rpdu::Data(RpData { mr: 1, oa: Address::EMPTY, da, user_data: &tpdu })
            .encode(Direction::MsToNetwork, &mut rpdu);
        let mut world = World::new(1);
        world.send_rpdu(0, 0, &rpdu);
        world.run(secs(1));
        let message = world.backend.accepted[0].1.clone();
        assert_eq!((message.message_body.as_str(), message.encoding), (name, Encoding::Gsm7));
        assert!(message.udh.is_some());

        world.queue_with(0, "42", 1, name, |row| QueuedMessage {
            raw_tpdu: message.raw_tpdu,
            tp_dcs: message.tp_dcs,
            udh: message.udh,
            ..row
        });
        world.run(secs(3));
        assert_eq!(world.handset(1).texts(), [name]);
        assert_eq!(coded(&world, 1), [(Alphabet::Gsm7, part.as_user_data().shift())]);
    }
}
