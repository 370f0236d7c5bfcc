use std::net::SocketAddr;

use smsc_config::{Listen, Purpose};

use super::*;
use crate::environment::CoreHost;

const SEED: &str = "
api_base_url: https://10.5.198.200:8443
location: smsc01.mnc001.mcc001.3gppnetwork.org
s_cscf_sip_uri: sip:127.0.0.2:5060
ims_domain: ims.mnc001.mcc001.3gppnetwork.org
";

fn config(more: &str) -> Config {
    Config::parse_for(&format!("{SEED}{more}"), "config.yaml", Purpose::Run).unwrap()
}

fn environment() -> Environment {
    let host = |key, host: &str, addresses: Result<Vec<IpAddr>, String>| CoreHost {
        key,
        host: host.to_owned(),
        found: Err("not asked".to_owned()),
        addresses,
    };
    let addresses = ["fe80::1", "2001:db8::7", "192.0.2.7"].map(|text| text.parse().unwrap());
    Environment {
        host_name: "smsc-ims-2".to_owned(),
        interfaces: [("lo", IpAddr::from(Ipv4Addr::LOCALHOST))]
            .into_iter()
            .chain(addresses.map(|address| ("net1", address)))
            .map(|(name, address)| (name.to_owned(), address))
            .collect(),
        variable: Some("10.1.2.3".to_owned()),
        outbound: Some("192.0.2.9".parse().unwrap()),
        listening: Vec::new(),
        core: vec![
            host("s_cscf_sip_uri", "127.0.0.2", Ok(vec!["127.0.0.2".parse().unwrap()])),
            host("ims_domain", "ims", Ok(vec!["10.4.0.1".parse().unwrap(), "2001:db8::4".parse().unwrap()])),
            host("ims_domain", "other", Err("no such host".to_owned())),
        ],
    }
}

#[test]
fn the_four_key_file_gives_the_engine_everything_it_needs() {
    let settings = engine_settings(&config(""), &environment()).unwrap();
    let Settings {
        location,
        ims_domain,
        home_network,
        ordinal,
        s_cscf_uri,
        sent_by,
        sent_by_tls,
        speaks_tls,
        reached_by,
        advertised_host,
        trusted,
        report_uri,
        reject_duplicates,
        overload_status,
        sc_address,
        tel_uri,
        delivered_on_2xx,
        capable_by_default,
        languages,
        reg_event,
        polled,
        backend_leases,
        relay,
        keys: _,
        register,
        timers,
        caps,
        narrate,
    } = settings;
    assert_eq!(
        (location.as_str(), ims_domain.as_str(), s_cscf_uri.as_deref()),
        (
            "smsc01.mnc001.mcc001.3gppnetwork.org",
            "ims.mnc001.mcc001.3gppnetwork.org",
            Some("sip:127.0.0.2:5060")
        )
    );
    assert_eq!((home_network, ordinal), (vec!["00101".to_owned(), "001001".to_owned()], 2));
    assert_eq!((sent_by.as_str(), advertised_host.as_str()), ("192.0.2.9:5060", "192.0.2.9"));
    assert_eq!(
        trusted.networks().collect::<Vec<_>>(),
        ["127.0.0.0/8", "::1/128", "127.0.0.2/32", "10.4.0.1/32", "2001:db8::4/128"]
    );
    assert_eq!(report_uri, ReportUri::Fixed("sip:smsc@smsc01.mnc001.mcc001.3gppnetwork.org".to_owned()));
    assert_eq!((reject_duplicates, overload_status, sc_address), (false, 500, Address::EMPTY));
    assert_eq!((tel_uri, delivered_on_2xx, capable_by_default), (false, false, true));
    assert_eq!(polled, ["smsc01.mnc001.mcc001.3gppnetwork.org"]);
    assert_eq!((reg_event, languages), (None, Vec::new()));
    assert_eq!((backend_leases, relay, narrate), (false, false, false));
    assert_eq!((sent_by_tls, speaks_tls, reached_by), (None, false, None));
    assert_eq!(
        serde_json::to_value(&register.configuration).unwrap(),
        serde_json::json!({
            "ims_domain": "ims.mnc001.mcc001.3gppnetwork.org",
            "report_uri": "sip:smsc@smsc01.mnc001.mcc001.3gppnetwork.org",
            "polling_interval_seconds": 2.0,
            "tr1n_seconds": 45,
        })
    );
    assert_eq!(format!("{timers:?}{caps:?}"), format!("{:?}{:?}", Timers::default(), Caps::default()));
}

