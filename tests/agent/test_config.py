"""Settings: the file, the environment over it, and one clear sentence for what is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from agent import config
from agent.config import Config, ConfigError


def load(tmp_path: Path, text: str = "", **environment: str) -> Config:
    path = tmp_path / "agent.conf"
    path.write_text(text)
    return config.load({"PERFAGENT_CONFIG": str(path), **environment})


def test_the_defaults_are_those_of_the_documentation(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert settings.machine_id == os.uname().nodename
    assert (settings.sample_seconds, settings.upload_seconds) == (60, 300)
    assert settings.spool_dir == "/var/lib/perfagent"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    text = "# a comment\n[agent]\nurl = https://a.example\nsample_seconds = 5\n"
    settings = load(tmp_path, text, PERFAGENT_URL="https://b.example:8443")
    assert (settings.url, settings.sample_seconds) == ("https://b.example:8443", 5)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("URL", "portal.example", "must look like https://"),
        ("URL", "ftp://portal.example", "must look like https://"),
        ("URL", "https://user:pw@portal.example", "must look like https://"),
        ("URL", "https://portal.example:99999", "must look like https://"),
        ("URL", "https://portal.example/?q=1", "must look like https://"),
        ("KEY", "with space", "is no key"),
        ("KEY", "k\r\nX: y", "holds a control character"),
        ("SAMPLE_SECONDS", "0", "from 1 to 3600"),
        ("SAMPLE_SECONDS", "1e3", "from 1 to 3600"),
        ("UPLOAD_SECONDS", "-5", "from 1 to 86400"),
        ("SPOOL_MAX_MB", "nan", "must be a number"),
        ("SPOOL_DIR", "relative/path", "must be an absolute path"),
        ("MACHINE_ID", "x" * 256, "1 to 255 characters"),
        ("RELAY_LISTEN", "8080", "must be host:port"),
    ],
)
def test_a_wrong_value_is_one_sentence(tmp_path: Path, name: str, value: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        load(tmp_path, **{f"PERFAGENT_{name}": value})


def test_a_wrong_line_is_named_by_its_number(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="line 2: expected"):
        load(tmp_path, "url = https://a.example\nuurl = x\n")


def test_a_file_that_was_asked_for_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        config.load({"PERFAGENT_CONFIG": str(tmp_path / "none")})


def test_the_key_shows_in_no_error_and_no_repr(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, PERFAGENT_KEY="my secret key")
    assert "secret" not in str(caught.value)
    assert "pfa_hidden_key" not in repr(load(tmp_path, PERFAGENT_KEY="pfa_hidden_key"))


def test_an_upload_needs_a_url_and_a_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="PERFAGENT_URL is not set"):
        config.need_portal(load(tmp_path))
    with pytest.raises(ConfigError, match="PERFAGENT_KEY is not set"):
        config.need_portal(load(tmp_path, PERFAGENT_URL="https://a.example"))


def test_every_setting_is_in_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "agent.md").read_text()
    missing = [name for name in Config.__dataclass_fields__ if f"`PERFAGENT_{name.upper()}`" not in text]
    assert missing == []
