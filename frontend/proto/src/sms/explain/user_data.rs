//! TP-DCS, TP-UDL, the header and what stands behind it.

use super::walk::{Walk, hex, owned};
use crate::sms::dcs::{Alphabet, Dcs};
use crate::sms::fields::{TP_DCS, TP_UD, TP_UDL};
use crate::sms::gsm7::Shift;
use crate::sms::names;
use crate::sms::udh::{Element, Elements, Indication};
use crate::sms::user_data::UserData;

impl<'a> Walk<'a> {
    pub(super) fn dcs(&mut self) -> Option<Dcs> {
        self.hex_octet(TP_DCS, |dcs| Some(scheme(Dcs(dcs)))).map(Dcs)
    }

    /// TP-UDL and TP-UD.
    pub(super) fn user_data_field(&mut self, dcs: Dcs, header: bool, max: usize) -> Option<()> {
        let start = self.reader.at();
        let data = UserData::decode(dcs, header, max, &mut self.reader);
        let data = self.check(data)?;
        let unit = if dcs.counts_septets() { "septets" } else { "octets" };
        self.field(start, TP_UDL.name, data.length.to_string(), owned(unit));
        self.end_field_at(start + 1);
        if data.octets.is_empty() {
            return Some(());
        }
        self.nested(data.octets, |inner| {
            inner.group(TP_UD.name, "", |inner| {
                if let Some(udh) = data.udh() {
                    inner.header(udh)?;
                }
                inner.content(&data)
            })
        });
        Some(())
    }

    fn header(&mut self, udh: &[u8]) -> Option<()> {
        self.group("TP-UDH", format!("{} octets", udh.len() + 1), |walk| {
            walk.octet(TP_UD, |_| None)?;
            walk.rename("TP-UDHL");
            if !Elements::new(udh).are_sound() {
                let start = walk.reader.at();
                let octets = walk.reader.take(udh.len(), TP_UD);
                let octets = walk.check(octets)?;
                walk.field(
                    start,
                    "elements",
                    hex(octets),
                    owned("do not fill the header, ignored (§9.2.3.24)"),
                );
                return Some(());
            }
            for element in Elements::new(udh) {
                let start = walk.reader.at();
                let octets = walk.reader.take(2 + element.data.len(), TP_UD);
                walk.check(octets)?;
                let name = names::element(element.id).unwrap_or("unknown element, kept");
                walk.field(start, &format!("IE {:02x}", element.id), meaning(element), owned(name));
            }
            Some(())
        })
    }

    /// Text or data behind the header.
    fn content(&mut self, data: &UserData<'_>) -> Option<()> {
        let start = self.reader.at();
        let rest = self.reader.left();
        let octets = self.reader.take(rest, TP_UD);
        let octets = self.check(octets)?;
        match data.text() {
            Ok(text) => {
                let septets = data.septets().count();
                let note = match data.alphabet() {
                    Alphabet::Gsm7 => format!("{septets} septets{}", tables(data.shift())),
                    _ => format!("{} code units", octets.len() / 2),
                };
                self.field(start, "text", text, Some(note));
            }
            Err(_) if octets.is_empty() => {}
            Err(error) => self.field(start, "data", hex(octets), Some(error.kind.to_string())),
        }
        Some(())
    }
}

/// The national tables that the text is read with.
fn tables(shift: Shift) -> String {
    let kinds = [(shift.locking, "locking shift"), (shift.single, "single shift")];
    let named =
        kinds.into_iter().filter_map(|(language, kind)| Some(format!(", {} {kind}", language?.name())));
    named.collect()
}

fn meaning(element: Element<'_>) -> String {
    if let Some(language) = element.language() {
        return language.name().to_owned();
    }
    if let Some(part) = element.concatenation() {
        return format!("reference {}, part {} of {}", part.reference, part.sequence, part.total);
    }
    if let Some(ports) = element.ports() {
        return format!("to port {}, from port {}", ports.destination, ports.source);
    }
    if let Some(Indication { store, kind, count, .. }) = element.indication() {
        let kind = ["voicemail", "fax", "e-mail", "other"].get(usize::from(kind)).unwrap_or(&"extended");
        return format!("{count} {kind} messages wait, {}", if store { "store" } else { "discard" });
    }
    hex(element.data)
}

fn scheme(dcs: Dcs) -> String {
    let mut words = vec![match dcs.alphabet() {
        Alphabet::Gsm7 => "GSM 7-bit".to_owned(),
        Alphabet::EightBit => "8-bit data".to_owned(),
        Alphabet::Ucs2 => "UCS2".to_owned(),
    }];
    if dcs.is_reserved() {
        words.push("reserved coding".to_owned());
    }
    if dcs.compressed() {
        words.push("compressed".to_owned());
    }
    if let Some(class) = dcs.class() {
        let target = ["shown at once", "ME", "(U)SIM", "TE"][usize::from(class & 0x03)];
        words.push(format!("class {class} ({target})"));
    }
    if dcs.automatic_deletion() {
        words.push("deleted once read".to_owned());
    }
    if let Some(waiting) = dcs.message_waiting() {
        let kind = ["voicemail", "fax", "e-mail", "other message"][usize::from(waiting.kind & 0x03)];
        let state = if waiting.active { "waiting" } else { "no longer waiting" };
        let store = if waiting.store { "store" } else { "discard" };
        words.push(format!("{kind} {state}, {store}"));
    }
    words.join(", ")
}
