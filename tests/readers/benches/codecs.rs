//! How long each work takes, by criterion.
#![allow(missing_docs, reason = "criterion's macros write functions without")]

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use smsc_readers::works::works;

fn codecs(criterion: &mut Criterion) {
    for mut work in works() {
        let mut group = criterion.benchmark_group(work.operation);
        group.bench_function(work.by, |bencher| bencher.iter(&mut *work.run));
        group.finish();
    }
}

/// Short, and enough for the median: 17 works shall take less than half a minute.
fn brief() -> Criterion {
    Criterion::default()
        .without_plots()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .sample_size(50)
        .nresamples(2000)
}

criterion_group! { name = benches; config = brief(); targets = codecs }
criterion_main!(benches);
