//! What a wrong file is answered with: every mistake, each with its place, key and reason.

use std::time::Duration;

use proptest::prelude::*;
use smsc_config::{ApiBaseUrl, Config, Problems, Purpose, ReportUri};

const NEEDED: &str = "location: smsc01.example.org\nims_domain: ims.example.org\n";

fn mistakes(text: &str) -> String {
    Config::parse(text, "c.yaml").expect_err(text).to_string()
}

/// The mistake in `text` behind the keys every file needs; its lines count from 1.
fn mistake(text: &str) -> String {
    mistakes(&format!("{text}\nlocation: smsc01.example.org\nims_domain: ims.example.org\n"))
}

#[test]
fn each_mistake_is_told_with_place_key_and_reason() {
    for (text, expected) in [
        // Names of keys.
        (
            "colour: red",
            "c.yaml:1:1: colour: unknown key `colour`; known keys: version, api_base_url, location",
        ),
        ("pollin: {batch: 1}", "c.yaml:1:1: pollin: unknown key `pollin`; did you mean `polling`?"),
        (
            "mt:\n  deliverd_on: rp_ack",
            "c.yaml:2:3: mt.deliverd_on: unknown key `deliverd_on` in `mt`; did you mean `delivered_on`?",
        ),
        ("tr1n: 45s", "c.yaml:1:1: tr1n: unknown key `tr1n`; it belongs in the section `timers`"),
        ("smpp: []", "c.yaml:1:1: smpp: unknown key `smpp`"),
        (
            "store: {routes: [{prefix: \"1\", locaton: a.b}]}",
            "locaton: unknown key `locaton` in `store.routes[0]`; did you mean `location`?",
        ),
        ("7: x", "c.yaml: invalid type: integer `7`, expected the name of a key"),
        ("mt: {}\nmt: {}", "duplicate entry with key \"mt\""),
        // Types.
        (
            "polling: {batch: many}",
            "c.yaml:1:11: polling.batch: invalid type: string \"many\", expected a whole number from 0 to 4294967295",
        ),
        (
            "ordinal: 256",
            "c.yaml:1:1: ordinal: invalid value: integer `256`, expected a whole number from 0 to 255",
        ),
        ("mt: fast", "c.yaml:1:1: mt: invalid type: string \"fast\", expected a section of keys"),
        (
            "mt: {default_capable: maybe}",
            "mt.default_capable: invalid type: string \"maybe\", expected true or false",
        ),
        (
            "mt: {request_uri: fax}",
            "c.yaml:1:6: mt.request_uri: unknown variant `fax`, expected `sip` or `tel`",
        ),
        (
            "mt:\n  languages: [turkish, klingon]",
            "c.yaml:2:24: mt.languages[1]: unknown variant `klingon`, expected one of `turkish`, `spanish`, \
             `portuguese`, `bengali`, `gujarati`, `hindi`, `kannada`, `malayalam`, `oriya`, `punjabi`, `tamil`, \
             `telugu`, `urdu`",
        ),
        (
            "mt: {languages: [turkish, tamil, turkish]}",
            "c.yaml:1:34: mt.languages[2]: is in the list already",
        ),
        ("mt: {request_uri: }", "mt.request_uri: has no value; leave the key out for its default"),
        ("sc_address: +447700900123", "c.yaml:1:1: sc_address: put the number in quotes"),
        (
            "polling: {interval: 2}",
            "polling.interval: 2 has no unit; write 2s for seconds or 2ms for milliseconds",
        ),
        ("polling: {interval: 2 s}", "polling.interval: `2 s`: ` s` is not a unit"),
        ("store:\n  retry:\n    absent: [5m, 10]", "c.yaml:3:18: store.retry.absent[1]: 10 has no unit"),
        (
            "admin: {listen: localhost}",
            "admin.listen: is not an address with a port; write for example 127.0.0.1:9090",
        ),
        // Values.
        ("version: 2", "c.yaml:1:1: version: 2 is out of range: 1 to 1"),
        ("api_base_url: 10.0.0.1:8443", "api_base_url: is not an http:// or https:// URL"),
        ("s_cscf_sip_uri: 127.0.0.2:5060", "s_cscf_sip_uri: `127.0.0.2:5060` is not a SIP URI"),
        ("sc_address: \"07x\"", "sc_address: `07x` is not 1 to 20 digits, `+` first if"),
        (
            "listen: [udp:0.0.0.0:5060, 5061]",
            "c.yaml:1:28: listen[1]: invalid type: integer `5061`, expected a string",
        ),
        (
            "listen: [sctp:0.0.0.0:5060]",
            "listen[0]: `sctp:0.0.0.0:5060` is not a listener; write for example udp:0.0.0.0:5060",
        ),
        ("listen: []", "listen: is empty: at least one listener"),
        (
            "advertise: {address: \"env:\"}",
            "advertise.address: `` is not the name of an environment variable",
        ),
        ("advertise: {port: 0}", "advertise.port: 0 is not a port"),
        ("advertise: {tls_port: 0}", "advertise.tls_port: 0 is not a port"),
        ("trusted_peers: [10.0.0.1/8]", "trusted_peers[0]: `10.0.0.1/8` has host bits set; write 10.0.0.0/8"),
        ("trusted_peers: []", "trusted_peers: is empty: every request would be refused"),
        (
            "dns: {servers: [192.0.2.53]}",
            "dns.servers[0]: is not an address with a port; write for example 127.0.0.1:9090",
        ),
        (
            "dns: {servers: [\"0.0.0.0:53\"]}",
            "dns.servers[0]: 0.0.0.0:53 is no server; write for example 192.0.2.53:53",
        ),
        ("dns: {timeout: 1m}", "dns.timeout: 1m is out of range: 100ms to 30s"),
        ("sip: {report_uri: pods}", "sip.report_uri: `pods` is not a SIP URI"),
        (
            "sip: {tls: {verify_peers: always}}",
            "sip.tls.verify_peers: unknown variant `always`, expected one of `none`, `optional`, `required`",
        ),
        (
            "sip: {tls: {ca_file: c, trusted_names: [\"*.example.org\"]}}",
            "c.yaml:1:41: sip.tls.trusted_names[0]: `*.example.org` is not a host name",
        ),
        ("sip: {report_uri: \"sips:smsc@a.b\"}", "sip.report_uri: `sips:smsc@a.b` is reached over TLS only"),
        ("timers: {tls_handshake: 1m}", "timers.tls_handshake: 1m is out of range: 100ms to 30s"),
        ("limits: {tls_handshakes: 0}", "limits.tls_handshakes: 0 is out of range: 1 to 100000"),
        (
            "sip: {tls: {ca_file: c}}\ns_cscf_sip_uri: \"sips:a.b;transport=udp\"",
            "asks for TLS over UDP, which there is not",
        ),
        ("sip: {overload_status: 404}", "sip.overload_status: 404 is neither 500 nor 503"),
        ("reg_event: {expires: 5s}", "reg_event.expires: 5s is out of range: 1m to 7d"),
        (
            "reg_event: {identity: mine}",
            "reg_event.identity: unknown variant `mine`, expected `own` or `presentity`",
        ),
        ("polling: {interval: 1ms}", "polling.interval: 1ms is out of range: 100ms to 10m"),
        ("polling: {locations: [a.b, A.b]}", "polling.locations[1]: `A.b` is in the list already"),
        ("timers: {tr1n: 5s}", "timers.tr1n: 5s is out of range: 20s to 3m"),
        ("limits: {open_mo: 0}", "limits.open_mo: 0 is out of range: 1 to 10000000"),
        (
            "relay: {peers: \"http://a:1\", key_files: [k]}",
            "relay.peers: `http://a:1` must contain {ordinal}",
        ),
        ("store: {retry: {failed: []}}", "store.retry.failed: 0 is out of range: 1 to 64"),
        (
            "store: {routes: [{prefix: 44, location: a.b}]}",
            "store.routes[0].prefix: put the number in quotes: \"44\"",
        ),
        ("store: {routes: [{prefix: \"44\"}]}", "store.routes[0]: missing field `location`"),
        ("endpoints: {process_message: /m}", "endpoints.process_message: `/m` must contain {id} once"),
        (
            "log: {level: inof}",
            "log.level: `inof` is not a level; write off, error, warn, info, debug, trace",
        ),
        // How keys fit together.
        (
            "listen: [udp:0.0.0.0:5060, udp:127.0.0.1:5060]",
            "c.yaml:1:28: listen[1]: udp port 5060 is taken by listen[0]",
        ),
        (
            "admin: {listen: \"127.0.0.1:5060\"}",
            "c.yaml:1:9: admin.listen: tcp port 5060 is taken by listen[1]",
        ),
        (
            "listen: [udp:0.0.0.0:5060, tls:0.0.0.0:5061]\nsip: {tls: {ca_file: a}}",
            "c.yaml:1:28: listen[1]: needs sip.tls.cert_file and sip.tls.key_file: a TLS listener shows a certificate",
        ),
        (
            "listen: [tls:0.0.0.0:5061]\nsip: {tls: {cert_file: c, key_file: k}}",
            "c.yaml:1:10: listen[0]: needs sip.tls.ca_file, by which peers' certificates are verified",
        ),
        (
            "listen: [tcp:0.0.0.0:5061, tls:0.0.0.0:5061]\nsip: {tls: {cert_file: c, key_file: k, ca_file: a}}",
            "listen[1]: tls port 5061 is taken by listen[0]",
        ),
        ("sip: {tls: {cert_file: c}}", "c.yaml:1:13: sip.tls.cert_file: needs sip.tls.key_file beside it"),
        ("sip: {tls: {key_file: k}}", "c.yaml:1:13: sip.tls.key_file: needs sip.tls.cert_file beside it"),
        ("sip: {tls: {trusted_names: [a.b]}}", "sip.tls.trusted_names: needs sip.tls.ca_file"),
        (
            "sip: {tls: {ca_file: c, verify_peers: none, trusted_names: [a.b]}}",
            "sip.tls.trusted_names: no peer is asked for its certificate: sip.tls.verify_peers is none",
        ),
        ("s_cscf_sip_uri: sip:a.b;transport=TLS", "c.yaml:1:1: s_cscf_sip_uri: needs sip.tls.ca_file"),
        ("s_cscf_sip_uri: sips:a.b", "c.yaml:1:1: s_cscf_sip_uri: needs sip.tls.ca_file"),
        ("tls: {client_cert_file: c}", "tls.client_cert_file: needs tls.client_key_file beside it"),
        ("relay: {listen: \"0.0.0.0:7060\"}", "c.yaml:1:9: relay.listen: needs relay.key_files"),
        ("timers: {t1: 5s}", "timers.t1: 5s is longer than timers.t2 (4s)"),
        (
            "api_base_url: embedded\ntimers: {tr1n: 3m}",
            "store.lease: 3m must be longer than timers.tr1n (3m)",
        ),
    ] {
        let found = mistake(text);
        assert!(found.contains(expected), "{text}\n    gave   {found}\n    wanted {expected}");
        assert_eq!(found.lines().count(), 1, "{found}");
    }
}

