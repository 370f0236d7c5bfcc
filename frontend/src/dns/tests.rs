//! RFC 3263 §4 over a zone in memory.

use std::collections::HashMap;

use super::*;

/// Records by name; what is not there is definitely not there, `silent` names are not answered.
#[derive(Default)]
struct Zone {
    naptr: HashMap<&'static str, Vec<Naptr>>,
    srv: HashMap<&'static str, Vec<Srv>>,
    addresses: HashMap<&'static str, Vec<&'static str>>,
    silent: &'static [&'static str],
}

const LIFE: Duration = Duration::from_secs(300);
const NONE: Duration = Duration::from_secs(100);

impl Zone {
    fn answer<T: Clone>(&self, name: &str, records: Option<&Vec<T>>) -> Result<Answer<T>, String> {
        if self.silent.contains(&name) {
            return Err(format!("no answer for {name}"));
        }
        let records = records.cloned().unwrap_or_default();
        let life = if records.is_empty() { NONE } else { LIFE };
        Ok(Answer { records, life })
    }
}

impl Records for Zone {
    async fn naptr(&self, name: &str) -> Result<Answer<Naptr>, String> {
        self.answer(name, self.naptr.get(name))
    }

    async fn srv(&self, name: &str) -> Result<Answer<Srv>, String> {
        self.answer(name, self.srv.get(name))
    }

    async fn addresses(&self, host: &str) -> Result<Answer<IpAddr>, String> {
        let Answer { records, life } = self.answer(host, self.addresses.get(host))?;
        Ok(Answer { records: records.iter().map(|text| text.parse().unwrap()).collect(), life })
    }
}

fn naptr(order: u16, service: &str, replacement: &str) -> Naptr {
    Naptr {
        order,
        preference: 50,
        flags: "s".to_owned(),
        service: service.to_owned(),
        regexp: String::new(),
        replacement: replacement.to_owned(),
    }
}

fn srv(priority: u16, weight: u16, port: u16, target: &str) -> Srv {
    Srv { priority, weight, port, target: target.to_owned() }
}

fn zone() -> Zone {
    Zone {
        naptr: HashMap::from([(
            "ims",
            vec![
                naptr(30, "SIP+D2T", "_sip._tcp.ims."),
                naptr(10, "SIPS+D2T", "_sips._tcp.ims."),
                naptr(20, "sip+d2u", "_sip._udp.ims."),
                naptr(5, "E2U+sip", "elsewhere."),
                Naptr { flags: "u".to_owned(), ..naptr(1, "SIP+D2U", "by-regexp.") },
            ],
        )]),
        srv: HashMap::from([
            ("_sip._udp.ims.", vec![srv(20, 0, 5062, "b."), srv(10, 60, 5061, "a."), srv(1, 1, 1, "gone.")]),
            ("_sip._tcp.ims.", vec![srv(0, 0, 5064, "b.")]),
            ("_sip._udp.probed", vec![srv(1, 0, 5065, "a.")]),
            ("_sip._tcp.probed", vec![srv(1, 0, 5066, "a.")]),
            ("_sip._udp.refused", vec![srv(0, 0, 0, ".")]),
            ("_sips._tcp.ims.", vec![srv(0, 0, 5067, "b.")]),
            ("_sips._tcp.probed", vec![srv(0, 0, 5068, "b.")]),
        ]),
        addresses: HashMap::from([
            ("a.", vec!["2001:db8::a", "192.0.2.1"]),
            ("b.", vec!["192.0.2.2"]),
            ("ims", vec!["192.0.2.3"]),
            ("plain", vec!["192.0.2.4", "192.0.2.5"]),
            ("refused", vec!["192.0.2.6"]),
        ]),
        silent: &[],
    }
}

fn server(name: &str, rank: u32, weight: u16, transport: Option<Transport>, targets: &[&str]) -> Server {
    let targets = targets.iter().map(|addr| Target::new(transport, addr.parse().unwrap())).collect();
    Server { name: name.to_owned(), rank, weight, targets }
}

async fn ask(zone: &Zone, host: &str, port: Option<u16>, transport: Option<Transport>) -> Resolved {
    locate(zone, &Question { host: host.to_owned(), port, transport }, false).await
}

const UDP: Option<Transport> = Some(Transport::Udp);
const TCP: Option<Transport> = Some(Transport::Tcp);
const TLS: Option<Transport> = Some(Transport::Tls);

#[tokio::test]
async fn an_address_is_taken_as_it_is() {
    for (host, port, transport, expected) in [
        ("192.0.2.9", None, None, "192.0.2.9:5060"),
        ("192.0.2.9", Some(5070), TCP, "192.0.2.9:5070"),
        ("2001:db8::9", None, UDP, "[2001:db8::9]:5060"),
    ] {
        let target = Target::new(transport, expected.parse().unwrap());
        assert_eq!(ask(&zone(), host, port, transport).await, Ok(Found::numeric(host, target)));
    }
}

#[tokio::test]
async fn naptr_leads_to_srv_and_srv_to_addresses_in_the_order_the_domain_wants() {
    let found = ask(&zone(), "ims", None, None).await.unwrap();
    assert_eq!(
        found,
        Found {
            servers: vec![
                server("a", 10, 60, UDP, &["[2001:db8::a]:5061", "192.0.2.1:5061"]),
                server("b", 20, 0, UDP, &["192.0.2.2:5062"]),
                server("b", 1 << 16, 0, TCP, &["192.0.2.2:5064"]),
            ],
            // The shortest of all answers: that `gone` has no address.
            life: NONE,
            ignored: vec!["SIPS+D2T".to_owned()],
        }
    );
}

