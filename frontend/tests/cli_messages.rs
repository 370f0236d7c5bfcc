//! `smsc-frontend store`, `send` and `why`: a message's life as its operator sees it.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

mod support;

use std::path::{Path, PathBuf};

use smsc_backend::rest::{RestBackend, RestConfig};
use smsc_backend::{AttemptReport, Backend, Location, LocationEvent, Permanent, QueuedMessage, Status};
use support::{Ended, Running, Server, smsc};

const LOCATION: &str = "smsc01.example.org";
const TOKEN: &str = "a-token-of-the-laboratory";

/// A store in a process of its own, a file for its clients, and the test as its frontend.
struct Scene {
    directory: tempfile::TempDir,
    server: Server,
    frontend: RestBackend,
}

impl Scene {
    fn set() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let token = directory.path().join("token");
        std::fs::write(&token, TOKEN).unwrap();
        let config = file(
            directory.path(),
            "store.yaml",
            &format!(
                "store: {{path: {}, listen: '127.0.0.1:0', retry: {{memory_full: [2h]}}}}\n\
                 tls: {{token_file: {}}}\nlog: {{format: json}}\n",
                directory.path().join("s.db").display(),
                token.display()
            ),
        );
        let mut server = Server::start(["store".as_ref(), "--config".as_ref(), config.as_os_str()]);
        let url = format!("http://{}", server.logged("listen"));
        let client = format!("api_base_url: {url}\ntls: {{token_file: {}}}\n", token.display());
        file(directory.path(), "client.yaml", &client);
        let frontend = RestBackend::new(RestConfig { token_file: Some(token), ..RestConfig::new(url) });
        Self { directory, server, frontend: frontend.unwrap() }
    }

    fn client(&self) -> PathBuf {
        self.directory.path().join("client.yaml")
    }

    fn smsc(&self, arguments: &[&str]) -> Ended {
        let client = self.client();
        smsc(arguments.iter().map(|a| a.as_ref()).chain(["--config".as_ref(), client.as_os_str()]))
    }

    async fn register(&self, msisdn: &str) {
        let location = Location {
            msisdn: Some(msisdn.to_owned()),
            imsi: None,
            impu: format!("sip:+{msisdn}@ims.example.org"),
            location: LOCATION.to_owned(),
            ims_capable: true,
            contact: None,
            s_cscf: None,
            call_id: None,
            cseq: None,
            imei: None,
            user_agent: None,
            access_network_info: None,
            visited_network: None,
            expires: 3600,
            event: LocationEvent::Registered,
        };
        self.frontend.insert_location(location).await.unwrap();
    }

    async fn fetch(&self) -> QueuedMessage {
        self.frontend.get_queue(LOCATION.to_owned(), 10).await.unwrap().remove(0)
    }

    async fn report(&self, row: &QueuedMessage, status: Status, detail: &str) {
        let report = AttemptReport {
            dest_smsc: LOCATION.to_owned(),
            attempt: row.delivery_attempts.unwrap() + 1,
            status,
            reason: None,
            permanent: Permanent::No,
            rp_cause: None,
            tp_fcs: None,
            report_tpdu: None,
            sip_status: None,
            icid: None,
            detail: detail.to_owned(),
        };
        self.frontend.process_message(row.id.clone(), report).await.unwrap();
    }
}

fn file(directory: &Path, name: &str, content: &str) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