#[test]
fn broken_yaml_is_told_with_its_place() {
    let found = mistakes("location: [a\nims_domain: b");
    assert!(found.starts_with("c.yaml:2:"), "{found}");
    assert!(!found.contains(" at line "), "{found}");
}

#[test]
fn a_file_that_is_no_mapping_is_told_so() {
    assert_eq!(
        mistakes("- location"),
        "c.yaml: invalid type: sequence, expected a mapping of keys, such as `location: smsc01.example.org`"
    );
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_file() {
    let text = "location: 7\npolling:\n  batch: 0\n  interval: soon\nlisten: [x, \"udp:0.0.0.0:5060\", y]\n\
                trusted_peers: [a]\nlog: {level: loud, colour: red}\n";
    let problems = Config::parse(text, "c.yaml").expect_err("many mistakes").0;
    let told: Vec<_> = problems.iter().map(|p| (p.position.map(|at| at.line), p.key.as_str())).collect();
    assert_eq!(
        told,
        [
            (None, "ims_domain"),
            (Some(1), "location"),
            (Some(3), "polling.batch"),
            (Some(4), "polling.interval"),
            (Some(5), "listen[0]"),
            (Some(5), "listen[2]"),
            (Some(6), "trusted_peers[0]"),
            (Some(7), "log.level"),
            (Some(7), "log.colour"),
        ]
    );
}

#[test]
fn what_would_cost_much_to_read_is_refused_unread() {
    let deep = format!("location: {}", "[".repeat(10_000));
    let bomb = (1..9).fold("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, level| {
        let inner = vec![format!("*a{}", level - 1); 9].join(", ");
        format!("{text}a{level}: &a{level} [{inner}]\n")
    });
    let number = format!("ordinal: {}", "9".repeat(41));
    let told = [deep, bomb, number].map(|text| Config::parse(&text, "c.yaml").unwrap_err().to_string());
    assert_eq!(
        told,
        [
            "c.yaml: brackets are open more than 64 deep",
            "c.yaml: aliases (`*name`) make it far larger than it is; write out what they stand for",
            "c.yaml: a number of more than 40 digits",
        ]
    );
}

