//! Files of every kind, and handshakes between two of us in memory.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType, date_time_ymd,
};
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;

type Ca = CertifiedIssuer<'static, KeyPair>;

fn ca(name: &str) -> Ca {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// One side's files: `NAME.crt`, `NAME.key`, `NAME.ca`.
struct Side<'a> {
    directory: &'a TempDir,
    name: &'static str,
}

impl Side<'_> {
    fn path(&self, kind: &str) -> PathBuf {
        self.directory.path().join(format!("{}.{kind}", self.name))
    }

    /// Writes a certificate for `names` by `ca`, and whom this side believes.
    fn issue(&self, ca: &Ca, names: &[SanType], years: (i32, i32), believes: &Ca) -> &Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = names.to_vec();
        params.serial_number = Some(vec![0xCA, 0xFE, 0x01].into());
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 12, 31);
        std::fs::write(self.path("crt"), params.signed_by(&key, ca).unwrap().pem()).unwrap();
        std::fs::write(self.path("key"), key.serialize_pem()).unwrap();
        std::fs::write(self.path("ca"), believes.pem()).unwrap();
        self
    }

    fn config(&self, verify_peers: VerifyPeers, with_certificate: bool) -> Config {
        let file = |kind| Some(self.path(kind)).filter(|_| with_certificate);
        let mut config = Config {
            location: "smsc01.example.org".to_owned(),
            ims_domain: "ims.example.org".to_owned(),
            s_cscf_sip_uri: Some("sips:SCSCF.ims.example.org".to_owned()),
            ..Config::default()
        };
        config.sip.tls = SipTls {
            cert_file: file("crt"),
            key_file: file("key"),
            ca_file: Some(self.path("ca")),
            verify_peers,
            trusted_names: None,
        };
        config
    }

    fn load(&self, verify_peers: VerifyPeers) -> Tls {
        Tls::load(&self.config(verify_peers, true)).unwrap()
    }
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

fn uri(name: &str) -> SanType {
    SanType::URI(name.try_into().unwrap())
}

/// What each side says of the other after a handshake: the server of its client, the client of the server.
async fn meet(
    server: &Tls,
    client: &Tls,
    name: &str,
) -> (Result<Option<Identity>, String>, Result<(), String>) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let accept = async {
        let stream =
            TlsAcceptor::from(server.server().unwrap()).accept(far).await.map_err(|e| e.to_string())?;
        Ok(stream.get_ref().1.peer_certificates().and_then(|chain| Some(Identity::of(chain.first()?))))
    };
    let connect = async {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let stream = TlsConnector::from(client.client().unwrap()).connect(name, near).await;
        stream.map(drop).map_err(|e| e.to_string())
    };
    futures_util::future::join(accept, connect).await
}

const EXPIRED: (i32, i32) = (2020, 2021);
const VALID: (i32, i32) = (2020, 2090);

#[tokio::test]
async fn both_sides_know_each_other_by_certificate() {
    let (ca, directory) = (ca("ours"), tempfile::tempdir().unwrap());
    let us = Side { directory: &directory, name: "us" };
    us.issue(&ca, &[dns("smsc01.example.org")], VALID, &ca);
    let s_cscf = Side { directory: &directory, name: "scscf" };
    s_cscf.issue(&ca, &[uri("sip:scscf.ims.example.org"), dns("host7.example.org")], VALID, &ca);
    let (us, s_cscf) = (us.load(VerifyPeers::Required), s_cscf.load(VerifyPeers::Required));

    let (peer, verdict) = meet(&us, &s_cscf, "smsc01.example.org").await;
    let peer = peer.unwrap().unwrap();
    assert_eq!((peer.names(), verdict), (&["scscf.ims.example.org".to_owned()][..], Ok(())));
    assert_eq!(us.trusted_names(), ["scscf.ims.example.org", "ims.example.org"]);
    assert!(us.trusts(&peer));

    assert_eq!(meet(&s_cscf, &us, "scscf.ims.example.org").await.1, Ok(()));
    let other = meet(&s_cscf, &us, "host7.example.org").await.1.unwrap_err();
    let valid_for = "is only valid for scscf.ims.example.org";
    assert!(other.contains(valid_for), "a URI outweighs DNS names (RFC 5922 §7.1): {other}");
}

#[tokio::test]
async fn a_name_counts_only_whole_and_an_address_only_as_such() {
    let (ca, directory) = (ca("ours"), tempfile::tempdir().unwrap());
    let us = Side { directory: &directory, name: "us" };
    us.issue(&ca, &[dns("smsc01.example.org")], VALID, &ca);
    let us = us.load(VerifyPeers::Required);
    let address = SanType::IpAddress("2001:db8::1".parse().unwrap());
    let server = Side { directory: &directory, name: "server" };
    server.issue(&ca, &[dns("*.example.org"), dns("Host.Example.ORG"), address], VALID, &ca);
    let server = server.load(VerifyPeers::Required);
    for (name, right) in [
        ("host.example.org", true),
        ("2001:db8::1", true),
        ("a.example.org", false),
        ("example.org", false),
        ("2001:db8::2", false),
    ] {
        assert_eq!(meet(&server, &us, name).await.1.is_ok(), right, "{name}");
    }
}

