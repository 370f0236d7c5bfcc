//! Every field of both layers: its name and the clause that defines it.

use super::reader::Field;

pub(crate) const RP_MTI: Field = Field::new("RP-MTI", "TS 24.011 §8.2.2");
pub(crate) const RP_MR: Field = Field::new("RP-MR", "TS 24.011 §8.2.3");
pub(crate) const RP_OA: Field = Field::new("RP-OA", "TS 24.011 §8.2.5.1");
pub(crate) const RP_DA: Field = Field::new("RP-DA", "TS 24.011 §8.2.5.2");
pub(crate) const RP_UD: Field = Field::new("RP-User Data", "TS 24.011 §8.2.5.3");
pub(crate) const RP_CAUSE: Field = Field::new("RP-Cause", "TS 24.011 §8.2.5.4");
pub(crate) const RP_ELEMENT: Field = Field::new("information element", "TS 24.011 §9.3");

/// The service centre's address in front of a TPDU that a modem takes or gives.
pub(crate) const SC_ADDRESS: Field = Field::new("SC address", "TS 27.005 §3.1");

pub(crate) const TP_MTI: Field = Field::new("TP-MTI", "TS 23.040 §9.2.3.1");
pub(crate) const TP_MR: Field = Field::new("TP-MR", "TS 23.040 §9.2.3.6");
pub(crate) const TP_OA: Field = Field::new("TP-OA", "TS 23.040 §9.2.3.7");
pub(crate) const TP_DA: Field = Field::new("TP-DA", "TS 23.040 §9.2.3.8");
pub(crate) const TP_PID: Field = Field::new("TP-PID", "TS 23.040 §9.2.3.9");
pub(crate) const TP_DCS: Field = Field::new("TP-DCS", "TS 23.040 §9.2.3.10");
pub(crate) const TP_SCTS: Field = Field::new("TP-SCTS", "TS 23.040 §9.2.3.11");
pub(crate) const TP_VP: Field = Field::new("TP-VP", "TS 23.040 §9.2.3.12");
pub(crate) const TP_DT: Field = Field::new("TP-DT", "TS 23.040 §9.2.3.13");
pub(crate) const TP_RA: Field = Field::new("TP-RA", "TS 23.040 §9.2.3.14");
pub(crate) const TP_ST: Field = Field::new("TP-ST", "TS 23.040 §9.2.3.15");
pub(crate) const TP_UDL: Field = Field::new("TP-UDL", "TS 23.040 §9.2.3.16");
pub(crate) const TP_MN: Field = Field::new("TP-MN", "TS 23.040 §9.2.3.18");
pub(crate) const TP_CT: Field = Field::new("TP-CT", "TS 23.040 §9.2.3.19");
pub(crate) const TP_CDL: Field = Field::new("TP-CDL", "TS 23.040 §9.2.3.20");
pub(crate) const TP_CD: Field = Field::new("TP-CD", "TS 23.040 §9.2.3.21");
pub(crate) const TP_FCS: Field = Field::new("TP-FCS", "TS 23.040 §9.2.3.22");
pub(crate) const TP_UD: Field = Field::new("TP-UD", "TS 23.040 §9.2.3.24");
pub(crate) const TP_PI: Field = Field::new("TP-PI", "TS 23.040 §9.2.3.27");