#[test]
fn a_mistake_takes_one_line_whatever_it_repeats() {
    let text = "location: a.b\nims_domain: c.d\nmt: {request_uri: \"a\\nc.yaml: fine\", \"k\\r\": 1}\n";
    let told = Config::parse(text, "c.yaml").unwrap_err().to_string();
    assert_eq!(told.lines().count(), 2, "{told}");
    assert!(told.contains("`a\\nc.yaml: fine`") && told.contains("mt.k\\r: unknown key `k\\r`"), "{told}");
}

#[test]
fn a_file_with_endless_mistakes_is_told_the_first_16() {
    let text: String = (0..1000).map(|n| format!("key_{n}: 1\n")).collect();
    assert_eq!(Config::parse(&text, "c.yaml").expect_err("a thousand mistakes").0.len(), 16);
}

#[test]
fn what_a_file_must_have_depends_on_its_purpose() {
    let missing = |text: &str, purpose| {
        let problems = Config::parse_for(text, "c.yaml", purpose).err().unwrap_or(Problems(Vec::new()));
        problems.0.into_iter().map(|problem| problem.key).collect::<Vec<_>>()
    };
    assert_eq!(missing("", Purpose::Run), ["api_base_url", "location", "ims_domain"]);
    assert_eq!(missing("", Purpose::Frontend), ["location", "ims_domain"]);
    assert_eq!(missing("", Purpose::Store), [""; 0]);
    assert_eq!(missing(NEEDED, Purpose::Run), ["api_base_url"]);
    assert_eq!(missing(NEEDED, Purpose::Frontend), [""; 0]);
    assert_eq!(missing(&format!("{NEEDED}api_base_url: embedded"), Purpose::Run), [""; 0]);
}

