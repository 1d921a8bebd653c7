//! Router lines over a given number of groups, by Zipf's law, and the same as observations.

use metric_model::TagSet;
use std::fmt::Write as _;
use testkit::random::Random;

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
const STATUSES: [u16; 4] = [200, 302, 404, 500];

/// A source of router lines: a dyno, a method and a status are a group.
#[derive(Debug)]
pub struct Groups {
    sums: Vec<u64>,
    random: Random,
    written: u64,
}

impl Groups {
    /// So many groups, the second met half as often as the first.
    #[must_use]
    pub fn new(count: u64, seed: u64) -> Self {
        let sums = (1..=count.max(1)).scan(0, |sum, rank| {
            *sum += (1 << 32) / rank;
            Some(*sum)
        });
        Self { sums: sums.collect(), random: Random::new(seed), written: 0 }
    }

    /// The next group.
    pub fn rank(&mut self) -> u64 {
        let at = self.random.below(self.sums.last().copied().unwrap_or_default());
        self.sums.partition_point(|&sum| sum <= at) as u64
    }

    /// A response time in milliseconds.
    pub fn service(&mut self) -> u64 {
        self.random.latency(40)
    }

    /// A body of so many lines, all of one minute.
    #[must_use]
    pub fn body(&mut self, lines: u64) -> Vec<u8> {
        let mut body = Vec::new();
        for _ in 0..lines {
            let (group, service) = (self.rank(), self.service());
            self.written += 1;
            line(&mut body, group, self.written % 60, service);
        }
        body
    }

    /// Octets of the heap that it holds itself.
    #[must_use]
    pub fn heap(&self) -> usize {
        self.sums.capacity() * size_of::<u64>()
    }
}

/// A body with one line of each group.
#[must_use]
pub fn every_stream_once(count: u64) -> Vec<u8> {
    let mut body = Vec::new();
    (0..count).for_each(|group| line(&mut body, group, group % 60, 12 + group % 50));
    body
}

/// The tags of a group as the pipeline writes them.
#[must_use]
pub fn tags(group: u64) -> TagSet {
    let (dyno, method, status) = parts(group);
    TagSet::from_iter([
        ("app_name", "shop"),
        ("dyno", &dyno),
        ("method", method),
        ("source", &dyno),
        ("status_category", &format!("{}xx", status / 100)),
        ("status_code", &status.to_string()),
    ])
}

fn parts(group: u64) -> (String, &'static str, u16) {
    let (method, status) = (group as usize % METHODS.len(), group as usize / METHODS.len() % STATUSES.len());
    (format!("web.{}", group / 20 + 1), METHODS[method], STATUSES[status])
}

fn line(body: &mut Vec<u8>, group: u64, second: u64, service: u64) {
    let (dyno, method, status) = parts(group);
    let mut frame = String::with_capacity(320);
    // Writing to a string cannot fail.
    let _ = writeln!(
        frame,
        "<158>1 2026-03-14T09:00:{second:02}.000000+00:00 host heroku router - at=info method={method} path=\"/orders/{group}\" host=shop.example.com request_id=4a1b9f60-3c1d-4f6e-9b42-7d8e5c2a{:04x} fwd=\"198.51.100.7\" dyno={dyno} connect={}ms service={service}ms status={status} bytes={} protocol=https",
        group % 65_536,
        service % 3,
        service * 31
    );
    body.extend_from_slice(frame.len().to_string().as_bytes());
    body.push(b' ');
    body.extend_from_slice(frame.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_groups_are_different() {
        let all: HashSet<String> = (0..2_000).map(|group| format!("{:?}", tags(group))).collect();
        assert_eq!(all.len(), 2_000);
        assert_eq!(crate::hop(&every_stream_once(500)), 500);
        let mut groups = Groups::new(100, 1);
        assert_eq!(crate::ours::headers(&groups.body(300)), (300, 300));
        assert!((0..1_000).all(|_| groups.rank() < 100));
    }
}
