//! Sketches: whatever decodes prints the same octets again and answers within what it was given; parts of a list of values
//! merge to the same octets in any order, and percentiles keep their promise. The shorter form is that of rows; `row` has it.
#![no_main]

use family_fuzz::Draw;
use libfuzzer_sys::fuzz_target;
use metric_model::Percentile;
use minute_aggregator::{MinuteSketch, Persist, Precision, Sketch};

fuzz_target!(|input: &[u8]| {
    if let Some(sketch) = MinuteSketch::decode(input) {
        assert_eq!(encoded(&sketch), input, "one content, one spelling");
        sound(&sketch);
        let mut more = sketch.clone();
        more.record(1.5);
        assert_eq!(more.count(), sketch.count().saturating_add(1));
        sound(&more);
        let (mut there, mut back) = (sketch.clone(), more.clone());
        there.merge(&more);
        back.merge(&sketch);
        assert_eq!(encoded(&there), encoded(&back), "merging has no order");
        sound(&there);
    }
    recorded(&mut Draw::new(input));
});

fn encoded(sketch: &MinuteSketch) -> Vec<u8> {
    let mut bytes = Vec::new();
    sketch.encode(&mut bytes);
    bytes
}

fn sound(sketch: &MinuteSketch) {
    let counts = sketch.counts();
    assert!(counts.is_sorted_by(|a, b| a.0 < b.0) && counts.iter().all(|(_, count)| *count > 0));
    let all = counts.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
    assert_eq!(all, sketch.count());
    let Some(percentiles) = sketch.percentiles() else {
        assert_eq!(sketch.count(), 0);
        return;
    };
    let (Some(min), Some(max)) = (sketch.at_rank(1), sketch.at_rank(sketch.count())) else { panic!("it has values") };
    let answers = Percentile::ALL.map(|which| percentiles.get(which));
    assert!(answers.is_sorted() && min <= answers[0] && answers[3] <= max, "{min} {answers:?} {max}");
    for (which, answer) in Percentile::ALL.into_iter().zip(answers) {
        assert_eq!(sketch.at_rank(which.rank(sketch.count())), Some(answer));
    }
}

fn recorded(draw: &mut Draw<'_>) {
    let precision = draw.pick(&[Precision::TwoDigits, Precision::ThreeDigits]);
    let mut parts = [(); 3].map(|()| MinuteSketch::with_precision(precision));
    let mut whole = MinuteSketch::with_precision(precision);
    let mut values = Vec::new();
    while !draw.is_empty() && values.len() < 2_000 {
        let (value, part) = (draw.double(), draw.below(4));
        // Bursts, since nobody writes 65 values by hand.
        let (times, part) = if part == 3 { (draw.below(80), 0) } else { (1, part) };
        for n in 0..times {
            let value = value + n as f64;
            whole.record(value);
            parts[part].record(value);
            values.extend(value.is_finite().then_some(value));
        }
    }
    let [a, b, c] = parts;
    let merged = |order: [&MinuteSketch; 3]| {
        let mut sum = MinuteSketch::with_precision(precision);
        order.into_iter().for_each(|part| sum.merge(part));
        encoded(&sum)
    };
    let bytes = encoded(&whole);
    assert!(merged([&a, &b, &c]) == bytes && merged([&c, &a, &b]) == bytes && merged([&b, &c, &a]) == bytes);
    assert_eq!(MinuteSketch::decode(&bytes), Some(whole.clone()));
    sound(&whole);
    values.sort_unstable_by(f64::total_cmp);
    for (place, value) in values.iter().enumerate().step_by(1 + values.len() / 32) {
        let answer = whole.at_rank(place as u64 + 1).expect("a rank of those there are");
        if values.len() <= MinuteSketch::EXACT {
            assert_eq!(answer, *value);
        } else if *value == 0.0 || value.abs() >= f64::MIN_POSITIVE {
            assert!((answer - value).abs() <= value.abs() * precision.relative_error(), "{answer} for {value}");
        }
    }
}
