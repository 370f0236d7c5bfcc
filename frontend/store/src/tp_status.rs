//! TP-Status of the SMS-STATUS-REPORT (TS 23.040 §9.2.3.15).

use smsc_backend::{AttemptReport, Permanent, Reason, Status};

/// "Short message received by the SME".
pub(crate) const RECEIVED: u8 = 0x00;
/// "Remote procedure error".
const REMOTE_PROCEDURE_ERROR: u8 = 0x40;
/// "Incompatible destination".
const INCOMPATIBLE_DESTINATION: u8 = 0x41;
/// "Connection rejected by SME".
const REJECTED_BY_SME: u8 = 0x42;
/// "Not obtainable".
const NOT_OBTAINABLE: u8 = 0x43;
/// "No interworking available".
const NO_INTERWORKING: u8 = 0x45;
/// "SM Validity Period Expired".
pub(crate) const EXPIRED: u8 = 0x46;

/// The TP-Status for a message that this report ends without delivery: permanent errors, no more attempts.
pub(crate) const fn of_failure(report: &AttemptReport) -> u8 {
    match (report.status, report.reason, report.permanent) {
        (Status::Rejected, ..) => REJECTED_BY_SME,
        (Status::Absent, Some(Reason::NoSmsip), _) => INCOMPATIBLE_DESTINATION,
        (Status::Absent | Status::MemoryFull, ..) => NOT_OBTAINABLE,
        (_, _, Permanent::Link) => NO_INTERWORKING,
        _ => REMOTE_PROCEDURE_ERROR,
    }
}
