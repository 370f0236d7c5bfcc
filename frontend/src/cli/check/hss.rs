//! What the HSS has to know: initial filter criteria (TS 29.228 annex B, TS 24.341 §5.3.2) and the PSI.

use smsc_config::Config;
use smsc_proto::sip::Transport;

use crate::engine::{ReportUri, Settings};

/// What is handed to the HSS team.
pub(super) struct Provisioning {
    /// The application server's URI.
    pub(super) server: String,
    /// The public service identity reports are sent to.
    pub(super) psi: String,
    wildcard: bool,
}

impl Provisioning {
    pub(super) fn of(config: &Config, settings: &Settings) -> Self {
        let (sent_by, parameter) = match (settings.reached_by, &settings.sent_by_tls) {
            (Some(Transport::Tls), Some(sent_by)) => (sent_by, ";transport=tls"),
            (Some(Transport::Tcp), _) => (&settings.sent_by, ";transport=tcp"),
            _ => (&settings.sent_by, ""),
        };
        let port = sent_by.rsplit_once(':').map_or("5060", |(_, port)| port);
        let (psi, wildcard) = match &settings.report_uri {
            ReportUri::Fixed(uri) => (uri.clone(), false),
            ReportUri::Pod(uri) => match uri.rsplit_once('@') {
                Some((_, host)) => (format!("sip:smsc-!.*!@{host}"), true),
                None => (uri.clone(), false),
            },
            ReportUri::Message(host) => (format!("sip:!.*!@{host}"), true),
        };
        Self { server: format!("sip:{}:{port}{parameter}", config.location), psi, wildcard }
    }

    /// The criteria of the service profile, as the Sh and Cx interfaces write them.
    pub(super) fn initial_filter_criteria(&self) -> String {
        let server = escaped(&self.server);
        format!(
            "\
<InitialFilterCriteria>
  <Priority>10</Priority>
  <TriggerPoint>
    <ConditionTypeCNF>1</ConditionTypeCNF>
    <SPT><ConditionNegated>0</ConditionNegated><Group>0</Group><Method>REGISTER</Method></SPT>
  </TriggerPoint>
  <ApplicationServer>
    <ServerName>{server}</ServerName>
    <DefaultHandling>0</DefaultHandling>
    <ServiceInfo>MSISDN</ServiceInfo>
    <Extension><IncludeRegisterRequest/><IncludeRegisterResponse/></Extension>
  </ApplicationServer>
</InitialFilterCriteria>
<InitialFilterCriteria>
  <Priority>20</Priority>
  <TriggerPoint>
    <ConditionTypeCNF>1</ConditionTypeCNF>
    <SPT><ConditionNegated>0</ConditionNegated><Group>0</Group><Method>MESSAGE</Method></SPT>
    <SPT><ConditionNegated>0</ConditionNegated><Group>1</Group><SessionCase>0</SessionCase></SPT>
    <SPT><ConditionNegated>0</ConditionNegated><Group>2</Group><SIPHeader><Header>Content-Type</Header>\
<Content>application/vnd\\.3gpp\\.sms</Content></SIPHeader></SPT>
  </TriggerPoint>
  <ApplicationServer>
    <ServerName>{server}</ServerName>
    <DefaultHandling>0</DefaultHandling>
  </ApplicationServer>
</InitialFilterCriteria>
"
        )
    }

    /// The criteria, the PSI and what goes with them, for people.
    pub(super) fn text(&self) -> String {
        let Self { server, psi, wildcard } = self;
        let kind = if *wildcard { "Wildcarded PSI (TS 23.003 §13.5)" } else { "PSI (TS 23.003 §13.5)" };
        format!(
            "\
Application server  {server}
                    (any name or address that leads to every pod will do)
{kind}: {psi}, served by that application server. Handsets send their delivery reports to it.

Service profile of every subscriber; put the subscriber's digits for MSISDN:

{}
For handsets that send text/plain, leave out the condition on Content-Type.
No terminating criterion may match MESSAGE requests from this application server: it would send our own requests \
back to us (answered 482).
",
            self.initial_filter_criteria()
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
