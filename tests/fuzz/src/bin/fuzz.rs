//! libFuzzer with the target that SMSC_FUZZ_TARGET names.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use smsc_fuzz::{Meter, Target, target};

static CHOSEN: OnceLock<&'static Target> = OnceLock::new();

fuzz_target!(init: choose(), |input: &[u8]| {
    if let Some(target) = CHOSEN.get() {
        target.run(input, &mut Meter::new());
    }
});

fn choose() {
    let name = std::env::var("SMSC_FUZZ_TARGET").unwrap_or_default();
    let target = target(&name).unwrap_or_else(|| panic!("SMSC_FUZZ_TARGET names no target: {name:?}"));
    CHOSEN.get_or_init(|| target);
}
