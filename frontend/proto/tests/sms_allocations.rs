//! Reading and writing an RPDU with its TPDU costs no allocation; only text and parts do.
#![allow(unsafe_code, reason = "a global allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use smsc_proto::sms::{Address, Carrier, Direction, RpAck, Rpdu, Submit, SubmitReport, Timestamp, Tpdu};

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
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

/// RP-DATA with an SMS-SUBMIT: part 1 of 2, "hello".
#[rustfmt::skip]
const SUBMIT: [u8; 36] = [
    0x00, 0x2a, 0x00, 0x07, 0x91, 0x44, 0x77, 0x00, 0x09, 0x10, 0x32, 0x18,
    0x61, 0x07, 0x0b, 0x91, 0x13, 0x16, 0x32, 0x54, 0x76, 0xf8, 0x00, 0x00, 0x0c,
    0x05, 0x00, 0x03, 0x55, 0x02, 0x01, 0xd0, 0x65, 0x36, 0xfb, 0x0d,
];

fn decoded() -> (Rpdu<'static>, Submit<'static>) {
    let rpdu = Rpdu::decode(Direction::MsToNetwork, &SUBMIT).expect("a sound RPDU");
    let octets = rpdu.user_data().expect("RP-DATA has user data");
    let Ok(Tpdu::Submit(submit)) = Tpdu::decode(Direction::MsToNetwork, Carrier::Data, octets) else {
        panic!("a sound SMS-SUBMIT");
    };
    (rpdu, submit)
}

#[test]
fn an_rp_data_is_read_without_an_allocation() {
    let count = allocations(|| {
        let (rpdu, submit) = black_box(decoded());
        assert_eq!(rpdu.mr(), 0x2a);
        assert!(submit.da.is_international());
        assert_eq!(submit.ud.concatenation().map(|part| part.total), Some(2));
        assert_eq!(submit.ud.septets().count(), 5);
    });
    assert_eq!(count, 0);
}

#[test]
fn a_broken_rpdu_is_refused_without_an_allocation() {
    let count = allocations(|| {
        for end in 0..SUBMIT.len() {
            assert!(black_box(Rpdu::decode(Direction::MsToNetwork, &SUBMIT[..end])).is_err());
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn an_answer_is_written_into_room_that_is_there() {
    let (mut tpdu, mut rpdu) = (Vec::with_capacity(160), Vec::with_capacity(260));
    let count = allocations(|| {
        let scts = Timestamp::from_unix(1_795_285_953, 4);
        SubmitReport { fcs: None, scts, pid: None, ud: None }.encode(&mut tpdu);
        Rpdu::Ack(RpAck { mr: 0x2a, user_data: Some(&tpdu) }).encode(Direction::NetworkToMs, &mut rpdu);
        black_box(Address::dialled("+31 612345678").unwrap());
    });
    assert_eq!(count, 0);
    assert_eq!(rpdu, [0x03, 0x2a, 0x41, 0x09, 0x01, 0x00, 0x62, 0x11, 0x12, 0x91, 0x23, 0x33, 0x40]);
}