#[test]
fn every_language_of_the_configuration_is_one_of_the_codec() {
    let all = "mt: {languages: [turkish, spanish, portuguese, bengali, gujarati, hindi, kannada, malayalam, oriya, \
               punjabi, tamil, telugu, urdu]}";
    assert_eq!(engine_settings(&config(all), &environment()).unwrap().languages, Language::ALL);
}

#[test]
fn the_advertised_address_comes_from_where_the_file_says() {
    let udp =
        |address: &str| Listen { transport: Transport::Udp, address: address.parse::<SocketAddr>().unwrap() };
    let default = environment();
    let alone = Environment { outbound: None, interfaces: Vec::new(), ..environment() };
    let opened = Environment { listening: vec![udp("127.0.0.1:40001")], ..environment() };
    let unrouted = Environment { outbound: None, ..environment() };
    for (more, environment, expected) in [
        ("", &default, "192.0.2.9:5060"),
        ("", &unrouted, "192.0.2.7:5060"),
        ("", &alone, "127.0.0.1:5060"),
        ("listen: ['udp:127.0.0.1:0']", &opened, "127.0.0.1:40001"),
        ("listen: ['udp:192.0.2.7:5070']", &default, "192.0.2.7:5070"),
        ("advertise: {address: 'env:POD_IP'}", &default, "10.1.2.3:5060"),
        ("advertise: {address: 'interface:net1', port: 5080}", &default, "192.0.2.7:5080"),
        ("advertise: {address: smsc.example.org}", &default, "smsc.example.org:5060"),
        ("advertise: {address: '2001:db8::9'}", &default, "[2001:db8::9]:5060"),
    ] {
        assert_eq!(sent_by(&config(more), environment, Transport::Udp).as_deref(), Ok(expected), "{more}");
    }
}

#[test]
fn a_peer_over_tls_is_told_the_tls_listener_and_no_other() {
    const FILES: &str = "sip: {tls: {cert_file: c, key_file: k, ca_file: a}}";
    let contact = |more: &str, transport| {
        let config = config(&format!("{more}\n{FILES}"));
        engine_settings(&config, &environment()).unwrap().contact(None, transport)
    };
    let tls = Some(smsc_proto::sip::Transport::Tls);
    let both = "listen: ['udp:0.0.0.0:5070', 'tls:0.0.0.0:5071']";
    assert_eq!(contact(both, None), "sip:192.0.2.9:5070");
    assert_eq!(contact(both, tls), "sip:192.0.2.9:5071;transport=tls");
    let only = "listen: ['tls:0.0.0.0:5071']";
    assert_eq!(contact(only, None), "sip:192.0.2.9:5071;transport=tls");
    let tcp = "listen: ['tcp:0.0.0.0:5072', 'tls:0.0.0.0:5071']";
    assert_eq!(contact(tcp, None), "sip:192.0.2.9:5072;transport=tcp");
    let secure = engine_settings(&config(&format!("{both}\n{FILES}")), &environment()).unwrap();
    assert_eq!(secure.contact(Some("SIPS:scscf.example.org"), tls), "sips:192.0.2.9:5071");
    let advertised = format!("{both}\nadvertise: {{address: smsc.example.org, port: 5080, tls_port: 5081}}");
    assert_eq!(contact(&advertised, None), "sip:smsc.example.org:5080");
    assert_eq!(contact(&advertised, tls), "sip:smsc.example.org:5081;transport=tls");
    assert_eq!(contact("", tls), "sip:192.0.2.9:5060", "nobody can reach us over TLS");

    let transactions =
        transaction_config(&config(&format!("{both}\n{FILES}")), &environment(), [1, 2]).unwrap();
    assert_eq!(transactions.sent_by_tls, "192.0.2.9:5071");
}

#[test]
fn each_transport_says_its_own_port() {
    let config = config("listen: ['udp:0.0.0.0:5060', 'tcp:0.0.0.0:5070']");
    let transactions = transaction_config(&config, &environment(), [1, 2]).unwrap();
    assert_eq!(
        (transactions.sent_by_udp.as_str(), transactions.sent_by_tcp.as_str()),
        ("192.0.2.9:5060", "192.0.2.9:5070")
    );
}

