//! A TCP stream: the same messages whatever the pieces it comes in, and framed as the parser reads them.

use smsc_proto::sip::{Framed, MAX_HEAD, MAX_STREAM_BODY, Message, StreamError, StreamFramer};

use crate::Meter;

/// Pieces shorter than this are not timed: each is a read from a socket, which costs far more than its bookkeeping.
const TIMED_PIECE: usize = 64;

/// A shorter message counts as one of so many octets: no start line with a Content-Length is shorter, and handing a
/// message on costs far more than cutting it out.
const SHORTEST: usize = 40;

/// The first octet of the input says how the rest is cut.
pub(super) fn run(input: &[u8], meter: &mut Meter) {
    let Some((&cuts, octets)) = input.split_first() else { return };
    let whole = meter.watch(|| framed(std::iter::once(octets)));
    meter.watch(|| framed(pieces(octets, cuts, TIMED_PIECE)).messages.len());
    for message in &whole.messages {
        meter.count_octets(message.len(), SHORTEST);
    }
    meter.count_octets(octets.len() - whole.messages.iter().map(|message| message.len()).sum::<usize>(), 64);
    let cut = framed(pieces(octets, cuts, 1));
    assert_eq!(
        (&cut.messages, cut.pings, cut.error, cut.left),
        (&whole.messages, whole.pings, whole.error, whole.left)
    );
    for message in whole.messages {
        // Two readers of one message must not see two bodies.
        if let Ok(parsed) = Message::parse(message.clone()) {
            assert!(message.ends_with(parsed.body_octets()), "octets behind the body that the parser sees");
            let head = message.len() - parsed.body_octets().len();
            assert!(message[..head].ends_with(b"\r\n\r\n"), "framer and parser see bodies of two lengths");
        }
    }
}

#[derive(Default)]
struct Seen {
    messages: Vec<bytes::Bytes>,
    pings: usize,
    error: Option<StreamError>,
    left: usize,
}

fn framed<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Seen {
    let mut framer = StreamFramer::new();
    let mut seen = Seen::default();
    for piece in pieces {
        framer.push(piece);
        while let Some(next) = framer.next() {
            match next {
                Ok(Framed::Message(message)) => seen.messages.push(message),
                Ok(Framed::Ping) => seen.pings += 1,
                // The first half of a ping that came in two pieces is told as one.
                Ok(Framed::Pong) => {}
                Err(error) => seen.error = Some(error),
            }
        }
        assert!(framer.buffered() <= MAX_HEAD + MAX_STREAM_BODY, "more is held than one message");
    }
    seen.left = framer.buffered();
    seen
}

/// Cuts by a generator that the first octet seeds; 0 cuts behind every octet.
fn pieces(octets: &[u8], cuts: u8, least: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = octets;
    let mut state = u32::from(cuts);
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        state = state.wrapping_mul(1_664_525).wrapping_add(u32::from(cuts) * 2);
        let length = (1 + (state >> 16) as usize % 97 * usize::from(cuts > 0)).max(least).min(rest.len());
        let (piece, behind) = rest.split_at(length);
        rest = behind;
        Some(piece)
    })
}
