//! Reading an ordinary MESSAGE costs no allocation, however it is looked at.
#![allow(unsafe_code, reason = "a global allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use smsc_proto::sip::{Header, Message, Uri};

/// The system's allocator, which counts for each thread what it is asked for.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged to the system's allocator; counting touches no memory of the caller.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

/// A MESSAGE as an S-CSCF passes it on, with as many header lines as asked for.
fn message(header_lines: usize) -> Bytes {
    let ordinary = [
        "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKc3f1.0;rport",
        "Via: SIP/2.0/UDP [2001:db8::15]:5060;branch=z9hG4bK-52-1;received=2001:db8::15",
        "Max-Forwards: 66",
        "From: <sip:+447700900123@ims.example.org>;tag=4fa3c1",
        "To: \"Service Centre\" <sip:smsc@ims.example.org>",
        "Call-ID: 9ab1c2d3e4f5061728394a5b@192.0.2.10",
        "CSeq: 1 MESSAGE",
        "Route: <sip:smsc.ims.example.org;lr>, <sip:next.example.org;lr>",
        "P-Asserted-Identity: <sip:+447700900123@ims.example.org;user=phone>, <tel:+447700900123>",
        "P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010019B01",
        "P-Charging-Vector: icid-value=5d7a9b22d5d64ac1",
        "Request-Disposition: no-fork",
        "In-Reply-To: ab@x, cd@y",
        "Expires: 3600",
        "Content-Type: application/vnd.3gpp.sms",
        "Content-Length: 5",
    ];
    let mut octets = BytesMut::from("MESSAGE sip:smsc@ims.example.org SIP/2.0\r\n");
    for line in ordinary {
        octets.extend_from_slice(format!("{line}\r\n").as_bytes());
    }
    for number in ordinary.len()..header_lines {
        octets.extend_from_slice(format!("X-Vendor-{number}: value {number}\r\n").as_bytes());
    }
    octets.extend_from_slice(b"\r\n\x00\x01\r\n\xff");
    // Split off a receive buffer, as a datagram is: shared from the start.
    octets.split().freeze()
}

#[test]
fn an_ordinary_message_is_parsed_without_an_allocation() {
    for header_lines in [16, 25, 40] {
        let datagram = message(header_lines);
        let count = allocations(|| {
            let message = Message::parse(black_box(datagram.clone())).unwrap();
            assert_eq!(message.body_octets(), b"\x00\x01\r\n\xff");
            black_box(&message);
        });
        assert_eq!(count, 0, "{header_lines} header lines");
    }
}

#[test]
fn every_accessor_reads_in_place() {
    let message = Message::parse(message(25)).unwrap();
    let count = allocations(|| {
        assert_eq!(message.request_fault(), None);
        assert_eq!(message.vias().filter_map(Result::ok).filter_map(|via| via.branch()).count(), 2);
        assert_eq!(message.from().unwrap().tag(), Some("4fa3c1"));
        assert_eq!(message.to().unwrap().display, Some("Service Centre"));
        assert_eq!(message.call_id(), Ok("9ab1c2d3e4f5061728394a5b@192.0.2.10"));
        assert_eq!(message.cseq().unwrap().number, 1);
        assert_eq!(message.routes().count(), 2);
        let identities = message.p_asserted_identities().filter_map(Result::ok);
        assert_eq!(
            identities.filter_map(|identity| Uri::parse(identity.uri).ok()).filter(Uri::is_phone).count(),
            2
        );
        assert_eq!(message.expires(), Some(3600));
        assert_eq!(message.in_reply_to().count(), 2);
        assert!(message.content_type().unwrap().is("application", "vnd.3gpp.sms"));
        assert_eq!(message.values(Header::RequestDisposition).next(), Some("no-fork"));
        assert_eq!(message.header_named("x-vendor-20"), Some("value 20"));
        assert_eq!(message.body().len(), 5);
        black_box(message.clone());
    });
    assert_eq!(count, 0);
}
