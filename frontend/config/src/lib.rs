//! The frontend's config.yaml: types, defaults, checks.
//!
//! Four keys are enough:
//!
//! ```
//! let text = "
//! api_base_url: https://10.5.198.200:8443
//! location: smsc01.mnc001.mcc001.3gppnetwork.org
//! s_cscf_sip_uri: sip:127.0.0.2:5060     # optional
//! ims_domain: ims.mnc001.mcc001.3gppnetwork.org
//! ";
//! let config = smsc_config::Config::parse(text, "config.yaml")?;
//! assert_eq!(config.timers.tr1n, std::time::Duration::from_secs(45));
//! # Ok::<(), smsc_config::Problems>(())
//! ```
//!
//! Everything else has a default: the fields of [`Config`] and its sections are the keys, and their documentation is the
//! documentation of the file. Durations are written `500ms`, `2s`, `1h30m`, `3d`; secrets are paths of files. A section
//! that is there but empty has its defaults.
//!
//! A file that is wrong is refused with every mistake at once, each with line, column, key and reason:
//!
//! ```
//! # use smsc_config::Config;
//! let text = "location: smsc01\npolling: {intervl: 2s, batch: 0}\n";
//! let problems = Config::parse(text, "config.yaml").unwrap_err();
//! assert_eq!(
//!     problems.to_string(),
//!     "config.yaml: ims_domain: is missing; a fully qualified name such as smsc01.mnc001.mcc001.3gppnetwork.org\n\
//!      config.yaml:1:1: location: `smsc01` is not fully qualified; a name such as smsc01.example.org is needed\n\
//!      config.yaml:2:11: polling.intervl: unknown key `intervl` in `polling`; did you mean `interval`?\n\
//!      config.yaml:2:24: polling.batch: 0 is out of range: 1 to 10000"
//! );
//! ```
//!
//! The operator writes the same types with [`Config::to_yaml`], which leaves out what has its default, so that frontends
//! of the version before understand the file as long as no newer key is used. Key names are API: once released they stay.
//!
//! Only types and pure checks live here: no network, no runtime, and the one file read is [`Config::load`]'s.

#![forbid(unsafe_code)]

mod aliases;
mod check;
mod config;
mod duration;
mod keys;
mod load;
mod locate;
mod names;
mod network;
mod problem;
mod reload;
mod sections;
mod sip_tls;
mod surroundings;
mod values;

pub use check::Purpose;
pub use config::Config;
pub use duration::{format_duration, parse_duration};
pub use names::{host_ordinal, pod_location};
pub use network::Network;
pub use problem::{Position, Problem, Problems};
pub use reload::Changes;
pub use sections::{
    Advertise, AssertedIdentity, DeliveredOn, Duplicates, Language, Limits, Mt, Polling, RegEvent,
    RequestUri, Sip, Timers,
};
pub use sip_tls::{SipTls, VerifyPeers};
pub use surroundings::{Admin, Dns, Endpoints, Log, LogFormat, Numbering, Relay, Retry, Route, Store, Tls};
pub use values::{AdvertiseAddress, ApiBaseUrl, Listen, ReportUri, Transport};
