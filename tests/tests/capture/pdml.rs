//! What tshark tells of a capture, as PDML: every field with its name, its printed value, and where it stands.

use std::path::Path;
use std::process::Command;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// The ports of a suite under capture: what lib/capture.py gives.
const PORTS: &str = "10000-31999";

/// One packet: the octets that its transport carries, and the SIP messages that tshark finds complete in it.
#[derive(Debug, Default)]
pub(crate) struct Packet {
    /// The number that people find it by.
    pub(crate) number: usize,
    /// Source and destination, addresses with ports.
    pub(crate) way: (String, String),
    /// Which TCP connection; None over UDP.
    pub(crate) tcp_stream: Option<u32>,
    /// What TCP found odd with the segment, as a retransmission.
    pub(crate) tcp_analysis: Vec<String>,
    /// What UDP or TCP carries.
    pub(crate) payload: Vec<u8>,
    /// The messages.
    pub(crate) messages: Vec<Element>,
}

/// A `field` or `proto`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Element {
    /// As `sip.Via`; empty for a text without a field of its own.
    pub(crate) name: String,
    /// The printed value.
    pub(crate) show: String,
    /// Where its octets begin.
    pub(crate) position: usize,
    /// How many they are.
    pub(crate) size: usize,
    /// What stands in it.
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// This and all below it, in order.
    pub(crate) fn all(&self) -> Vec<&Element> {
        let below = self.children.iter().flat_map(Element::all);
        std::iter::once(self).chain(below).collect()
    }

    /// The first element of a name below.
    pub(crate) fn find(&self, name: &str) -> Option<&Element> {
        self.all().into_iter().skip(1).find(|element| element.name == name)
    }
}

/// Has tshark read a capture.
pub(crate) fn read(capture: &Path) -> Vec<Packet> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(capture);
    for transport in ["udp", "tcp"] {
        command.arg("-d").arg(format!("{transport}.port=={PORTS},sip"));
    }
    // Each part of a long message is compared as it is.
    command.args(["-o", "gsm_sms.reassemble:FALSE", "-T", "pdml"]);
    let output = command.output().expect("tshark runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let pdml = String::from_utf8_lossy(&output.stdout);
    let root = tree(&pdml);
    let pdml = root.children.into_iter().find(|element| element.name == "pdml").expect("tshark writes PDML");
    pdml.children.iter().filter(|child| child.name == "packet").map(packet).collect()
}

/// The elements of the document below one root without a name.
fn tree(pdml: &str) -> Element {
    let mut reader = Reader::from_str(pdml);
    let mut open = vec![Element::default()];
    let into = |open: &mut Vec<Element>, element| {
        open.last_mut().expect("the root stays").children.push(element);
    };
    loop {
        match reader.read_event().expect("tshark writes well-formed XML") {
            Event::Start(start) => open.push(element(&start)),
            Event::Empty(start) => {
                let element = element(&start);
                into(&mut open, element);
            }
            Event::End(_) => {
                let closed = open.pop().expect("the reader checks that tags match");
                into(&mut open, closed);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    open.pop().expect("the root stays")
}

fn element(start: &BytesStart<'_>) -> Element {
    let mut element = Element::default();
    let tag = start.name().as_ref().to_owned();
    if !matches!(tag.as_str(), "field" | "proto") {
        element.name = tag;
        return element;
    }
    for attribute in start.attributes() {
        let attribute = attribute.expect("tshark writes well-formed attributes");
        let value = attribute.normalized_value(XmlVersion::Explicit1_0).expect("tshark escapes what must be");
        let number = || value.parse().expect("positions and sizes are numbers");
        match attribute.key.as_ref() {
            "name" => element.name = value.into_owned(),
            "show" => element.show = value.into_owned(),
            "pos" => element.position = number(),
            "size" => element.size = number(),
            _ => {}
        }
    }
    element
}

fn packet(element: &Element) -> Packet {
    let text = |name: &str| element.find(name).map(|found| found.show.clone()).unwrap_or_default();
    let transport = if element.find("tcp").is_some() { "tcp" } else { "udp" };
    let end = |side: &str, port: &str| {
        format!("{}:{}", text(&format!("ip.{side}")), text(&format!("{transport}.{port}")))
    };
    let analysis = element.all().into_iter().filter(|field| {
        ["retransmission", "out_of_order", "lost_segment"]
            .iter()
            .any(|odd| field.name.starts_with("tcp.analysis.") && field.name.ends_with(odd))
    });
    Packet {
        number: text("num").parse().expect("packets are numbered"),
        way: (end("src", "srcport"), end("dst", "dstport")),
        tcp_stream: text("tcp.stream").parse().ok(),
        tcp_analysis: analysis.map(|field| field.name.clone()).collect(),
        payload: octets(&text(&format!("{transport}.payload"))),
        messages: messages(element),
    }
}

/// The SIP messages, outermost only.
fn messages(element: &Element) -> Vec<Element> {
    element.children.iter().filter(|child| child.name == "sip").cloned().collect()
}

/// Octets printed as `4d:45`.
fn octets(text: &str) -> Vec<u8> {
    let octet = |text| u8::from_str_radix(text, 16).expect("octets are hexadecimal");
    text.split(':').filter(|text| !text.is_empty()).map(octet).collect()
}
