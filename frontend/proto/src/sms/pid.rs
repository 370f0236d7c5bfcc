//! TP-PID, the protocol identifier (TS 23.040 §9.2.3.9): the values that change what is done with a message.

use super::dcs::Dcs;

/// Short message type 0: acknowledged by the handset and shown to nobody.
pub const TYPE_0: u8 = 0x40;
/// (U)SIM data download; see [`is_sim_download`].
pub const SIM_DOWNLOAD: u8 = 0x7f;

/// Returns the number, 1 to 7, of a replace-short-message type.
///
/// A message of such a type takes the place of one that is held with the same type and the same addresses, at the
/// service centre as in the handset.
#[must_use]
pub fn replace_type(pid: u8) -> Option<u8> {
    matches!(pid, 0x41..=0x47).then_some(pid & 0x07)
}

/// Returns whether the handset hands the message on to its (U)SIM: data download of message class 2.
///
/// The answer of the (U)SIM comes back in TP-UD of the SMS-DELIVER-REPORT, with the same TP-PID.
#[must_use]
pub fn is_sim_download(pid: u8, dcs: Dcs) -> bool {
    pid == SIM_DOWNLOAD && dcs.class() == Some(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seven_types_replace() {
        let types: Vec<u8> = (0..=255).filter_map(replace_type).collect();
        assert_eq!(types, [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!((replace_type(TYPE_0), replace_type(0x43)), (None, Some(3)));
    }

    #[test]
    fn a_download_is_for_the_sim_by_its_class() {
        for (dcs, expected) in [(0xf6, true), (0x16, true), (0x12, true), (0xf5, false), (0x04, false)] {
            assert_eq!(is_sim_download(SIM_DOWNLOAD, Dcs(dcs)), expected, "{dcs:02x}");
        }
        assert!(!is_sim_download(0, Dcs(0xf6)));
    }
}
