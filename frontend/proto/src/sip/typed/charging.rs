//! What charging is correlated by (RFC 7315 §4.5, §4.6).

use super::super::error::Problem;
use super::super::list::find_outside;
use super::super::name_addr::quotes_close;
use super::super::params::Params;

/// P-Charging-Vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChargingVector<'a> {
    icid: &'a str,
    params: Params<'a>,
}

impl<'a> ChargingVector<'a> {
    /// Reads a value. It is no list; should one have been made of it, its first element counts.
    pub fn parse(value: &'a str) -> Result<ChargingVector<'a>, Problem> {
        let params = parameters(value)?;
        let icid = params.value("icid-value").filter(|icid| !icid.is_empty()).ok_or(Problem::Missing)?;
        Ok(ChargingVector { icid, params })
    }

    /// icid-value: the IMS charging identifier, which is the same in all networks a request passes.
    pub fn icid(&self) -> &'a str {
        self.icid
    }

    /// icid-generated-at: the host that made it.
    pub fn generated_at(&self) -> Option<&'a str> {
        self.params.value("icid-generated-at")
    }

    /// orig-ioi: the network a request comes from.
    pub fn orig_ioi(&self) -> Option<&'a str> {
        self.params.value("orig-ioi")
    }

    /// term-ioi: the network it went to; in responses.
    pub fn term_ioi(&self) -> Option<&'a str> {
        self.params.value("term-ioi")
    }

    /// Every parameter, icid-value too.
    pub fn params(&self) -> Params<'a> {
        self.params
    }
}

/// P-Charging-Function-Addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChargingFunctionAddresses<'a> {
    params: Params<'a>,
}

impl<'a> ChargingFunctionAddresses<'a> {
    /// Reads a value.
    pub fn parse(value: &'a str) -> Result<ChargingFunctionAddresses<'a>, Problem> {
        let params = parameters(value)?;
        if params.is_empty() { Err(Problem::Empty) } else { Ok(ChargingFunctionAddresses { params }) }
    }

    /// ccf: charging collection functions (offline charging), the first to be used first.
    pub fn ccf(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.named("ccf")
    }

    /// ecf: event charging functions (online charging), the first to be used first.
    pub fn ecf(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.named("ecf")
    }

    fn named(&self, name: &'static str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.params
            .iter()
            .filter(move |(found, _)| found.eq_ignore_ascii_case(name))
            .filter_map(|(_, value)| value)
    }
}

fn parameters(value: &str) -> Result<Params<'_>, Problem> {
    let first = &value[..find_outside(value.as_bytes(), b',').unwrap_or(value.len())];
    quotes_close(first)?;
    Ok(Params::new(first))
}
