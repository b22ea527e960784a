"""`affekt serve`: what its options set, and what it refuses before a model is opened."""

import socket

import pytest

from affekt.errors import UsageError

server = pytest.importorskip("affekt.serving.server", reason="the extra 'serve' is not installed")


def test_options_become_settings_and_none_sets_what_is_written_down(verb, monkeypatch, tmp_path):
    told = []
    monkeypatch.setattr(server, "run", lambda settings, **more: told.append((settings, more)))
    keys = tmp_path / "keys"
    keys.write_text("# ours\nsesame\n", encoding="utf-8")
    verb("serve")
    sizes = ("--max-queue", "9", "--max-batch-tokens", "99", "--max-texts", "3", "--max-body", "1000")
    origins = ("--cors", "https://a.example", "--cors", "https://b.example")
    where = ("--host", "0.0.0.0", "--port", "80", "--workers", "3")
    verb("serve", "--model", "mine", "--cache-mb", "0", "--api-key-file", keys, *sizes, *origins, *where)
    (usual, there), (settings, elsewhere) = told
    assert there == {"host": "127.0.0.1", "port": 8000, "workers": 1}
    assert (usual.model, usual.keys, usual.origins, usual.limits.cache) == (None, (), (), 64 * 2**20)
    assert elsewhere == {"host": "0.0.0.0", "port": 80, "workers": 3}
    assert (settings.model, settings.keys) == ("mine", ("sesame",))
    assert settings.origins == ("https://a.example", "https://b.example")
    limits = settings.limits
    assert (limits.cache, limits.queue, limits.batch_tokens, limits.texts, limits.body) == (0, 9, 99, 3, 1000)


def test_keys_that_are_not_there_and_a_port_that_is_taken_are_refused_at_once(verb, classifier, tmp_path):
    with pytest.raises(UsageError, match=r"keys: the keys cannot be read"):
        verb("serve", "--api-key-file", tmp_path / "keys")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageError, match="nothing can listen on"):
            verb("serve", "--model", classifier, "--port", str(taken.getsockname()[1]))
