//! The judge, step by step: what the clocks read, who sent frames of what time, and what it makes of that.

use super::*;

const NOON: i64 = 1_800_000_000;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
const TWO_YEARS: i64 = 730 * DAY;

fn seconds(seconds: i64) -> i64 {
    seconds * SECOND
}

fn reading(wall: i64, steady: i64) -> Reading {
    Reading { wall: seconds(wall), steady: seconds(steady) }
}

/// A judge, and both clocks in seconds: the steady one, and how far the wall clock is from noon and it.
struct Trial {
    judge: Judge,
    steady: i64,
    off: i64,
    news: Vec<News>,
}

impl Trial {
    fn start(last: Option<Last>, believe: bool) -> Self {
        let (judge, news) =
            Judge::new(reading(NOON, 0), last, Duration::from_secs(3_600), Duration::from_secs(120), believe);
        Self { judge, steady: 0, off: 0, news: news.into_iter().collect() }
    }

    /// A server that runs well.
    fn running() -> Self {
        Self::start(Some(Last::Tick(seconds(NOON - 30))), false)
    }

    /// After the last tick, so many seconds ago.
    fn after(down: i64) -> Self {
        Self::start(Some(Last::Tick(seconds(NOON - down))), false)
    }

    /// Lets time pass, a second at a time; in each, these senders' frames are so far from the steady time.
    fn pass(&mut self, time: i64, senders: &[(&str, i64)]) -> &mut Self {
        for _ in 0..time {
            self.steady += 1;
            let now = NOON + self.steady;
            self.news.extend(self.judge.look(reading(now + self.off, self.steady)));
            for (who, from) in senders {
                let _ = self.judge.hear(who, [seconds(now + from - 1), seconds(now + from)].into_iter());
            }
            self.news.extend(self.judge.decide());
        }
        self
    }

    fn jump(&mut self, by: i64) -> &mut Self {
        self.off += by;
        self
    }

    /// Believed time minus the steady time, in seconds.
    fn believed(&self) -> i64 {
        (self.judge.believed().unix_micros() - seconds(NOON + self.steady)) / SECOND
    }
}

#[test]
fn small_steps_are_followed_without_a_word() {
    let mut trial = Trial::running();
    for step in [1, -1, 2, -2, 1, 1] {
        trial.jump(step).pass(10, &[]);
    }
    assert_eq!((trial.believed(), trial.news.len(), trial.judge.may_delete()), (2, 0, true));
}

#[test]
fn two_hours_of_sleep_are_no_jump_since_the_steady_clock_runs_on() {
    let mut trial = Trial::running();
    trial.steady += 2 * HOUR;
    trial.pass(1, &[("shop", 0)]);
    assert_eq!((trial.believed(), trial.news.len()), (0, 0));
}

#[test]
fn two_hours_that_the_steady_clock_missed_are_believed_on_the_word_of_the_only_drain() {
    let mut trial = Trial::running();
    trial.jump(2 * HOUR).pass(1, &[("shop", 2 * HOUR)]);
    assert!(trial.judge.holds(), "what comes now waits: it would be of the future");
    trial.pass(5, &[("shop", 2 * HOUR)]);
    assert_eq!(trial.news, [News::Doubt(seconds(2 * HOUR)), News::Believed(seconds(2 * HOUR))]);
    assert_eq!((trial.believed(), trial.judge.holds()), (2 * HOUR, false));
}

#[test]
fn two_drains_are_believed_at_once() {
    let mut trial = Trial::running();
    trial.jump(2 * HOUR).pass(1, &[("shop", 2 * HOUR), ("blog", 2 * HOUR - 3)]);
    assert_eq!(trial.believed(), 2 * HOUR);
}

#[test]
fn two_years_for_three_seconds_change_nothing() {
    for senders in [&[("shop", 0), ("blog", 0)][..], &[("shop", 0)], &[]] {
        let mut trial = Trial::running();
        trial.jump(TWO_YEARS).pass(3, senders);
        assert!(trial.judge.holds() && trial.believed() == 0);
        trial.jump(-TWO_YEARS).pass(1, senders);
        assert_eq!(trial.news, [News::Doubt(seconds(TWO_YEARS)), News::Returned]);
        assert_eq!((trial.believed(), trial.judge.is_in_doubt()), (0, false));
    }
}

