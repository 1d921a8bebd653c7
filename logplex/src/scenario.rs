//! The scenarios: what may be odd about a delivery, by name, and which oddities fall on which delivery.

use crate::batch::Oddities;
use clap::ValueEnum;
use testkit::random::Random;

/// What a drain may meet, and a receiver has to take.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Scenario {
    /// L10 frames in front, and messages without LF: the next length follows at once
    Glued,
    /// What was stored comes again under its id, with an L10 frame that is not to count
    ChangedRetry,
    /// No frame id and no drain token, as from Private Spaces; most have an X-Request-Id
    Bare,
    /// Logplex-Msg-Count is too high, too low, no number or absent
    WrongCount,
    /// Frames of more than 64 KiB among others
    Oversize,
    /// Messages that are not UTF-8: around metrics, in paths, in tags
    InvalidUtf8,
    /// Bodies come in small pieces with pauses between them
    SlowBody,
    /// Bodies without a length (Transfer-Encoding: chunked)
    Chunked,
    /// Bodies are compressed (Content-Encoding: gzip)
    Gzip,
    /// The sender hangs up in the middle of a body, or before the answer; and tries again
    TimeOut,
    /// A wrong password; what is answered with a 4xx is lost, and an L10 frame says so
    Dropped,
    /// Every delivery comes 1 to 5 times, in and out of order
    Repeat,
    /// All of them at once
    All,
    /// Print these names and what they mean
    List,
}

impl Scenario {
    /// Whether it can be seen in the frames alone.
    const fn shows_in_bodies(self) -> bool {
        use Scenario::{Dropped, Glued, Gzip, InvalidUtf8, Oversize, Repeat};
        matches!(self, Glued | Dropped | Gzip | InvalidUtf8 | Oversize | Repeat)
    }

    /// The name and the meaning, a line each.
    pub(crate) fn list() -> String {
        let of = |value: &clap::builder::PossibleValue| {
            format!("{:<15} {}\n", value.get_name(), value.get_help().map(ToString::to_string).unwrap_or_default())
        };
        let named = Self::value_variants().iter().filter(|scenario| **scenario != Self::List);
        named.filter_map(|scenario| scenario.to_possible_value().as_ref().map(of)).collect()
    }
}

/// The scenarios that were asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scenarios(Vec<Scenario>);

impl Scenarios {
    pub(crate) fn new(named: &[Scenario]) -> Self {
        let all = named.contains(&Scenario::All);
        let wanted = |scenario: &&Scenario| {
            !matches!(scenario, Scenario::All | Scenario::List) && (all || named.contains(scenario))
        };
        Self(Scenario::value_variants().iter().filter(wanted).copied().collect())
    }

    pub(crate) fn has(&self, scenario: Scenario) -> bool {
        self.0.contains(&scenario)
    }

    /// Those that a file of bodies cannot show.
    pub(crate) fn not_in_bodies(&self) -> Vec<String> {
        let values =
            self.0.iter().filter(|scenario| !scenario.shows_in_bodies()).filter_map(Scenario::to_possible_value);
        values.map(|value| value.get_name().to_owned()).collect()
    }

