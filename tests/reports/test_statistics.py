"""The arithmetic of reports against numbers worked out another way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import trends
from reports import statistics
from reports.statistics import DAY, HOUR, Times

MINUTE = 60_000


def minutes(count: int, start: int = 0) -> Times:
    return start + np.arange(count, dtype=np.int64) * MINUTE


def test_a_summary_equals_numpy_on_the_measured_values() -> None:
    values = np.random.default_rng(3).gamma(2, 10, 1000)
    values[::7] = np.nan
    kept = values[~np.isnan(values)]
    found = statistics.summarise(minutes(1000), values)
    assert found is not None
    assert found.count == kept.size
    assert found.mean == pytest.approx(kept.mean())
    assert (found.median, found.p95, found.p99) == pytest.approx(tuple(np.percentile(kept, [50, 95, 99])))
    assert found.maximum == kept.max()
    assert values[found.at // MINUTE] == kept.max()


def test_nothing_measured_has_no_summary() -> None:
    assert statistics.summarise(minutes(3), np.full(3, np.nan)) is None


def test_coverage_counts_expected_samples_from_the_median_interval() -> None:
    times = np.delete(minutes(100), range(40, 60))
    found = statistics.cover(times)
    assert (found.seen, found.expected, found.interval) == (80, 100, MINUTE)
    assert found.share == pytest.approx(0.8)


def test_a_gap_is_longer_than_two_intervals() -> None:
    two = np.delete(minutes(50), [10])
    three = np.delete(minutes(50), [10, 11])
    assert statistics.cover(two).gaps == ()
    (gap,) = statistics.cover(three).gaps
    assert (gap.start, gap.end) == (9 * MINUTE, 12 * MINUTE)


def test_one_sample_is_covered_whole() -> None:
    found = statistics.cover(minutes(1))
    assert (found.seen, found.expected, found.interval, found.gaps) == (1, 1, 0, ())


def test_downsampling_keeps_peaks_and_gaps() -> None:
    times = np.delete(minutes(10_080), range(3000, 3400))
    values = np.random.default_rng(1).gamma(2, 3, times.size)
    values[5000] = 999
    found = statistics.downsample(times, values, MINUTE, 480)
    assert found.times.size <= 480
    assert np.nanmax(found.maximum) == 999
    assert np.nanmin(found.minimum) == values.min()
    assert np.isnan(found.mean).sum() >= 15


def test_a_short_series_keeps_its_samples_and_breaks_at_gaps() -> None:
    times = np.delete(minutes(20), [5, 6, 7])
    found = statistics.downsample(times, np.ones(17), MINUTE)
    assert np.isnan(found.mean).sum() == 1
    assert found.times.size == 18


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1e6) | st.just(float("nan")), min_size=1, max_size=400), st.integers(2, 50))
def test_buckets_hold_every_value_between_their_bounds(numbers: list[float], points: int) -> None:
    values = np.array(numbers)
    found = statistics.downsample(minutes(values.size), values, MINUTE, points)
    if np.isnan(values).all():
        assert np.isnan(found.mean).all()
        return
    assert np.nanmin(found.minimum) == np.nanmin(values)
    assert np.nanmax(found.maximum) == np.nanmax(values)
    kept = ~np.isnan(found.mean)
    assert (found.mean[kept] >= found.minimum[kept] - 1e-6).all()
    assert (found.mean[kept] <= found.maximum[kept] + 1e-6).all()


def test_the_longest_run_and_the_share_above_a_threshold() -> None:
    values = np.array([1, 9, 9, np.nan, 9, 1, 9, 1.0])
    found = statistics.exceed(values, 9)
    assert (found.count, found.samples, found.longest) == (4, 7, 3)
    assert statistics.exceed(values, 1, below=True).count == 3


def test_a_trend_is_found_under_a_daily_rhythm_and_an_outlier() -> None:
    times = minutes(10 * 1440)
    values = times / DAY * 2 + 30 * np.sin(times / DAY * 2 * np.pi)
    values[4000:4200] += 500
    found = trends.fit_trend(times, values)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.per_day == pytest.approx(2, abs=0.05)
    assert found.low <= 2 <= found.high
    assert found.is_certain


def test_a_flat_noisy_series_has_no_certain_trend() -> None:
    wrong = 0
    for seed in range(40):
        values = np.random.default_rng(seed).normal(50, 10, 14 * 24)
        times = np.arange(values.size, dtype=np.int64) * HOUR
        found = trends.fit_trend(times, values)
        wrong += found is not None and found.is_certain
    assert wrong <= 4


def test_a_trend_is_refused_under_three_days_and_has_no_interval_under_five() -> None:
    values = np.arange(5 * 1440, dtype=float)
    assert trends.fit_trend(minutes(2880), values[:2880]) is None
    found = trends.fit_trend(minutes(4 * 1440), values[: 4 * 1440])
    assert found is not None
    assert found.low is None
    assert not found.is_certain


def test_hours_of_the_day_are_means_of_wall_clock_hours() -> None:
    times = minutes(48 * 60)
    values = (times // HOUR % 24).astype(float)
    found = statistics.day_hour_means(times, values)
    assert len(found) == 48
    assert all(mean == hour for (_, hour), mean in found.items())


def test_histogram_and_distribution_account_for_every_sample() -> None:
    values = np.random.default_rng(2).gamma(2, 3, 500)
    bins = statistics.histogram(values)
    assert sum(share for _, _, share in bins) == pytest.approx(100)
    steps = statistics.cumulate(values)
    assert steps[0] == (values.min(), 0)
    assert steps[-1] == (values.max(), 100)
    assert statistics.cumulate(np.full(3, np.nan)) == []