#[tokio::test]
async fn certificates_of_others_expired_ones_and_none_are_refused_as_configured() {
    let (ours, other, directory) = (ca("ours"), ca("other"), tempfile::tempdir().unwrap());
    let side = |name| Side { directory: &directory, name };
    let (us, good, bad, old) = (side("us"), side("good"), side("bad"), side("old"));
    us.issue(&ours, &[dns("smsc01.example.org")], VALID, &ours);
    good.issue(&ours, &[dns("scscf.ims.example.org")], VALID, &ours);
    bad.issue(&other, &[dns("scscf.ims.example.org")], VALID, &ours);
    old.issue(&ours, &[dns("scscf.ims.example.org")], EXPIRED, &ours);
    let nameless = Tls::load(&good.config(VerifyPeers::Required, false)).unwrap();
    let [good, bad, old] = [good, bad, old].map(|side| side.load(VerifyPeers::Required));
    for (verify_peers, refused) in [
        (VerifyPeers::Required, [false, true, true, true]),
        (VerifyPeers::Optional, [false, true, true, false]),
        (VerifyPeers::None, [false, false, false, false]),
    ] {
        let us = us.load(verify_peers);
        for (peer, refused) in [&good, &bad, &old, &nameless].into_iter().zip(refused) {
            let (seen, _) = meet(&us, peer, "smsc01.example.org").await;
            assert_eq!(seen.is_err(), refused, "{verify_peers:?}: {seen:?}");
        }
        let shown = meet(&us, &good, "smsc01.example.org").await.0.unwrap();
        assert_eq!(shown.is_some(), verify_peers != VerifyPeers::None);
    }
    let us = us.load(VerifyPeers::Required);
    for (server, why) in [(&bad, "UnknownIssuer"), (&old, "expired")] {
        let verdict = meet(server, &us, "scscf.ims.example.org").await.1.unwrap_err();
        assert!(verdict.contains(why), "{verdict}");
    }
}

#[test]
fn our_certificate_is_told_with_its_serial_number_and_dates() {
    let (ca, directory) = (ca("ours"), tempfile::tempdir().unwrap());
    let us = Side { directory: &directory, name: "us" };
    let own = |years| {
        us.issue(&ca, &[dns("smsc01.example.org")], years, &ca);
        us.load(VerifyPeers::Required).own().unwrap().clone()
    };
    let valid = own(VALID);
    let expected = Certificate {
        names: vec!["smsc01.example.org".to_owned()],
        serial: "CAFE01".to_owned(),
        not_before: "2020-01-01T00:00:00Z".parse().unwrap(),
        not_after: "2090-12-31T00:00:00Z".parse().unwrap(),
    };
    assert_eq!(valid, expected);
    let doubt = |certificate: &Certificate, now: &str| certificate.doubt(now.parse().unwrap(), SOON);
    assert_eq!(doubt(&valid, "2026-01-01T00:00:00Z"), None);
    assert_eq!(
        doubt(&valid, "2019-01-01T00:00:00Z"),
        Some("is not valid before 2020-01-01T00:00:00Z".to_owned())
    );
    assert_eq!(
        doubt(&valid, "2090-12-21T00:00:00Z"),
        Some("expires within 11 days: it is valid until 2090-12-31T00:00:00Z".to_owned())
    );
    assert_eq!(
        doubt(&own(EXPIRED), "2026-01-01T00:00:00Z"),
        Some("has expired: it was valid until 2021-12-31T00:00:00Z".to_owned())
    );
}

#[test]
fn files_that_cannot_be_used_are_named_with_the_reason_and_nothing_of_a_key() {
    let (ca, directory) = (ca("ours"), tempfile::tempdir().unwrap());
    let us = Side { directory: &directory, name: "us" };
    let other = Side { directory: &directory, name: "other" };
    other.issue(&ca, &[dns("b.example.org")], VALID, &ca);
    let refused = |kind: &str, content: Option<&str>| {
        us.issue(&ca, &[dns("a.example.org")], VALID, &ca);
        match content {
            Some(content) => std::fs::write(us.path(kind), content).unwrap(),
            None => std::fs::remove_file(us.path(kind)).unwrap(),
        }
        let TlsError { key, path, detail } = Tls::load(&us.config(VerifyPeers::Required, true)).unwrap_err();
        assert_eq!(path, us.path(kind));
        (key, detail)
    };
    let other_key = std::fs::read_to_string(other.path("key")).unwrap();
    let torn = other_key.replace("-----END", "----- END");
    let missing = "No such file or directory (os error 2)";
    let mismatch = format!("is not the key of the certificate in {}", us.path("crt").display());
    let encrypted = "holds no private key in PEM form (an encrypted one cannot be used)";
    for (kind, content, key, detail) in [
        ("crt", None, "sip.tls.cert_file", missing),
        ("key", None, "sip.tls.key_file", missing),
        ("ca", None, "sip.tls.ca_file", missing),
        ("crt", Some("certainly"), "sip.tls.cert_file", "holds no certificate in PEM form"),
        (
            "crt",
            Some("-----BEGIN CERTIFICATE-----\n%\n-----END CERTIFICATE-----\n"),
            "sip.tls.cert_file",
            "is not PEM",
        ),
        ("ca", Some(""), "sip.tls.ca_file", "holds no certificate in PEM form"),
        ("key", Some(""), "sip.tls.key_file", encrypted),
        ("key", Some(&torn), "sip.tls.key_file", "is not PEM"),
        ("key", Some(&other_key), "sip.tls.key_file", &mismatch),
    ] {
        assert_eq!(refused(kind, content), (key, detail.to_owned()), "{kind} {content:?}");
    }
}
