//! Headers that mean more than their text, read when asked for: one small type for each shape, nothing copied.

mod charging;
mod served_user;
mod valued;
mod warning;

pub use charging::{ChargingFunctionAddresses, ChargingVector};
pub use served_user::{ServedUser, SessionCase};
pub use valued::Valued;
pub use warning::{Warning, unescaped};

use super::content_type::ContentType;
use super::error::{HeaderError, Problem};
use super::header::Header;
use super::message::Message;
use super::name_addr::NameAddr;
use super::octets::is_token;

impl Message {
    /// Event: the package, as `reg`, and its parameters, as `id` (RFC 6665 §8.2.1).
    ///
    /// # Errors
    /// [`HeaderError`] if it is absent or cannot be read.
    pub fn event(&self) -> Result<Valued<'_>, HeaderError> {
        self.single(Header::Event, Valued::parse)
    }

    /// Subscription-State: `active`, `pending` or `terminated`, with `reason`, `expires` and `retry-after`
    /// (RFC 6665 §8.2.3).
    ///
    /// # Errors
    /// [`HeaderError`] if it is absent or cannot be read.
    pub fn subscription_state(&self) -> Result<Valued<'_>, HeaderError> {
        self.single(Header::SubscriptionState, Valued::parse)
    }

    /// Every Reason: a protocol, as `SIP` or `Q.850`, with `cause` and `text` (RFC 3326 §2).
    pub fn reasons(&self) -> impl Iterator<Item = Result<Valued<'_>, HeaderError>> {
        self.list(Header::Reason, Valued::parse)
    }

    /// Every Warning (RFC 3261 §20.43).
    pub fn warnings(&self) -> impl Iterator<Item = Result<Warning<'_>, HeaderError>> {
        self.list(Header::Warning, Warning::parse)
    }

    /// Every media range of Accept, `*/*` and `text/*` too, with `q` (RFC 3261 §20.1). An Accept without any means that
    /// no body is taken; no Accept at all means application/sdp.
    pub fn accepts(&self) -> impl Iterator<Item = Result<ContentType<'_>, HeaderError>> {
        self.list(Header::Accept, |value| ContentType::parse(value).ok_or(Problem::NotAToken))
    }

    /// Every Accept-Contact: the value is `*`, the parameters are the features looked for, `require` and `explicit`
    /// (RFC 3841 §9.2).
    pub fn accept_contacts(&self) -> impl Iterator<Item = Result<Valued<'_>, HeaderError>> {
        self.list(Header::AcceptContact, Valued::parse)
    }

    /// Every Feature-Caps: the value is `*`, the parameters are the capabilities (RFC 6809 §6.3).
    pub fn feature_caps(&self) -> impl Iterator<Item = Result<Valued<'_>, HeaderError>> {
        self.list(Header::FeatureCaps, Valued::parse)
    }

    /// Every directive of Request-Disposition, as `no-fork` (RFC 3841 §9.1).
    pub fn request_dispositions(&self) -> impl Iterator<Item = Result<&str, HeaderError>> {
        self.list(Header::RequestDisposition, token)
    }

    /// Content-Disposition: what the body is for, with `handling` (RFC 3261 §20.11). Where there is none, `handling` is
    /// `required`.
    ///
    /// # Errors
    /// [`HeaderError`] if it is absent or cannot be read.
    pub fn content_disposition(&self) -> Result<Valued<'_>, HeaderError> {
        self.single(Header::ContentDisposition, Valued::parse)
    }

    /// Every coding of Content-Encoding, in the order they were applied (RFC 3261 §20.12).
    pub fn content_encodings(&self) -> impl Iterator<Item = Result<&str, HeaderError>> {
        self.list(Header::ContentEncoding, token)
    }

    /// Every language of Content-Language (RFC 3261 §20.13).
    pub fn content_languages(&self) -> impl Iterator<Item = Result<&str, HeaderError>> {
        self.list(Header::ContentLanguage, token)
    }

    /// Every Path, the hop nearest to the registrar first (RFC 3327 §4). To an application server it is a fact about a
    /// registration, never a route: a third-party REGISTER's own next hop back is its Contact (TS 24.229 §5.4.1.7).
    pub fn paths(&self) -> impl Iterator<Item = Result<NameAddr<'_>, HeaderError>> {
        self.list(Header::Path, NameAddr::parse)
    }

    /// Every Service-Route of a 2xx to REGISTER, in the order a handset puts them into Route (RFC 3608 §5).
    pub fn service_routes(&self) -> impl Iterator<Item = Result<NameAddr<'_>, HeaderError>> {
        self.list(Header::ServiceRoute, NameAddr::parse)
    }

    /// Every P-Associated-URI (RFC 7315 §4.1): the implicit registration set, the default identity first.
    pub fn p_associated_uris(&self) -> impl Iterator<Item = Result<NameAddr<'_>, HeaderError>> {
        self.list(Header::PAssociatedUri, NameAddr::parse)
    }

    /// P-Called-Party-ID: the identity a request was for before it was retargeted (RFC 7315 §4.2).
    ///
    /// # Errors
    /// [`HeaderError`] if it is absent or cannot be read.
    pub fn p_called_party_id(&self) -> Result<NameAddr<'_>, HeaderError> {
        self.single(Header::PCalledPartyId, NameAddr::parse)
    }

    /// P-Served-User (RFC 5502 §4).
    ///
    /// # Errors
    /// [`HeaderError`] if it is absent or cannot be read.
    pub fn p_served_user(&self) -> Result<ServedUser<'_>, HeaderError> {
        self.single(Header::PServedUser, ServedUser::parse)
    }

    /// Every P-Visited-Network-ID: a token or a quoted name (RFC 7315 §4.3).
    pub fn p_visited_network_ids(&self) -> impl Iterator<Item = Result<Valued<'_>, HeaderError>> {
        self.list(Header::PVisitedNetworkId, Valued::parse)
    }

    /// Every P-Access-Network-Info: the access, as `3GPP-E-UTRAN-FDD`, and what is known of it (RFC 7315 §4.4).
    pub fn p_access_network_infos(&self) -> impl Iterator<Item = Result<Valued<'_>, HeaderError>> {
        self.list(Header::PAccessNetworkInfo, Valued::parse)
    }

    /// P-Charging-Vector (RFC 7315 §4.6).
    ///
    /// # Errors
    /// [`HeaderError`] if it is absent or has no icid-value.
    pub fn p_charging_vector(&self) -> Result<ChargingVector<'_>, HeaderError> {
        self.single(Header::PChargingVector, ChargingVector::parse)
    }

    /// P-Charging-Function-Addresses (RFC 7315 §4.5).
    ///
    /// # Errors
    /// [`HeaderError`] if it is absent or cannot be read.
    pub fn p_charging_function_addresses(&self) -> Result<ChargingFunctionAddresses<'_>, HeaderError> {
        self.single(Header::PChargingFunctionAddresses, ChargingFunctionAddresses::parse)
    }
}

fn token(value: &str) -> Result<&str, Problem> {
    match value {
        "" => Err(Problem::Empty),
        value if value.bytes().all(is_token) => Ok(value),
        _ => Err(Problem::NotAToken),
    }
}

#[cfg(test)]
mod tests;
