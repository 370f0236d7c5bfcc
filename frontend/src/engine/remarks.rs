//! What a refusal says beside its status: Reason, Warning and Retry-After, for whoever asks why.

use std::time::Duration;

use smsc_proto::sip::{Message, unescaped};

/// Of each header at most so many values are told.
const MAX_VALUES: usize = 2;
/// Of each text at most so many characters.
const MAX_CHARACTERS: usize = 100;
/// The longest pause a Retry-After is obeyed for: rows in hand are not kept longer, their leases run.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The remarks in brackets, with a space in front; empty if there are none.
pub(super) fn remarks(message: &Message) -> String {
    let mut told = Vec::new();
    for reason in message.reasons().filter_map(Result::ok).take(MAX_VALUES) {
        let cause = reason.number("cause").map(|cause| format!(" {cause}")).unwrap_or_default();
        let text = reason.param("text").map(|text| format!(" {}", quoted(text))).unwrap_or_default();
        told.push(format!("Reason {}{cause}{text}", short(reason.value)));
    }
    for warning in message.warnings().filter_map(Result::ok).take(MAX_VALUES) {
        told.push(format!("Warning {} from {} {}", warning.code, short(warning.agent), quoted(warning.text)));
    }
    told.extend(message.retry_after().map(|seconds| format!("Retry-After {seconds} s")));
    if told.is_empty() { String::new() } else { format!(" ({})", told.join("; ")) }
}

/// How long a Retry-After asks us to leave the peer alone; none if it does not.
pub(super) fn pause(message: &Message) -> Option<Duration> {
    let seconds = message.retry_after().filter(|seconds| *seconds > 0)?;
    Some(Duration::from_secs(seconds.into()).min(LONGEST_PAUSE))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", short(&unescaped(text)))
}

fn short(text: &str) -> String {
    let printable = text.chars().filter(|character| !character.is_control());
    printable.take(MAX_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(headers: &str) -> Message {
        let head = "SIP/2.0 480 Temporarily Unavailable\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
                    From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\n";
        Message::parse(format!("{head}{headers}Content-Length: 0\r\n\r\n").into()).unwrap()
    }

    #[test]
    fn reasons_warnings_and_the_pause_asked_for_are_told() {
        let message = answer(
            "Reason: SIP;cause=480;text=\"no \\\"radio\\\"\", Q.850;cause=20, Q.850;cause=3\r\n\
             Warning: 399 pcscf.example:5060 \"paging failed\"\r\nRetry-After: 120 (try later)\r\n",
        );
        assert_eq!(
            remarks(&message),
            " (Reason SIP 480 \"no \"radio\"\"; Reason Q.850 20; Warning 399 from pcscf.example:5060 \
             \"paging failed\"; Retry-After 120 s)"
        );
        assert_eq!(pause(&message), Some(LONGEST_PAUSE));
        assert_eq!((remarks(&answer("")), pause(&answer("Retry-After: 0\r\n"))), (String::new(), None));
    }

    #[test]
    fn a_long_text_is_cut_and_a_broken_one_left_out() {
        let long = "x".repeat(500);
        let told = remarks(&answer(&format!("Warning: 399 h \"{long}\", 399 h \"open\r\n")));
        assert_eq!(told, format!(" (Warning 399 from h \"{}\")", "x".repeat(100)));
    }
}