#[test]
fn a_configuration_that_was_built_is_checked_like_a_file() {
    let problems = Config::default().check(Purpose::Run).expect_err("nothing is set");
    assert!(problems.to_string().starts_with("api_base_url: is missing"), "{problems}");
    assert_eq!(Config::default().check(Purpose::Store), Ok(()));
}

#[test]
fn the_seeds_four_keys_work_as_they_are() {
    let config = Config::parse_for(include_str!("fixtures/seed.yaml"), "seed.yaml", Purpose::Run)
        .expect("the seed's file");
    let expected = Config {
        api_base_url: Some(ApiBaseUrl::Url("https://10.5.198.200:8443".to_owned())),
        location: "smsc01.mnc001.mcc001.3gppnetwork.org".to_owned(),
        s_cscf_sip_uri: Some("sip:127.0.0.2:5060".to_owned()),
        ims_domain: "ims.mnc001.mcc001.3gppnetwork.org".to_owned(),
        ..Config::default()
    };
    assert_eq!(config, expected);
    assert_eq!(
        config.report_uri(),
        ReportUri::Fixed("sip:smsc@smsc01.mnc001.mcc001.3gppnetwork.org".to_owned())
    );
    assert_eq!(config.polled_locations(), ["smsc01.mnc001.mcc001.3gppnetwork.org"]);
    assert_eq!(config.ordinal("smsc-3"), 3);
    assert_eq!(Config { ordinal: Some(2), ..config }.ordinal("smsc-3"), 2);
}

