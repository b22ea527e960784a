"""The steps of the container: what they copy is there, and what they run has the options it is given."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]

if not (ROOT / "Dockerfile").exists():
    pytest.skip("the tests do not stand in the repository", allow_module_level=True)


def test_the_container_copies_what_there_is_and_runs_as_nobody_in_particular():
    steps = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    for copied in re.findall(r"^COPY (.+) \./", steps, flags=re.M):
        for name in copied.split():
            assert name == "model[s]" or (ROOT / name).exists()
            assert name == "model[s]" or f"!{name}" in (ROOT / ".dockerignore").read_text(encoding="utf-8")
    assert re.search(r"^USER affekt$", steps, flags=re.M)
    assert "/ready" in steps
    assert 'ENTRYPOINT ["affekt", "serve", "--host", "0.0.0.0"]' in steps
    [torch] = re.findall(r"^torch==(.+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), flags=re.M)
    assert f"torch=={torch}" in steps


def test_prometheus_asks_the_port_that_the_container_opens():
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    asked = yaml.safe_load(compose["configs"]["prometheus"]["content"])
    assert asked["scrape_configs"][0]["static_configs"] == [{"targets": ["affekt:8000"]}]
    assert "EXPOSE 8000" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
