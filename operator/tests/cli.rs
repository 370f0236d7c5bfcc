//! The program as it is run: what it prints, and how it ends.

mod support;

use std::path::Path;
use std::process::{Command, Output};

use support::Kubeconfig;

fn operator(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smsc-operator"));
    command.args(arguments).env_clear().env("HOME", "/nonexistent");
    command.envs(environment.iter().copied()).output().expect("the program runs")
}

fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).expect("it prints UTF-8");
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Lines of JSON without what differs from run to run.
fn logged(stderr: &str) -> Vec<(String, String)> {
    let lines = stderr.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
        let word = |key: &str| line[key].as_str().expect("it has a level and a message").to_owned();
        (word("level"), word("message"))
    });
    lines.collect()
}

#[test]
fn crd_prints_the_definition_that_is_checked_in() {
    let checked_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds/smscfrontends.yaml");
    let checked_in = std::fs::read_to_string(checked_in).expect("it is checked in");
    let (code, stdout, stderr) = told(&operator(&["crd"], &[]));
    assert_eq!((code, stderr), (Some(0), String::new()));
    assert!(stdout == checked_in, "{stdout}");
}

#[test]
fn the_version_is_the_workspaces() {
    let version = format!("smsc-operator {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(told(&operator(&["--version"], &[])), (Some(0), version, String::new()));
}

#[test]
fn what_cannot_be_meant_ends_with_2_before_anything_is_done() {
    let run = ["run", "--frontend-image", "smsc-frontend"];
    let with = |more: &[&'static str]| [&run[..], more].concat();
    let table: [(Vec<&str>, &str, &str); 10] = [
        (vec![], "", "Usage: smsc-operator <COMMAND>"),
        (vec!["walk"], "", "unrecognized subcommand 'walk'"),
        (vec!["run"], "", "--frontend-image <IMAGE>"),
        (vec!["run", "--frontend-image", ""], "", "a value is required for '--frontend-image <IMAGE>'"),
        (with(&["--namespace", "Ims"]), "", "invalid value 'Ims' for '--namespace <NS>': not a DNS label"),
        (with(&["--listen", "8080"]), "", "invalid value '8080' for '--listen <ADDRESS>'"),
        (with(&["--lease", ""]), "", "--lease <NAME>"),
        (with(&["--log", "loud=very"]), "", "invalid value 'loud=very' for '--log <LEVEL>'"),
        (with(&[]), "not a label", "smsc-operator: POD_NAMESPACE: not a DNS label"),
        (vec!["release", "--namespace", "a.b"], "", "invalid value 'a.b' for '--namespace <NS>'"),
    ];
    for (arguments, namespace, expected) in table {
        let (code, stdout, stderr) = told(&operator(&arguments, &[("POD_NAMESPACE", namespace)]));
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    }
}

#[test]
fn without_a_cluster_it_says_so() {
    let run = ["run", "--frontend-image", "smsc-frontend", "--listen", "127.0.0.1:0"];
    let (code, stdout, stderr) = told(&operator(&run, &[]));
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    let [(level, message)] = &logged(&stderr)[..] else { panic!("one line: {stderr}") };
    assert_eq!(level, "ERROR");
    assert!(
        message.starts_with("no cluster is configured, neither by a kubeconfig nor as in a pod: "),
        "{message}"
    );

    let (code, stdout, stderr) = told(&operator(&["release"], &[]));
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.starts_with("smsc-operator: no cluster is configured"), "{stderr}");
}

#[test]
fn an_api_server_that_is_not_there_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it is bound");
    drop(taken);
    let kubeconfig = Kubeconfig::of(address);
    let run = ["run", "--frontend-image", "smsc-frontend", "--listen", "127.0.0.1:0"];
    let (code, stdout, stderr) = told(&operator(&run, &[("KUBECONFIG", &kubeconfig.path())]));
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    let expected = format!("the API server http://{address}/ was not reached: ");
    let lines = logged(&stderr);
    assert!(lines.iter().any(|(level, text)| level == "ERROR" && text.starts_with(&expected)), "{stderr}");
}
