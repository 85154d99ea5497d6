use super::*;

#[test]
fn an_old_secret_can_go_once_only_the_new_one_is_used() {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    let after = |hours: u64, seconds| {
        let passed = Duration::from_secs(hours * HOUR + seconds);
        Timestamp::MIN.checked_add(passed).expect("an instant")
    };
    let taken_over = after(24, 0);
    let at = |seconds| after(24, seconds);
    let last = |at| LastUse { at, address: None };
    let before = last(after(0, 0));
    let used = |seconds| last(at(seconds));
    for (new, old, now, expected) in [
        (None, None, HOUR, Retirement::NewUnused),
        (None, Some(before), HOUR, Retirement::NewUnused),
        (Some(used(1)), Some(before), HOUR - 1, Retirement::TooSoon),
        (Some(used(1)), Some(before), HOUR, Retirement::Safe(Some(before))),
        (Some(used(1)), None, HOUR, Retirement::Safe(None)),
        (Some(used(1)), Some(used(MINUTE)), 2 * MINUTE, Retirement::StillUsed(used(MINUTE))),
        (None, Some(used(MINUTE)), 2 * HOUR, Retirement::StillUsed(used(MINUTE))),
        (Some(used(1)), Some(used(MINUTE)), 24 * HOUR, Retirement::StillUsed(used(MINUTE))),
        (Some(used(1)), Some(used(MINUTE)), 24 * HOUR + MINUTE, Retirement::Safe(Some(used(MINUTE)))),
        (None, Some(used(MINUTE)), 24 * HOUR + MINUTE, Retirement::NewUnused),
    ] {
        assert_eq!(Retirement::judge(taken_over, new, old, at(now)), expected, "{new:?} {old:?} {now}");
    }
}
