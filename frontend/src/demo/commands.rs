//! What can be typed at the prompt.

use super::core::Switch;
use super::people::{SUBSCRIBERS, find};

/// What `/help` says.
pub(super) const HELP: &str = "\
Type a text and it is sent to the other handset. Besides:
  /as WHO          type at that handset (alice, bob)
  /to NUMBER TEXT  send to any number
  /off WHO         switch a handset off: the core answers 480 for it
  /on WHO          switch it on again: it registers, and what waits is delivered
  /full WHO        its memory is full: RP-ERROR 22
  /empty WHO       it has room again: RP-SMMA
  /mute WHO        it takes messages and never reports: SIP 200 is not a delivery; /on ends it
  /plain WHO       it knows text/plain only; /sms WHO ends it
  /list            the messages the store knows
  /why ID          one sentence per delivery attempt; without ID, of the newest message
  /hops            hide or show SIP messages and steps
  /quit            end (so do Ctrl-C and Ctrl-D)";

/// A line, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Typed {
    /// An empty line.
    Nothing,
    /// Send a text; to the other handset if nobody is named.
    Send { to: Option<String>, text: String },
    /// Type at another handset.
    As(usize),
    /// Switch a handset.
    Switch(usize, Switch),
    /// Tell a message's life.
    Why(Option<String>),
    /// List messages.
    List,
    /// Hide or show hops.
    Hops,
    /// Say what can be typed.
    Help,
    /// End.
    Quit,
}

/// Understands a line.
///
/// # Errors
/// What is wrong with it, in a sentence.
pub(super) fn parse(line: &str) -> Result<Typed, String> {
    let line = line.trim();
    let Some(command) = line.strip_prefix('/') else {
        return Ok(match line {
            "" => Typed::Nothing,
            text => Typed::Send { to: None, text: text.to_owned() },
        });
    };
    let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    let rest = rest.trim();
    let switch = |switch| Ok(Typed::Switch(who(name, rest)?, switch));
    match name {
        "as" => Ok(Typed::As(who(name, rest)?)),
        "to" => match rest.split_once(char::is_whitespace) {
            Some((to, text)) => Ok(Typed::Send { to: Some(to.to_owned()), text: text.trim().to_owned() }),
            None => Err("/to needs a number and a text".to_owned()),
        },
        "on" | "empty" => switch(Switch::On),
        "off" => switch(Switch::Off),
        "full" => switch(Switch::Full),
        "mute" => switch(Switch::Mute),
        "plain" => switch(Switch::Plain),
        "sms" => switch(Switch::Sms),
        "why" => Ok(Typed::Why((!rest.is_empty()).then(|| rest.to_owned()))),
        "list" => Ok(Typed::List),
        "hops" => Ok(Typed::Hops),
        "help" | "?" => Ok(Typed::Help),
        "quit" | "exit" | "q" => Ok(Typed::Quit),
        _ => Err(format!("there is no /{name}; /help says what there is")),
    }
}

fn who(command: &str, name: &str) -> Result<usize, String> {
    let [one, other] = SUBSCRIBERS.map(|who| who.name);
    match name {
        "" => Err(format!("/{command} needs a handset: {one} or {other}")),
        name => find(name).ok_or_else(|| format!("there is no {name}: the handsets are {one} and {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::people::{ALICE, BOB};
    use super::*;

    #[test]
    fn a_line_is_a_text_unless_it_begins_with_a_slash() {
        let text = |text: &str| Ok(Typed::Send { to: None, text: text.to_owned() });
        assert_eq!(parse("  hello bob "), text("hello bob"));
        assert_eq!(parse("1/2"), text("1/2"));
        assert_eq!(parse("   "), Ok(Typed::Nothing));
        let to = Typed::Send { to: Some("+4477".to_owned()), text: "a b".to_owned() };
        assert_eq!(parse("/to +4477  a b"), Ok(to));
    }

    #[test]
    fn commands_name_a_handset_by_name_or_number() {
        assert_eq!(parse("/as Bob"), Ok(Typed::As(BOB)));
        assert_eq!(parse("/off +15550001"), Ok(Typed::Switch(ALICE, Switch::Off)));
        assert_eq!(parse("/empty bob"), Ok(Typed::Switch(BOB, Switch::On)));
        assert_eq!(parse("/why"), Ok(Typed::Why(None)));
        assert_eq!(parse("/why 1f2e"), Ok(Typed::Why(Some("1f2e".to_owned()))));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let wrong = ["/off", "/off carol", "/bob", "/to +44"].map(|line| parse(line).unwrap_err());
        assert_eq!(
            wrong,
            [
                "/off needs a handset: alice or bob",
                "there is no carol: the handsets are alice and bob",
                "there is no /bob; /help says what there is",
                "/to needs a number and a text",
            ]
        );
    }
}
