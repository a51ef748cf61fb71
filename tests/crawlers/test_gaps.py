"""What of the past is missing is named to the day."""

from datetime import date

from crawlers.gaps import empty_days


def day(number: int) -> date:
    return date(2014, 11, number)


def test_days_with_nothing_are_runs_from_first_to_last() -> None:
    days = {day(3), day(4), day(7), date(2014, 12, 1)}
    runs = ((day(1), day(2)), (day(5), day(6)), (day(8), day(30)))
    assert empty_days(days, day(1), day(30)) == runs
    assert empty_days(days - {date(2014, 12, 1)}, None, None) == ((day(5), day(6)),)


def test_a_span_with_nothing_is_one_run_and_one_without_gaps_none() -> None:
    assert empty_days(set(), day(1), day(2)) == ((day(1), day(2)),)
    assert empty_days({day(1), day(2)}, day(1), day(2)) == ()
    assert empty_days(set(), None, None) == ()