#[test]
fn two_years_for_five_minutes_are_refused_on_the_word_of_frames() {
    for senders in [&[("shop", 0), ("blog", -2)][..], &[("shop", 0)]] {
        let mut trial = Trial::running();
        trial.jump(TWO_YEARS).pass(300, senders);
        assert_eq!(trial.news, [News::Doubt(seconds(TWO_YEARS)), News::Refused(seconds(TWO_YEARS))]);
        assert!(trial.believed() == 0 && trial.judge.is_in_doubt() && !trial.judge.holds());
        trial.jump(-TWO_YEARS).pass(1, senders);
        assert_eq!(trial.news.last(), Some(&News::Returned));
        assert_eq!(trial.believed(), 0);
    }
}

#[test]
fn a_long_jump_that_nobody_speaks_for_is_not_believed_however_long_it_lasts() {
    let mut trial = Trial::running();
    trial.jump(TWO_YEARS).pass(5 * HOUR, &[]);
    assert_eq!((trial.believed(), &trial.news[..]), (0, &[News::Doubt(seconds(TWO_YEARS))][..]));
    // Nor on the word of frames that are of another time.
    trial.pass(HOUR, &[("shop", DAY)]);
    assert!(trial.believed() == 0 && trial.judge.holds());
}

#[test]
fn a_short_jump_that_nobody_speaks_against_is_believed_after_a_minute() {
    for jump in [HOUR, -HOUR, 10] {
        let mut trial = Trial::running();
        trial.jump(jump).pass(60, &[]);
        assert_eq!(trial.believed(), 0, "{jump}");
        trial.pass(1, &[]);
        assert_eq!(trial.believed(), jump);
    }
    let mut trial = Trial::running();
    trial.jump(HOUR).pass(300, &[("shop", 0)]);
    assert_eq!((trial.believed(), trial.news[1]), (0, News::Refused(seconds(HOUR))));
}

#[test]
fn a_day_backwards_is_told_and_the_steady_clock_goes_on() {
    let mut trial = Trial::running();
    trial.jump(-DAY).pass(600, &[("shop", 0), ("blog", 0)]);
    assert_eq!(trial.news, [News::Doubt(seconds(-DAY)), News::Refused(seconds(-DAY))]);
    assert!(trial.believed() == 0 && !trial.judge.holds(), "nothing that comes is of the future");
    trial.jump(DAY).pass(1, &[]);
    assert_eq!(trial.news.last(), Some(&News::Returned));
}

#[test]
fn a_start_soon_after_the_last_tick_is_without_doubt() {
    for down in [0, 1, 60, 119] {
        let trial = Trial::after(down);
        assert!(!trial.judge.is_in_doubt() && trial.judge.may_delete(), "{down}");
    }
    assert!(!Trial::start(None, false).judge.is_in_doubt(), "with nothing to compare it with");
}

#[test]
fn a_start_after_a_day_waits_for_the_word_of_one_drain() {
    let mut trial = Trial::after(26 * HOUR);
    trial.pass(200, &[]);
    assert!(trial.judge.holds());
    trial.pass(6, &[("shop", 0)]);
    assert_eq!(trial.news, [News::Doubt(seconds(26 * HOUR)), News::Believed(seconds(26 * HOUR))]);
    assert_eq!((trial.believed(), trial.judge.holds()), (0, false));
}

#[test]
fn frames_that_waited_while_the_server_was_down_do_not_speak_against_the_time() {
    // Logplex sends what it kept first: lines of half an hour ago, then of less, then of now.
    let mut trial = Trial::after(1_800);
    trial.pass(10, &[("shop", -1_800), ("blog", -1_790)]).pass(10, &[("shop", -900), ("blog", -700)]);
    assert!(trial.judge.holds());
    trial.pass(1, &[("shop", 0), ("blog", 0)]);
    assert_eq!((trial.believed(), trial.judge.holds()), (0, false));
    // Without any of now, it is believed after a minute.
    let mut trial = Trial::after(1_800);
    trial.pass(61, &[("shop", -1_800)]);
    assert_eq!(trial.believed(), 0);
}