    /// What is odd about the delivery of this number: each scenario falls on one of every four, whichever.
    pub(crate) fn draw(&self, random: &mut Random, seed: u64, number: u64) -> Habits {
        let mut places = Random::new(seed ^ (number / 4).rotate_left(32));
        let mut draw = |scenario| places.below(4) == number % 4 && self.has(scenario);
        let (glued, oversize, invalid) = (draw(Scenario::Glued), draw(Scenario::Oversize), draw(Scenario::InvalidUtf8));
        let (changed, slow) = (draw(Scenario::ChangedRetry), draw(Scenario::SlowBody));
        let (chunked, hang_up) = (draw(Scenario::Chunked), draw(Scenario::TimeOut));
        let (count, refused) = (draw(Scenario::WrongCount), draw(Scenario::Dropped));
        let repeat = self.has(Scenario::Repeat);
        Habits {
            oddities: Oddities { glued, oversize, invalid },
            invented_loss: if glued { random.between(1, 900) } else { 0 },
            count: match random.below(4) {
                _ if !count => MessageCount::Right,
                0 => MessageCount::Off(1 + random.below(9)),
                1 => MessageCount::Short,
                2 => MessageCount::Words,
                _ => MessageCount::Absent,
            },
            pace: match (slow, chunked) {
                (true, _) => Pace::Slow,
                (_, true) => Pace::Chunked,
                _ => Pace::Whole,
            },
            gzip: self.has(Scenario::Gzip),
            identity: match (self.has(Scenario::Bare), random.below(4)) {
                (false, _) => Identity::Logplex,
                (true, 0) if !changed => Identity::None,
                (true, _) => Identity::Request,
            },
            mishap: match random.below(2) {
                _ if changed => Some(Mishap::AnswerLostBodyChanged(random.between(1, 900))),
                _ if !hang_up => None,
                0 => Some(Mishap::AnswerLost),
                _ => Some(Mishap::CutOff),
            },
            wrong_password: refused,
            copies: if repeat { random.below(5) } else { 0 },
            held_for: if repeat && random.chance(250) { random.between(1, 16) } else { 0 },
        }
    }
}

/// What is odd about one delivery.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    pub(crate) oddities: Oddities,
    /// Messages that an L10 frame claims to be lost although none was; 0 for no such frame.
    pub(crate) invented_loss: u64,
    pub(crate) count: MessageCount,
    pub(crate) pace: Pace,
    pub(crate) gzip: bool,
    pub(crate) identity: Identity,
    pub(crate) mishap: Option<Mishap>,
    pub(crate) wrong_password: bool,
    /// How often it comes again after it was acknowledged.
    pub(crate) copies: u64,
    /// How many deliveries overtake it.
    pub(crate) held_for: u64,
}

/// What `Logplex-Msg-Count` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MessageCount {
    Right,
    /// So many too many.
    Off(u64),
    /// One too few.
    Short,
    Words,
    Absent,
}

/// How a body goes over the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pace {
    Whole,
    Slow,
    Chunked,
    /// Half of it, then nothing more.
    Half,
}

/// Which headers name a delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Identity {
    /// `Logplex-Frame-Id` and `Logplex-Drain-Token`.
    Logplex,
    /// `X-Request-Id` alone.
    Request,
    None,
}

/// What goes wrong on a delivery's first try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mishap {
    /// The connection ends in the middle of the body.
    CutOff,
    /// The answer does not reach the sender.
    AnswerLost,
    /// The same, and until the next try so many more messages are lost, so that the body changes.
    AnswerLostBodyChanged(u64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_every_one() {
        let all = Scenarios::new(&[Scenario::All]);
        assert_eq!(all.0.len() + 2, Scenario::value_variants().len());
        assert_eq!(Scenario::list().lines().count(), all.0.len() + 1);
        let one = Scenarios::new(&[Scenario::Bare, Scenario::Bare]);
        assert!(one.has(Scenario::Bare) && one.0.len() == 1);
        assert_eq!(one.not_in_bodies(), ["bare"]);
    }

    #[test]
    fn every_fourth_is_odd() {
        let mut random = Random::new(1);
        let scenarios = Scenarios::new(&[Scenario::Dropped]);
        let odd: Vec<u64> = (0..400).filter(|number| scenarios.draw(&mut random, 1, *number).wrong_password).collect();
        assert!(odd.iter().map(|number| number / 4).eq(0..100), "one of every four");
        assert!((0..4).all(|index| odd.iter().any(|number| number % 4 == index)), "whichever");
    }

    #[test]
    fn nothing_is_odd_unless_asked_for() {
        let mut random = Random::new(1);
        for number in 0..100 {
            let habits = Scenarios::default().draw(&mut random, 1, number);
            let odd = habits.oddities.glued || habits.oddities.oversize || habits.oddities.invalid;
            assert!(!odd && !habits.gzip && !habits.wrong_password && habits.mishap.is_none());
            assert_eq!((habits.count, habits.pace), (MessageCount::Right, Pace::Whole));
            assert_eq!((habits.identity, habits.copies, habits.held_for), (Identity::Logplex, 0, 0));
        }
    }
}
