"""What repeats and what breaks the pattern, on series whose truth is known; and the arithmetic against SciPy."""

from __future__ import annotations

import numpy as np
import pytest

from analysis import trends
from reports import patterns, statistics
from reports.patterns import Hourly
from reports.statistics import HOUR, Values
from tests.reports import machines

START = machines.START // 3600


def hourly(days: int, seed: int = 1) -> Hourly:
    dice = np.random.default_rng(seed)
    hours = START + np.arange(days * 24, dtype=np.int64)
    return Hourly(hours, 30 + 15 * np.sin(hours / 24 * 2 * np.pi) + dice.normal(0, 1, hours.size))


def test_a_burst_off_the_pattern_is_found_where_it_is() -> None:
    series = hourly(14)
    series.means[100:103] += 30
    found = patterns.find_anomalies(series, 10)
    assert found is not None
    (anomaly,) = found
    assert (anomaly.start, anomaly.end) == (START + 100, START + 103)
    assert anomaly.mean - anomaly.usual == pytest.approx(30, abs=4)


def test_the_daily_peak_is_no_anomaly_and_a_pattern_needs_five_days() -> None:
    assert patterns.find_anomalies(hourly(14), 5) == []
    assert patterns.find_anomalies(hourly(4), 5) is None
    assert patterns.find_changes(hourly(4), 5) is None


def test_a_quiet_weekend_is_no_anomaly_once_three_weeks_are_known() -> None:
    series = hourly(28)
    weekend = (series.hours // 24 + 3) % 7 >= 5
    series.means[weekend] -= 14
    assert patterns.find_anomalies(series, 5) == []


def test_a_lasting_step_is_a_change_and_no_anomaly() -> None:
    series = hourly(14)
    series.means[200:] += 12
    found = patterns.find_changes(series, 5)
    assert found is not None
    (change,) = found
    assert abs(change.hour - (START + 200)) <= 2
    assert change.after - change.before == pytest.approx(12, abs=1.5)
    assert patterns.find_anomalies(series, 8) == []


def test_a_slow_rise_is_a_trend_and_no_change() -> None:
    series = hourly(14)
    series.means[:] += np.linspace(0, 25, series.means.size)
    assert patterns.find_changes(series, 5) == []


def test_a_forecast_holds_what_comes_nine_times_in_ten() -> None:
    whole = hourly(28)
    found = patterns.forecast(Hourly(whole.hours[:504], whole.means[:504]))
    assert not isinstance(found, str)
    known = whole.means[504 : 504 + found.hours.size]
    inside = (found.low <= known) & (known <= found.high)
    assert 0.8 <= inside.mean() <= 1
    assert found.error == pytest.approx(float(np.abs(known - found.middle).mean()), rel=0.4)


def test_a_forecast_follows_a_certain_trend() -> None:
    series = hourly(14)
    series.means[:] += np.arange(series.means.size) / 24 * 2
    found = patterns.forecast(series)
    assert not isinstance(found, str)
    assert found.middle.mean() == pytest.approx(30 + 2 * (14 + 3.5), abs=2)


def test_a_forecast_refuses_short_history_and_a_broken_pattern() -> None:
    assert "too short" in str(patterns.forecast(hourly(6)))
    broken = hourly(14)
    broken.means[170:] += 15
    assert "no pattern" in str(patterns.forecast(broken))


def test_a_correlation_knows_who_follows_whom() -> None:
    dice = np.random.default_rng(4)
    times = np.arange(7 * 1440, dtype=np.int64) * 60_000
    cause = np.repeat(dice.gamma(2, 5, 7 * 96), 15)
    effect = np.roll(cause, 45) + dice.normal(0, 1, cause.size)
    found = patterns.correlate(times, {"a": cause, "b": effect, "c": dice.normal(0, 1, cause.size)})
    now, best, lag = found["a", "b"]
    assert abs(now) < 0.3
    assert best > 0.8
    assert lag == 3
    assert abs(found["a", "c"][1]) < 0.3


def test_a_shared_rhythm_of_the_day_is_no_correlation() -> None:
    dice = np.random.default_rng(5)
    times = np.arange(7 * 1440, dtype=np.int64) * 60_000
    rhythm = np.sin(times / (24 * HOUR) * 2 * np.pi) * 20
    found = patterns.correlate(
        times, {"a": rhythm + dice.normal(0, 1, times.size), "b": rhythm + dice.gamma(2, 1, times.size)}
    )
    assert abs(found["a", "b"][1]) < 0.3


def columns(seed: int) -> tuple[Values, Values]:
    dice = np.random.default_rng(seed)
    first = np.round(dice.gamma(2, 3, 400), 1)
    return first, first * dice.normal(0.5, 1, 400)


@pytest.mark.parametrize("seed", range(3))
def test_rank_correlation_equals_scipy(seed: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    first, second = columns(seed)
    assert patterns.rank_correlation(first, second) == pytest.approx(stats.spearmanr(first, second).statistic)


@pytest.mark.parametrize("days", [7, 14, 30])
def test_the_slope_and_its_interval_equal_scipy(days: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(days).normal(50, 5, days * 24) + np.arange(days * 24) / 24
    times = np.arange(values.size, dtype=np.int64) * HOUR
    found = trends.fit_trend(times, values)
    number, means = trends.daily_means(times, values)
    slope, _, low, high = stats.theilslopes(means, number, 0.95)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.per_day == pytest.approx(slope)
    assert found.low <= low + 1e-12
    assert found.high >= high - 1e-12
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.15)


def test_percentiles_and_the_distribution_equal_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    values = columns(7)[0]
    found = statistics.summarise(np.arange(values.size, dtype=np.int64), values)
    assert found is not None
    assert found.p99 == pytest.approx(stats.scoreatpercentile(values, 99))
    steps = statistics.cumulate(values)
    wanted = stats.ecdf(values).cdf
    for value, share in steps[1:]:
        assert float(wanted.evaluate(value)) * 100 == pytest.approx(share, abs=3)