#[test]
fn a_start_with_a_wrong_clock_is_put_right_by_frames() {
    let mut trial = Trial::after(TWO_YEARS);
    trial.pass(31, &[("shop", -TWO_YEARS)]);
    assert_eq!(trial.news[1], News::Refused(seconds(TWO_YEARS)));
    assert_eq!(trial.believed(), -TWO_YEARS);
}

#[test]
fn a_start_with_a_clock_that_fell_back_holds_deliveries_until_it_is_right() {
    let mut trial = Trial::after(-50 * DAY);
    trial.pass(100, &[("shop", 51 * DAY)]);
    assert!(trial.judge.holds() && trial.news.len() == 1);
    trial.jump(51 * DAY).pass(6, &[("shop", 51 * DAY)]);
    assert_eq!((trial.believed(), trial.judge.holds()), (51 * DAY, false));
}

#[test]
fn the_operator_is_believed_at_once() {
    let trial = Trial::start(Some(Last::Tick(seconds(NOON - TWO_YEARS))), true);
    assert!(trial.believed() == 0 && !trial.judge.is_in_doubt() && !trial.judge.may_delete());
}

#[test]
fn a_doubt_outlives_a_restart() {
    let last = Last::Doubt { believed: seconds(NOON - 7_300), wall: seconds(NOON - 100) };
    let mut trial = Trial::start(Some(last), false);
    assert!(trial.judge.holds());
    assert_eq!(trial.believed(), -7_200, "the same doubt, and the time that the server was down");
    trial.pass(6, &[("shop", 0)]);
    assert_eq!(trial.believed(), 0);
}

#[test]
fn nothing_is_deleted_before_a_clock_has_been_believed_for_an_hour() {
    let mut trial = Trial::running();
    assert!(trial.judge.may_delete());
    trial.jump(2 * HOUR).pass(1, &[]);
    assert!(!trial.judge.may_delete(), "in doubt");
    trial.pass(6, &[("shop", 2 * HOUR)]);
    assert_eq!(trial.believed(), 2 * HOUR);
    trial.pass(HOUR - 10, &[]);
    assert!(!trial.judge.may_delete());
    trial.pass(20, &[]);
    assert!(trial.judge.may_delete());
}

#[test]
fn a_sender_with_many_tokens_is_one_witness_and_a_second_one_decides() {
    let mut trial = Trial::running();
    trial.jump(TWO_YEARS).pass(300, &[("evil", TWO_YEARS), ("shop", 0)]);
    assert!(trial.believed() == 0 && trial.judge.holds(), "one word against another");
    trial.pass(12, &[("evil", TWO_YEARS), ("shop", 0), ("blog", 0)]);
    assert!(trial.believed() == 0 && !trial.judge.holds());
}

#[test]
fn frames_ahead_of_a_clock_that_was_held_on_to_open_the_case_again() {
    let mut trial = Trial::running();
    trial.jump(4 * HOUR).pass(20, &[("shop", 0)]);
    assert!(!trial.judge.holds());
    trial.pass(1, &[("shop", 2 * HOUR)]);
    assert!(trial.judge.holds(), "it would be of the future");
    trial.pass(6, &[("shop", 4 * HOUR)]);
    assert_eq!(trial.believed(), 4 * HOUR);
}

#[test]
fn a_line_from_the_far_future_is_no_witness() {
    let mut trial = Trial::running();
    trial.jump(2 * HOUR).pass(1, &[]);
    let _ = trial.judge.hear("shop", [seconds(NOON + TWO_YEARS)].into_iter());
    trial.pass(5, &[]);
    assert!(trial.judge.holds());
}

#[test]
fn another_jump_is_another_case() {
    let mut trial = Trial::running();
    trial.jump(HOUR).pass(50, &[]).jump(TWO_YEARS).pass(50, &[]);
    assert!(trial.believed() == 0, "the minute of the first does not count for the second");
    assert_eq!(trial.news, [News::Doubt(seconds(HOUR)), News::Doubt(seconds(HOUR + TWO_YEARS))]);
    let mut extreme = Trial::running();
    extreme.news.extend(extreme.judge.look(Reading { wall: i64::MAX, steady: i64::MAX }));
    extreme.news.extend(extreme.judge.look(Reading { wall: i64::MIN, steady: 0 }));
    let _ = extreme.judge.hear("shop", [i64::MIN, i64::MAX, 0].into_iter());
    let _ = extreme.judge.decide();
}
