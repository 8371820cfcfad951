"""The fleet: every machine with its newest numbers, searched, sorted and filtered, in fixed queries."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_tenants.utils import schema_context

from accounts.models import Role
from alerts.models import Alert, State
from analysis import rollups
from collectors import registry
from collectors.models import Collector
from partners.models import Partner
from tests.cast import Cast
from tests.samples import minutes, recent, upload

FRAGMENT = {"HX-Request": "true"}
HOSTILE = "<script>alert(1)</script>{{7*7}}"


def add_machines(cast: Cast, names: list[str]) -> None:
    with schema_context(cast.schema):
        for name in names:
            registry.register(name, "", actor="test", ip=None)


def rows(text: str) -> list[str]:
    """Machine ids in the order shown."""
    return re.findall(r'<a id="machine-([^"]+)"', text)


def page(client: Client, query: str = "") -> str:
    answer = client.get(f"/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def queries(client: Client) -> int:
    with CaptureQueriesContext(connection) as captured:
        page(client)
    return len(captured)


def test_one_machine_and_twenty_take_the_same_queries(alpha: Cast) -> None:
    client = alpha.client(Role.VIEWER)
    page(client)
    one = queries(client)
    add_machines(alpha, [f"web-{number}" for number in range(19)])
    assert queries(client) == one
    assert len(rows(page(client))) == 20


def test_newest_numbers_are_shown(alpha: Cast) -> None:
    start = recent(0.5)
    upload(
        alpha,
        {
            "timestamp": minutes(start, 3),
            "cpu_idle": [90.0, 80.0, 58.0],
            "mem_total_mb": [1000.0] * 3,
            "mem_used_mb": [100.0, 200.0, 730.0],
            "disk_io_util": [1.0, 2.0, 33.0],
            "disk_await_ms": [1.0, 2.0, None],
            "load_1min": [0.1, 0.2, 4.5],
        },
    )
    with schema_context(alpha.schema):
        rollups.refresh(timezone.now())  # late samples are in the lines as soon as the worker saw them
    text = page(alpha.client(Role.VIEWER))
    assert "<b>42<i>%</i></b>" in text
    assert "<b>73<i>%</i></b>" in text
    assert "<b>33<i>%</i></b>" in text
    assert re.search(r'data-label="Load">4\.5<', text)
    assert 'class="state live"' in text
    assert '<path class="line" d="M' in text


def test_a_machine_that_never_sent_shows_dashes_not_zeros(alpha: Cast) -> None:
    text = page(alpha.client(Role.VIEWER))
    assert 'class="state never"' in text
    assert "<b>–</b>" in text
    assert "0<i>%" not in text


@pytest.mark.parametrize(("minutes_ago", "state"), [(1, "live"), (20, "late"), (120, "silent")])
def test_the_state_follows_the_last_batch(minutes_ago: int, state: str, alpha: Cast) -> None:
    with schema_context(alpha.schema):
        Collector.objects.update(last_seen=timezone.now() - timedelta(minutes=minutes_ago))
    assert f'<tr class="{state}">' in page(alpha.client(Role.VIEWER))


def test_search_finds_names_hosts_and_tags(alpha: Cast) -> None:
    add_machines(alpha, ["db-1", "web-1"])
    with schema_context(alpha.schema):
        Collector.objects.filter(machine_id="web-1").update(tags=["Frankfurt"], hostname="shop.example")
    client = alpha.client(Role.VIEWER)
    assert rows(page(client, "?q=DB")) == ["db-1"]
    assert rows(page(client, "?q=frank")) == ["web-1"]
    assert rows(page(client, "?q=shop")) == ["web-1"]
    assert "No machine matches" in page(client, "?q=zzz")


def test_a_filter_by_state_keeps_the_counts_of_the_others(alpha: Cast) -> None:
    add_machines(alpha, ["quiet"])
    with schema_context(alpha.schema):
        Collector.objects.filter(machine_id="server1").update(last_seen=timezone.now())
    text = page(alpha.client(Role.VIEWER), "?state=never")
    assert rows(text) == ["quiet"]
    assert 'id="state-live"' in text


def test_sorting_puts_the_largest_first_and_the_unknown_last(alpha: Cast) -> None:
    add_machines(alpha, ["a-unknown", "b-low"])
    upload(alpha, {"timestamp": minutes(recent(0.5), 1), "load_1min": [9.0]})
    low = Cast(alpha.partner, alpha.host, "")
    with schema_context(alpha.schema):
        collector = Collector.objects.get(machine_id="b-low")
        with connection.cursor() as cursor:
            cursor.execute(
                'INSERT INTO analysis_data (collector_id, "timestamp", load_1min) VALUES (%s, %s, 1)',
                [collector.pk, recent(0.5)],
            )
    client = low.client(Role.VIEWER)
    assert rows(page(client, "?sort=load")) == ["server1", "b-low", "a-unknown"]
    assert rows(page(client, "?sort=-load")) == ["b-low", "server1", "a-unknown"]
    assert rows(page(client, "?sort=name")) == ["a-unknown", "b-low", "server1"]
    assert rows(page(client, "?sort=-name")) == ["server1", "b-low", "a-unknown"]


@pytest.mark.parametrize("query", ["?sort=nonsense", "?state=nonsense", "?q=" + "x" * 300, "?sort=%00&q=%00"])
def test_nonsense_in_the_address_shows_the_fleet(query: str, alpha: Cast) -> None:
    assert alpha.client(Role.VIEWER).get(f"/{query}").status_code == 200


def test_the_refreshed_part_keeps_search_and_order(alpha: Cast) -> None:
    answer = alpha.client(Role.VIEWER).get("/?q=server&sort=-load&state=never", headers=FRAGMENT)
    text = answer.content.decode()
    assert "<html" not in text
    assert 'hx-get="/?q=server&amp;sort=-load&amp;state=never"' in text
    assert 'name="sort" value="-load" form="filter"' in text
    assert 'hx-trigger="every 10s"' in text


def test_going_back_gets_the_whole_page(alpha: Cast) -> None:
    headers = {**FRAGMENT, "HX-History-Restore-Request": "true"}
    assert "<html" in alpha.client(Role.VIEWER).get("/", headers=headers).content.decode()


def test_an_empty_fleet_says_what_to_do(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        Collector.objects.update(active=False)
    assert "Paste one line on a Linux server" in page(alpha.client(Role.ADMIN))
    viewer = page(alpha.client(Role.VIEWER))
    assert "as soon as an Admin of Alpha adds one" in viewer
    assert "Paste one line" not in viewer


def test_a_hostile_host_name_is_text(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        Collector.objects.update(hostname=HOSTILE, tags=[HOSTILE])
    for path in ("/", "/machines/server1", "/manage/machines"):
        text = alpha.client(Role.ADMIN).get(path).content.decode()
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}" in text


def test_generated_data_is_labelled_on_every_page(alpha: Cast) -> None:
    Partner.objects.filter(pk=alpha.partner.pk).update(is_generated=True)
    client = alpha.client(Role.ADMIN)
    for path in ("/", "/machines/server1", "/manage/machines", "/add", "/password", "/machines/nope"):
        assert "Generated data." in client.get(path).content.decode()
    assert "Generated data." in alpha.client().get("/sign-in").content.decode()


def tag(cast: Cast, tags: dict[str, list[str]]) -> None:
    with schema_context(cast.schema):
        for name, given in tags.items():
            Collector.objects.filter(machine_id=name).update(tags=given)


def headings(text: str) -> list[str]:
    """Group by group: its title and its summary."""
    found = re.findall(r'<th scope="rowgroup"[^>]*><span dir="auto">([^<]*)</span> <span class="quiet">([^<]*)<', text)
    return [" · ".join(part) for part in found]


@pytest.fixture
def tagged(alpha: Cast) -> Cast:
    add_machines(alpha, ["db-1", "web-1", "web-2"])
    tag(alpha, {"db-1": ["site:berlin", "db"], "web-1": ["site:paris", "web"], "web-2": ["site:paris", "web"]})
    return alpha


def test_a_filter_by_tag_takes_whole_tags(tagged: Cast) -> None:
    client = tagged.client(Role.VIEWER)
    assert rows(page(client, "?tag=web")) == ["web-1", "web-2"]
    assert rows(page(client, "?tag=we")) == []
    assert "<option selected>web</option>" in page(client, "?tag=web")


def test_groups_by_tag_show_a_machine_in_each_of_its_groups_and_the_untagged_last(tagged: Cast) -> None:
    text = page(tagged.client(Role.VIEWER), "?group=tag")
    assert headings(text) == [
        "db · 1 machine, 1 never", "site:berlin · 1 machine, 1 never", "site:paris · 2 machines, 2 never",
        "web · 2 machines, 2 never", "Without a tag · 1 machine, 1 never",
    ]  # fmt: skip
    assert len(re.findall(r'href="/machines/web-1"', text)) == 2
    ids = re.findall(r'id="([^"]+)"', text)
    assert len(ids) == len(set(ids))


def test_groups_by_a_key_of_tags_are_its_values(tagged: Cast) -> None:
    text = page(tagged.client(Role.VIEWER), "?group=site")
    assert [heading.split(" ·")[0] for heading in headings(text)] == ["berlin", "paris", "Without a tag"]
    assert '<option value="site" selected>By site</option>' in text


def test_every_link_of_the_page_keeps_the_rest_of_the_view(tagged: Cast) -> None:
    text = page(tagged.client(Role.VIEWER), "?q=e&tag=web&group=site&sort=cpu&state=never")
    queries_kept = re.findall(r'id="(?:sort|state)-\w+" href="\?([^"]*)"', text)
    assert len(queries_kept) >= 11
    assert all("q=e&amp;" in query and "tag=web&amp;group=site" in query for query in queries_kept)


def test_many_machines_come_in_pages_in_one_order(tagged: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.fleet.PAGE_SIZE", 3)
    client = tagged.client(Role.VIEWER)
    assert rows(page(client)) == ["db-1", "server1", "web-1"]
    assert rows(page(client, "?page=2")) == ["web-2"]
    assert rows(page(client, "?page=99")) == ["web-2"]
    assert rows(page(client, "?page=x")) == ["db-1", "server1", "web-1"]
    assert 'hx-get="/?page=2"' in page(client, "?page=2")


def test_the_fullest_filesystem_is_shown_and_sorted_by(alpha: Cast) -> None:
    start = recent(0.2)
    columns: dict[str, list[Any]] = {
        "timestamp": [start] * 2 + [start + timedelta(minutes=1)] * 2, "mount": ["/", "/var"] * 2,
        "used_percent": [99.0, 50.0, 20.0, 87.0],
    }  # fmt: skip
    upload(alpha, columns, dataset="filesystems")
    add_machines(alpha, ["a-new"])
    text = page(alpha.client(Role.VIEWER), "?sort=fullest")
    cell = text.split('data-label="Fullest disk">')[1].split("</td>")[0]
    assert "<b>87<i>%</i></b>" in cell
    assert "/var" in cell
    assert rows(text) == ["server1", "a-new"]


def test_hostile_tags_are_text_everywhere(alpha: Cast) -> None:
    tag(alpha, {"server1": [HOSTILE, 'x" onmouseover="alert(1)']})
    for query in ("", "?group=tag", f"?tag={HOSTILE}"):
        text = page(alpha.client(Role.VIEWER), query)
        assert "<script>alert" not in text
        assert 'onmouseover="alert' not in text


def test_open_alerts_stand_beside_their_machines_and_the_worst_come_first(alpha: Cast) -> None:
    add_machines(alpha, ["web-1", "web-2", "web-3"])
    now = timezone.now()
    with schema_context(alpha.schema):
        machine = Collector.objects.get(machine_id="web-2")
        shared = {"rule_name": "t", "state": State.FIRING, "since": now, "fired_at": now, "evaluated_at": now}
        Alert.objects.create(severity="warning", collector=machine, target="machine:2", **shared)
        Alert.objects.create(severity="info", collector=machine, target="machine:2/a", **shared)
        Alert.objects.create(severity="critical", members=["web-3", "server1"], target="cause:many", **shared)
        gone = {**shared, "state": State.RESOLVED, "severity": "critical", "resolved_at": now}
        Alert.objects.create(collector=Collector.objects.get(machine_id="web-1"), target="machine:1", **gone)
    text = page(alpha.client(Role.VIEWER), "?sort=alerts")
    assert 'title="2 open alerts, the worst warning">2</a>' in text
    assert text.count('title="1 open alert, the worst critical">1</a>') == 2
    order = [text.index(f">{name}</a>") for name in ("server1", "web-3", "web-2", "web-1")]
    assert order == sorted(order)
