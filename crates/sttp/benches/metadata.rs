//! 100,000 measurement rows (50 MB of XML): parsed, filtered.
#![allow(missing_docs)]

use std::fmt::Write as _;

use criterion::{Criterion, criterion_group, criterion_main};
use measurand_sttp::data_set::{DataSet, DataSetLimits};
use measurand_sttp::filter::{Filter, Precedence};
use measurand_sttp::metadata::{ACTIVE_MEASUREMENTS, derive_active_measurements, empty_metadata};

const ROWS: usize = 100_000;

/// Metadata whose XML has about 500 bytes a row.
fn xml() -> Vec<u8> {
    let mut set = empty_metadata();
    let table = set.table_mut("MeasurementDetail").expect("a standard table");
    for row in 0..ROWS {
        let kind = ["FREQ", "VPHM", "VPHA", "IPHM", "IPHA"][row % 5];
        let mut description = String::new();
        let _ = write!(
            description,
            "Signal {row} of device {} & its phasor <{}>, as the substation's list has it",
            row / 20,
            row % 20
        );
        table.push_text_row(&[
            Some(&format!("DEVICE_{}", row / 20)),
            Some(&format!("PPA:{row}")),
            Some(&format!("00000000-0000-4000-8000-{row:012x}")),
            Some(&format!("DEVICE_{}!{kind}:{row}", row / 20)),
            Some(&format!("DEVICE_{}-PM{}", row / 20, row % 20)),
            Some(kind),
            Some(&format!("{}", row % 20)),
            Some(&description),
            Some("true"),
            Some("true"),
            Some("2024-01-02T03:04:05.125Z"),
        ]);
    }
    let mut xml = Vec::new();
    set.to_xml(&mut xml).expect("memory");
    xml
}

fn metadata(bench: &mut Criterion) {
    let xml = xml();
    eprintln!("metadata: {} rows, {:.1} MB of XML", ROWS, xml.len() as f64 / 1e6);
    let mut group = bench.benchmark_group("metadata");
    group.sample_size(10);
    group.bench_function("parse 100000", |b| b.iter(|| DataSet::from_xml(&xml[..], &DataSetLimits::default())));
    let mut set = DataSet::from_xml(&xml[..], &DataSetLimits::default()).expect("our own XML");
    group.bench_function("derive 100000", |b| b.iter(|| derive_active_measurements(&mut set)));
    let text = "FILTER ActiveMeasurements WHERE SignalType = 'VPHM' AND Device LIKE 'DEVICE_1%' ORDER BY PointTag";
    group.bench_function("filter 100000", |b| {
        b.iter(|| {
            Filter::parse(text, Precedence::Compat).and_then(|filter| filter.signal_ids(&set, ACTIVE_MEASUREMENTS))
        });
    });
}

criterion_group!(benches, metadata);
criterion_main!(benches);