#[test]
fn a_section_that_is_there_but_empty_has_its_defaults() {
    let text = format!("{NEEDED}polling:\ntimers:\n  # tr1n: 60s\nstore:\n  retry:\n");
    let config = Config::parse(&text, "c.yaml").expect("empty sections are right");
    assert_eq!(config.polling.interval, Duration::from_secs(2));
}

#[test]
fn null_switches_the_admin_listener_off() {
    let config = Config::parse(&format!("{NEEDED}admin: {{listen: null}}"), "c.yaml").expect("null is right");
    assert_eq!(config.admin.listen, None);
}

#[test]
fn credentials_in_urls_are_refused_without_repeating_them() {
    let found = mistake("api_base_url: https://smsc:hunter2@backend.example.org");
    assert!(found.contains("carries credentials") && !found.contains("hunter2"), "{found}");
}

#[test]
fn files_are_loaded_and_unreadable_ones_told_by_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("config.yaml");
    let name = path.display().to_string();
    let told = |path| Config::load(path).expect_err("a problem").to_string();

    assert!(told(&path).starts_with(&format!("{name}: cannot be read: ")), "{}", told(&path));
    std::fs::write(&path, [b'a', 0xff]).expect("written");
    assert!(told(&path).starts_with(&format!("{name}: is not UTF-8: ")), "{}", told(&path));
    std::fs::write(&path, vec![b'#'; (1 << 20) + 1]).expect("written");
    assert_eq!(told(&path), format!("{name}: is larger than 1048576 octets"));
    std::fs::write(&path, NEEDED).expect("written");
    assert_eq!(Config::load(&path), Config::parse(NEEDED, "c.yaml"));
    assert_eq!(Config::load_for(&path, Purpose::Run).expect_err("no backend").0.len(), 1);
}

/// YAML-like text: words and signs the reader reacts to, in any order.
fn yaml() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("location".to_owned()),
        Just("polling".to_owned()),
        Just("listen".to_owned()),
        Just("store".to_owned()),
        Just("routes".to_owned()),
        Just("timers".to_owned()),
        Just("udp:0.0.0.0:5060".to_owned()),
        Just(": ".to_owned()),
        Just("\n".to_owned()),
        Just("  ".to_owned()),
        Just("- ".to_owned()),
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just(", ".to_owned()),
        Just("&a ".to_owned()),
        Just("*a".to_owned()),
        Just("!t ".to_owned()),
        Just("<<".to_owned()),
        Just("---\n".to_owned()),
        Just("~".to_owned()),
        Just("2s".to_owned()),
        Just("1".to_owned()),
        Just("\"".to_owned()),
        ".",
    ];
    proptest::collection::vec(word, 0..24).prop_map(|words| words.concat())
}

/// A tree of known and unknown keys with any values, as YAML.
fn tree() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("~".to_owned()),
        Just("2s".to_owned()),
        Just("1".to_owned()),
        Just("a.b".to_owned()),
        Just("[]".to_owned())
    ];
    let key = proptest::sample::select(vec![
        "location",
        "ims_domain",
        "polling",
        "interval",
        "listen",
        "store",
        "retry",
        "routes",
        "x",
    ]);
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|list| format!("[{}]", list.join(", "))),
            proptest::collection::btree_map(key.clone(), inner, 0..5).prop_map(|map| {
                let entries: Vec<_> = map.iter().map(|(key, value)| format!("{key}: {value}")).collect();
                format!("{{{}}}", entries.join(", "))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in prop_oneof![".*", yaml(), tree()]) {
        if let Err(problems) = Config::parse(&text, "c.yaml") {
            prop_assert!(!problems.0.is_empty());
        }
    }

    #[test]
    fn what_is_read_is_written_so_that_it_reads_the_same(text in prop_oneof![yaml(), tree()]) {
        if let Ok(config) = Config::parse_for(&text, "c.yaml", Purpose::Store) {
            prop_assert_eq!(Config::parse_for(&config.to_yaml(), "w.yaml", Purpose::Store), Ok(config));
        }
    }
}