/// The text with the id and all times masked.
fn masked(text: &str, id: &str) -> String {
    let shape =
        |word: &str| word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
    let text = text.replace(id, "ID");
    let words = text.split(' ').map(|word| match shape(word.trim_end_matches(['\n', '.'])).as_str() {
        "0000-00-00" => "DATE".to_owned(),
        "00:00:00" => "TIME".to_owned(),
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn sent_id(ended: &Ended) -> String {
    let step: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    step["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn why_tells_each_attempt_and_when_the_next_is_due() {
    let scene = Scene::set();
    scene.register("447700900456").await;
    let sent =
        scene.smsc(&["send", "--from", "+447700900123", "--to", "+447700900456", "--text", "hi", "--json"]);
    let id = sent_id(&sent);
    let row = scene.fetch().await;
    scene.report(&row, Status::MemoryFull, "the handset answered RP-ERROR 22 (TS 24.011 §8.2.5.4)").await;
    let expected = "\
Message ID from +447700900123 to +447700900456, accepted DATE TIME UTC
  TIME  Attempt 1 by smsc01.example.org found the handset's memory full: the handset answered RP-ERROR 22 (TS 24.011 §8.2.5.4).
  Waiting: the next attempt is due DATE TIME UTC (in 1h), or when the handset registers or has room again.
";
    for about in [id.as_str(), "+447700900456", "447700900123"] {
        let told = scene.smsc(&["why", about]);
        let out = masked(&told.out, &id).replace("(in 2h)", "(in 1h)");
        assert_eq!((told.code, out.as_str(), told.err.as_str()), (Some(0), expected, ""), "{about}");
    }
}

#[tokio::test]
async fn send_shows_each_step_until_the_handset_has_the_message() {
    let scene = Scene::set();
    scene.register("447700900456").await;
    let client = scene.client();
    let arguments = ["send", "--to", "+447700900456", "--text", "hé €", "--wait", "--config"];
    let mut sending = Running::start(arguments.iter().map(|a| a.as_ref()).chain([client.as_os_str()]));
    let accepted = sending.line();
    let row = scene.fetch().await;
    assert_eq!((row.source_msisdn.as_str(), row.message_body.as_str()), ("SMSC", "hé €"));
    scene.report(&row, Status::Delivered, "the handset answered RP-ACK (TS 24.011 §7.3.3)").await;
    let ended = sending.end();
    let told = masked(&format!("{accepted}{}", ended.out), &row.id.0);
    // Whether the command looks before or after the row is fetched is chance.
    let passing = |line: &&str| !line.contains("Due now") && !line.contains("Under way");
    let told: Vec<&str> = told.lines().filter(passing).collect();
    assert_eq!(
        told,
        [
            "ID  accepted: from SMSC to +447700900456, DATE TIME UTC",
            "ID  Attempt 1 by smsc01.example.org delivered it: the handset answered RP-ACK (TS 24.011 §7.3.3).",
            "ID  Delivered DATE TIME UTC.",
        ]
    );
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn the_same_key_twice_is_one_message() {
    let scene = Scene::set();
    let send =
        || scene.smsc(&["send", "--to", "12345", "--text", "hi", "--idempotency-key", "order-7", "--json"]);
    let (first, second) = (send(), send());
    let step = |ended: &Ended| serde_json::from_str::<serde_json::Value>(&ended.out).unwrap();
    assert_eq!(sent_id(&first), sent_id(&second));
    assert_eq!((&step(&first)["duplicate"], &step(&second)["duplicate"]), (&false.into(), &true.into()));
}

#[tokio::test]
async fn a_wait_that_is_too_long_ends_and_says_where_to_look() {
    let scene = Scene::set();
    let ended =
        scene.smsc(&["send", "--to", "+447700900456", "--text", "hi", "--wait", "--timeout", "0s", "--json"]);
    let steps: Vec<serde_json::Value> =
        ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let id = steps[0]["id"].as_str().unwrap();
    assert_eq!((ended.code, &steps[1]["state"]), (Some(1), &"held".into()));
    assert_eq!(ended.err, format!("smsc-frontend: no final outcome after 0s; `why {id}` tells more\n"));
}

#[tokio::test]
async fn who_has_no_token_gets_nothing() {
    let scene = Scene::set();
    let text = std::fs::read_to_string(scene.client()).unwrap();
    let stranger = file(scene.directory.path(), "stranger.yaml", text.lines().next().unwrap());
    let arguments = ["why", "+447700900456", "--config"];
    let ended = smsc(arguments.iter().map(|a| a.as_ref()).chain([stranger.as_os_str()]));
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""));
    assert!(ended.err.starts_with("smsc-frontend: history: denied: "), "{}", ended.err);
    assert!(!ended.err.contains(TOKEN));
}

#[tokio::test]
async fn what_nobody_knows_is_said_to_be_unknown() {
    let scene = Scene::set();
    for (about, what) in [
        ("no-such-id", "no message no-such-id"),
        ("+4411", "no message from or to +4411"),
        ("4411", "no message with this id, and none from or to 4411"),
    ] {
        let expected = Ended {
            code: Some(1),
            out: String::new(),
            err: format!("smsc-frontend: the backend knows {what}\n"),
        };
        assert_eq!(scene.smsc(&["why", about]), expected);
    }
}

#[tokio::test]
async fn a_store_told_to_end_ends_well_and_keeps_what_it_took() {
    let scene = Scene::set();
    let id = sent_id(&scene.smsc(&["send", "--to", "+447700900456", "--text", "hi", "--json"]));
    let Scene { directory, server, frontend: _ } = scene;
    assert_eq!(server.terminate(), Some(0));
    let embedded = file(
        directory.path(),
        "embedded.yaml",
        &format!("api_base_url: embedded\nstore: {{path: {}}}\n", directory.path().join("s.db").display()),
    );
    let told = smsc(["why".as_ref(), id.as_ref(), "--config".as_ref(), embedded.as_os_str()]);
    let expected = "\
Message ID from SMSC to +447700900456, accepted DATE TIME UTC
  Held: the recipient is not registered and no route leads to it; a registration makes it due at once.
";
    assert_eq!((told.code, masked(&told.out, &id).as_str(), told.err.as_str()), (Some(0), expected, ""));
}

#[test]
fn mistakes_of_the_command_line_and_the_file_are_told_before_anything_is_done() {
    let directory = tempfile::tempdir().unwrap();
    let right = file(directory.path(), "right.yaml", "api_base_url: http://127.0.0.1:1\n");
    let nowhere = file(directory.path(), "nowhere.yaml", "location: smsc01.example.org\n");
    let empty =
        file(directory.path(), "empty.yaml", "api_base_url: embedded\nstore: {path: /nonexistent/s.db}\n");
    let send = |config: &Path, to: &str| {
        let ended = smsc(
            ["send", "--text", "hi", "--to", to, "--config"]
                .iter()
                .map(|a| a.as_ref())
                .chain([config.as_os_str()]),
        );
        assert_eq!(ended.out, "");
        (ended.code, ended.err)
    };
    let (code, err) = send(&right, "not a number");
    assert!(code == Some(2) && err.starts_with("smsc-frontend: --to not a number: "), "{err}");
    assert_eq!(
        send(&nowhere, "12345"),
        (
            Some(2),
            "smsc-frontend: api_base_url: is missing; the URL of the backend, or `embedded`\n".to_owned()
        )
    );
    let why = smsc(["why".as_ref(), "1".as_ref(), "--config".as_ref(), empty.as_os_str()]);
    assert_eq!(
        (why.code, why.err.as_str()),
        (
            Some(1),
            "smsc-frontend: store /nonexistent/s.db: there is no such file; nothing has been stored here yet\n"
        )
    );
}