#[tokio::test]
async fn a_port_asks_for_addresses_only_and_a_transport_for_its_srv_records_only() {
    let plain = |port: u16, transport| {
        let targets = [format!("192.0.2.4:{port}"), format!("192.0.2.5:{port}")];
        vec![server("plain", 0, 0, transport, &targets.each_ref().map(String::as_str))]
    };
    let servers = |resolved: Resolved| resolved.unwrap().servers;
    assert_eq!(servers(ask(&zone(), "plain", Some(5070), None).await), plain(5070, None));
    assert_eq!(servers(ask(&zone(), "plain", Some(5070), TCP).await), plain(5070, TCP));
    assert_eq!(servers(ask(&zone(), "plain", None, TCP).await), plain(5060, TCP));
    assert_eq!(servers(ask(&zone(), "plain", None, None).await), plain(5060, None));
    assert_eq!(
        servers(ask(&zone(), "probed", None, TCP).await),
        [server("a", 1, 0, TCP, &["[2001:db8::a]:5066", "192.0.2.1:5066"])]
    );
    assert_eq!(
        ask(&zone(), "ims", Some(5070), None).await.unwrap().servers,
        [server("ims", 0, 0, None, &["192.0.2.3:5070"])]
    );
}

#[tokio::test]
async fn without_naptr_both_transports_are_probed_and_udp_comes_first() {
    assert_eq!(
        ask(&zone(), "probed", None, None).await.unwrap().servers,
        [
            server("a", 1, 0, UDP, &["[2001:db8::a]:5065", "192.0.2.1:5065"]),
            server("a", 1 << 16 | 1, 0, TCP, &["[2001:db8::a]:5066", "192.0.2.1:5066"]),
        ]
    );
}

#[tokio::test]
async fn a_service_that_is_decidedly_not_there_is_not_looked_for_at_the_host_itself() {
    let nowhere = NotFound { why: "refused has no address".to_owned(), life: LIFE, definite: true };
    assert_eq!(ask(&zone(), "refused", None, UDP).await, Err(nowhere));
}

#[tokio::test]
async fn a_name_that_leads_nowhere_says_so_for_as_long_as_dns_says() {
    let nowhere = NotFound { why: "nowhere has no address".to_owned(), life: NONE, definite: true };
    assert_eq!(ask(&zone(), "nowhere", None, None).await, Err(nowhere));
    let only_tls = Zone {
        naptr: HashMap::from([("tls", vec![naptr(1, "SIPS+D2T", "_sips._tcp.tls.")])]),
        ..Zone::default()
    };
    let why = "tls has no address; not spoken here: SIPS+D2T".to_owned();
    assert_eq!(ask(&only_tls, "tls", None, None).await, Err(NotFound { why, life: NONE, definite: true }));
}

#[tokio::test]
async fn an_unanswered_question_is_passed_over_and_asked_again_soon() {
    let zone = Zone { silent: &["ims", "_sip._tcp.probed", "a.", "mute"], ..zone() };
    assert_eq!(ask(&zone, "plain", None, None).await.unwrap().life, NONE, "all questions were answered");
    let probed = ask(&zone, "probed", None, None).await;
    let why = "no answer for _sip._tcp.probed".to_owned();
    assert_eq!(probed, Err(NotFound { why, life: SILENT, definite: false }));
    let zone = Zone { silent: &["_sip._tcp.probed"], ..self::zone() };
    let probed = ask(&zone, "probed", None, None).await.unwrap();
    assert_eq!((probed.servers.len(), probed.life), (1, UNSURE));
}

/// The same over TLS, for the holder of the name that was asked for.
fn secured(asked: &str, server: Server) -> Server {
    let named = |target| Target { name: Some(asked.into()), ..target };
    Server { targets: server.targets.into_iter().map(named).collect(), ..server }
}

#[tokio::test]
async fn what_asks_for_tls_gets_tls_or_nothing_and_the_name_asked_for_is_the_one_to_be_verified() {
    let servers = async |host, port| ask(&zone(), host, port, TLS).await.unwrap().servers;
    let b = |port: u16| server("b", 0, 0, TLS, &[&format!("192.0.2.2:{port}")]);
    assert_eq!(servers("ims", None).await, [secured("ims", b(5067))], "NAPTR SIPS+D2T and no other");
    assert_eq!(servers("probed", None).await, [secured("probed", b(5068))], "SRV _sips._tcp and no other");
    let plain = |port: u16| {
        let targets = [format!("192.0.2.4:{port}"), format!("192.0.2.5:{port}")];
        [secured("plain", server("plain", 0, 0, TLS, &targets.each_ref().map(String::as_str)))]
    };
    assert_eq!(servers("plain", None).await, plain(5061));
    assert_eq!(servers("plain", Some(5070)).await, plain(5070));
    let address =
        Target { name: Some("192.0.2.9".into()), ..Target::new(TLS, "192.0.2.9:5061".parse().unwrap()) };
    assert_eq!(ask(&zone(), "192.0.2.9", None, TLS).await, Ok(Found::numeric("192.0.2.9", address)));
}

#[tokio::test]
async fn where_tls_is_spoken_naptr_may_lead_to_it_in_the_order_the_domain_wants() {
    let question = Question { host: "ims".to_owned(), port: None, transport: None };
    let found = locate(&zone(), &question, true).await.unwrap();
    let transports: Vec<_> =
        found.servers.iter().map(|server| (server.rank >> 16, server.targets[0].transport)).collect();
    assert_eq!(transports, [(0, TLS), (1, UDP), (1, UDP), (2, TCP)]);
    assert_eq!((&found.servers[0].targets[0].name, found.ignored), (&Some("ims".into()), vec![]));
}