#[test]
fn what_is_not_there_is_named() {
    let refusal = |more: &str, environment: &Environment| {
        engine_settings(&config(more), environment).unwrap_err().to_string()
    };
    let bare = Environment { variable: None, ..environment() };
    assert_eq!(
        refusal("advertise: {address: 'env:POD_IP'}", &bare),
        "advertise.address: the environment variable POD_IP is not set, or empty"
    );
    assert_eq!(
        refusal("advertise: {address: 'interface:net2'}", &bare),
        "advertise.address: there is no network interface net2 with an address"
    );
    assert_eq!(
        refusal("relay: {key_files: [/nonexistent/key]}", &bare),
        "relay.key_files: /nonexistent/key: No such file or directory (os error 2)"
    );
}

#[test]
fn a_key_file_is_read_without_its_line_end_and_must_hold_a_key() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    assert_eq!(read_key(&file("a", b"0123456789abcdef\n")), Ok(b"0123456789abcdef".to_vec()));
    assert_eq!(read_key(&file("b", b"short\n")), Err("holds 5 octets; a key has at least 16".to_owned()));
    assert_eq!(read_key(&file("c", &[7; 5000])), Err("is longer than 4096 octets".to_owned()));
}

#[test]
fn the_network_code_of_a_label_is_taken_with_two_and_three_digits() {
    for (name, expected) in [
        ("ims.mnc001.mcc001.3gppnetwork.org", vec!["00101", "001001"]),
        ("ims.mnc015.mcc234.3gppnetwork.org", vec!["23415", "234015"]),
        ("IMS.MNC260.MCC310.3gppnetwork.org", vec!["310260"]),
        ("mnc01.mcc001.example", vec!["00101"]),
        ("ims.example.org", vec![]),
        ("mnc1.mcc001.x", vec![]),
        ("mcc001.mnc001.x", vec![]),
    ] {
        assert_eq!(home_network([&name.to_owned()]), expected, "{name}");
    }
    let both = ["ims.mnc001.mcc001.x".to_owned(), "smsc.mnc002.mcc001.x".to_owned()];
    assert_eq!(home_network(&both), ["00101", "001001", "00102", "001002"]);
}

#[test]
fn the_report_uri_varies_by_pod_or_message_only_if_asked_to() {
    let host = "smsc01.mnc001.mcc001.3gppnetwork.org";
    for (more, expected) in [
        ("sip: {report_uri: 'tel:+447700900999'}", ReportUri::Fixed("tel:+447700900999".to_owned())),
        ("sip: {report_uri: pod}", ReportUri::Pod(format!("sip:smsc-2@{host}"))),
        ("sip: {report_uri: message}", ReportUri::Message(host.to_owned())),
    ] {
        let mut config = config(more);
        assert_eq!(report_uri(&config, 2), expected);
        config.location = smsc_config::pod_location(&config.location, 2);
        assert_eq!(report_uri(&config, 2), expected);
    }
}

#[test]
fn trusted_peers_of_the_file_replace_the_default() {
    let config = config("trusted_peers: [10.0.0.0/8, '2001:db8::1']");
    let networks: Vec<String> = trusted(&config, &environment()).networks().collect();
    assert_eq!(networks, ["10.0.0.0/8", "2001:db8::1/128"]);
}

#[test]
fn the_service_centre_is_an_international_number_with_or_without_plus() {
    for text in ["'+447700900999'", "'447700900999'"] {
        let settings = engine_settings(&config(&format!("sc_address: {text}")), &environment()).unwrap();
        assert_eq!(settings.sc_address, Address::international("447700900999").unwrap());
    }
}

#[test]
fn the_reg_event_is_subscribed_to_as_the_file_says() {
    let told = |more| engine_settings(&config(more), &environment()).unwrap().reg_event;
    let expires = Duration::from_secs(3761);
    assert_eq!(told("reg_event: {expires: 5m}"), None);
    assert_eq!(told("reg_event: {enabled: true}"), Some(RegEvent { expires, as_presentity: false }));
    assert_eq!(
        told("reg_event: {enabled: true, expires: 90500ms, identity: presentity}"),
        Some(RegEvent { expires: Duration::from_secs(90), as_presentity: true })
    );
}
