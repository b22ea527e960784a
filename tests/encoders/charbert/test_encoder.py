"""The CharBERT encoder: from texts to vectors, and to a folder and back."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, BertConfig

from affekt.encoders import Order
from affekt.encoders.charbert.characters import CharacterVocabulary
from affekt.encoders.charbert.encoder import CharBertEncoder
from affekt.encoders.charbert.network import published_name
from affekt.encoders.fast import Dropout
from affekt.encoders.transformer import TransformerEncoder
from affekt.errors import AffektError, ModelError, UsageError

from .charbert_toys import byte_level, plain_bert, plain_roberta, wordpiece

FAMILIES = {"bert": (plain_bert, wordpiece), "roberta": (plain_roberta, byte_level)}
TEXTS = ["I love playing", "#happy 😂", "", "so so so so so happy day , i love zebras !"]


def grown(family: str = "bert", **options) -> CharBertEncoder:
    """A grown encoder whose fusion does something, in evaluation."""
    make_model, make_tokenizer = FAMILIES[family]
    encoder = CharBertEncoder.from_plain(make_model(), make_tokenizer(), character_size=8, **options)
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in encoder.network.fusion.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return encoder.eval()


def encode(encoder: CharBertEncoder, texts: list[str]):
    with torch.no_grad():
        return encoder(encoder.collate(encoder.tokenize(texts)))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_text_has_the_same_vector_alone_and_among_longer_ones(family, pooling):
    encoder = grown(family, pooling=pooling)
    together = encode(encoder, TEXTS).vectors
    assert together.shape == (4, encoder.dimension) == (4, 64)
    for text, vector in zip(TEXTS, together, strict=True):
        torch.testing.assert_close(encode(encoder, [text]).vectors[0], vector, rtol=0, atol=1e-5)


def test_mean_pooling_averages_both_channels_over_the_texts_own_positions():
    encoder = grown()
    batch = encoder.collate(encoder.tokenize(TEXTS))
    tokens, characters = encoder.network(batch)
    encoded = encode(encoder, TEXTS)
    for i, row in enumerate(encoder.tokenize(TEXTS)):
        assert encoded.mask[i].tolist() == [position < len(row) for position in range(encoded.mask.shape[1])]
        expected = torch.cat([channel[i, : len(row)].mean(0) for channel in (tokens, characters)])
        torch.testing.assert_close(encoded.vectors[i], expected)


def test_cls_pooling_takes_the_first_position_of_both_channels():
    encoder = grown(pooling="cls")
    channels = encoder.network(encoder.collate(encoder.tokenize(TEXTS)))
    expected = torch.cat([channel[:, 0] for channel in channels], dim=-1)
    torch.testing.assert_close(encode(encoder, TEXTS).vectors, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_token_half_of_a_just_grown_encoders_vectors_is_the_plain_encoders_mean(family):
    make_model, make_tokenizer = FAMILIES[family]
    plain, tokenizer = make_model(), make_tokenizer()
    encoder = CharBertEncoder.from_plain(plain, tokenizer).eval()
    inputs = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = plain(**{k: inputs[k] for k in ("input_ids", "attention_mask")}).last_hidden_state
    mask = inputs["attention_mask"][..., None]
    mean = (states * mask).sum(1) / mask.sum(1)
    torch.testing.assert_close(encode(encoder, TEXTS).vectors[:, :32], mean, rtol=0, atol=1e-5)


def test_characters_tell_words_apart_that_are_one_unknown_piece():
    encoder = grown()
    one, other = encode(encoder, ["zebra", "giraffe"]).vectors
    assert encoder.tokenize(["zebra"])[0].pieces.tolist() == encoder.tokenize(["giraffe"])[0].pieces.tolist()
    assert (one - other).abs().max() > 1e-3


def test_texts_are_cut_at_the_maximum_length():
    encoder = grown(max_length=6)
    rows = encoder.tokenize(TEXTS)
    assert max(len(row) for row in rows) == 6
    assert [len(row.firsts) for row in rows] == [len(row) for row in rows]


@pytest.mark.parametrize(("family", "longest"), [("bert", 64), ("roberta", 64)])
def test_no_text_is_longer_than_the_plain_encoders_positions(family, longest):
    encoder = grown(family, max_length=500)
    assert encoder.max_length == longest
    assert encode(encoder, ["i love " * 200]).vectors.isfinite().all()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_saved_encoder_gives_the_same_vectors_when_loaded(tmp_path, family, pooling):
    encoder = grown(family, pooling=pooling, max_length=20)
    encoder.save(tmp_path)
    loaded = CharBertEncoder.load(tmp_path)
    assert not loaded.training
    assert (loaded.pooling, loaded.max_length, loaded.dimension) == (pooling, 20, 64)
    assert torch.equal(encode(loaded, TEXTS).vectors, encode(encoder, TEXTS).vectors)


def test_a_saved_folder_is_plain_and_does_not_open_as_a_plain_encoder(tmp_path):
    grown().save(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"encoder.json", "encoder.safetensors", "tokenizer.json", "tokenizer_config.json"} <= names
    assert all(name.endswith((".json", ".safetensors", ".txt", ".jinja")) for name in names)
    with pytest.raises((OSError, ValueError)):  # else the character channel would be dropped silently
        AutoModel.from_pretrained(tmp_path)


def published_state(encoder: CharBertEncoder) -> dict[str, torch.Tensor]:
    """The weights of an encoder with shared norms, as a published checkpoint names them."""
    return {f"bert.{published_name(name)}": value for name, value in encoder.network.state_dict().items()}


def published(*, compatible: bool) -> CharBertEncoder:
    """An encoder of the published form: norms and convolution shared, characters from a file's vocabulary."""
    vocabulary = CharacterVocabulary((" ", *"abcdefghijklmnopqrstuvwxyz#", "<unk>"), unknown=28)
    single = plain_bert(num_hidden_layers=1)  # with one layer, a grown network has the published form
    source = CharBertEncoder.from_plain(single, wordpiece(), vocabulary=vocabulary, character_size=8)
    return CharBertEncoder.load_published(
        published_state(source), single.config, wordpiece(), vocabulary, compatible=compatible, max_length=16
    ).eval()


def test_a_published_checkpoint_encodes_texts_in_either_form():
    ours, theirs = published(compatible=False), published(compatible=True)
    assert ours.collate(ours.tokenize(["i love"]))["characters"].shape == (1, 11)
    assert theirs.collate(theirs.tokenize(["i love"]))["characters"].shape == (1, 96)
    assert theirs.collate(theirs.tokenize(["i love"]))["ids"].shape == (1, 16)
    near, far = encode(ours, ["i love"]).vectors, encode(theirs, ["i love"]).vectors
    assert (near - far).abs().max() > 1e-4  # the published code reads padding


def test_a_published_checkpoint_in_the_compatible_form_survives_saving(tmp_path):
    encoder = published(compatible=True)
    encoder.save(tmp_path)
    loaded = CharBertEncoder.load(tmp_path)
    assert loaded.network.shape.compatible
    assert torch.equal(encode(loaded, TEXTS).vectors, encode(encoder, TEXTS).vectors)


@pytest.fixture
def published_folder(tmp_path):
    """The published form as a folder: config.json, tokenizer, safetensors and a file of characters."""
    source = published(compatible=False)
    source.tokenizer.save_pretrained(tmp_path)
    source.network.plain.config.save_pretrained(tmp_path)
    save_file(published_state(source), tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "bert_char_vocab").write_text("\n".join(source.vocabulary.entries) + "\n")
    return tmp_path


def named(folder, **options) -> CharBertEncoder:
    order = Order(TEXTS, 0, str(folder), None, "mean", 16, None, None, options)
    return CharBertEncoder.from_order(order).eval()


@pytest.mark.parametrize("compatible", [False, True])
def test_a_recipe_names_a_published_folder(published_folder, compatible):
    encoder = named(published_folder, compatible=compatible)
    state = load_file(published_folder / "model.safetensors")
    parts = encoder.network.plain.config, wordpiece(), encoder.vocabulary
    same = CharBertEncoder.load_published(state, *parts, compatible=compatible, max_length=16).eval()
    assert torch.equal(encode(encoder, TEXTS).vectors, encode(same, TEXTS).vectors)
    assert encoder.network.shape.compatible == compatible
    assert not encoder.newly_grown  # its characters have learned already


def test_a_recipe_may_name_the_file_of_characters(published_folder):
    moved = (published_folder / "bert_char_vocab").rename(published_folder / "characters.txt")
    with pytest.raises(ModelError, match=r"holds 0 files named …char_vocab.*encoder\.options\.vocabulary"):
        named(published_folder)
    assert named(published_folder, vocabulary=str(moved)).vocabulary == published(compatible=False).vocabulary


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"character_size": 8}, "unknown option of charbert 'character_size'"),
        ({"vocabulary": "absent"}, "character vocabulary absent cannot be read"),
    ],
)
def test_what_a_published_folder_cannot_take_is_a_fault(published_folder, options, message):
    with pytest.raises(AffektError, match=message):
        named(published_folder, **options)


def test_a_plain_kind_tells_how_to_name_a_published_folder(published_folder):
    with pytest.raises(ModelError, match=r"set encoder\.kind to charbert"):
        TransformerEncoder.pretrained(str(published_folder))


def test_a_vocabulary_of_more_characters_than_the_checkpoint_has_is_refused():
    source = published(compatible=False)
    big = CharacterVocabulary.default()
    config: BertConfig = source.network.plain.config
    with pytest.raises(
        ModelError, match=f"vocabulary has {len(big)} rows and the character embedding only 29"
    ):
        CharBertEncoder.load_published(published_state(source), config, wordpiece(), big)


def test_layer_groups_hold_every_trained_parameter_once_from_the_input_up():
    encoder = published(compatible=False)
    groups = encoder.layer_groups()
    ids = [id(p) for group in groups for p in group]
    pooler = {id(p) for p in encoder.network.plain.pooler.parameters()}
    assert len(ids) == len(set(ids))
    assert set(ids) == {id(p) for p in encoder.parameters()} - pooler
    assert id(encoder.word_embeddings().weight) in {id(p) for p in groups[0]}
    assert len(groups) == 2


def test_a_grown_encoders_characters_learn_at_the_heads_rate_and_its_fusion_slowly(tmp_path):
    encoder = grown()
    characters, fusion = encoder.network.characters, encoder.network.fusion
    new = {id(p) for part in (characters, fusion) for p in part.parameters()}
    grouped = {id(p) for group in encoder.layer_groups() for p in group}
    assert len(encoder.layer_groups()) == 3
    assert not new & grouped
    [(slow, share)] = encoder.slow_groups()
    assert {id(p) for p in slow} == {id(p) for p in fusion.parameters()}
    assert 0 < share < 1
    encoder.save(tmp_path)
    again = CharBertEncoder.load(tmp_path)
    assert id(again.network.fusion.convolution.weight) in {id(p) for p in again.layer_groups()[-1]}
    assert again.slow_groups() == []


def test_a_grown_encoder_keeps_what_the_plain_one_knows_through_its_first_steps():
    """At the rate of the other weights the fusion moves the token channel about as far as it is long."""
    moved = {}
    for slowly in (True, False):
        torch.manual_seed(0)
        encoder = grown().eval()
        batch = encoder.collate(encoder.tokenize(TEXTS))
        with torch.no_grad():
            start = encoder.network(batch).tokens
        target = torch.randn_like(start)
        share = encoder.slow_groups()[0][1] if slowly else 1.0
        steps = torch.optim.AdamW(encoder.network.fusion.parameters(), lr=3e-4 * share)
        for _ in range(20):
            steps.zero_grad()
            (encoder.network(batch).tokens - target).square().mean().backward()
            steps.step()
        with torch.no_grad():
            moved[slowly] = float((encoder.network(batch).tokens - start).norm() / start.norm())
    assert moved[True] < 0.3 * moved[False]


def test_every_parameter_but_the_unread_pooler_learns():
    encoder = grown().train()
    encoder(encoder.collate(encoder.tokenize(TEXTS))).vectors.square().sum().backward()
    unmoved = {name for name, p in encoder.named_parameters() if p.grad is None and p.requires_grad}
    assert unmoved == set()
    assert not any(p.requires_grad for p in encoder.network.plain.pooler.parameters())


def test_dropout_modules_are_the_cheap_ones():
    dropouts = [m for m in grown().modules() if isinstance(m, torch.nn.Dropout)]
    assert dropouts
    assert all(isinstance(m, Dropout) for m in dropouts)


def test_an_encoder_grows_from_a_folder(tmp_path):
    plain_bert().save_pretrained(tmp_path)
    wordpiece().save_pretrained(tmp_path)
    characters = tmp_path / "characters"
    characters.write_text(" \na\nb\n<unk>\n", encoding="utf-8")
    encoder = CharBertEncoder.from_plain(str(tmp_path), vocabulary=str(characters))
    assert encoder.network.characters.embedding.weight.shape == (4, 256)
    assert encode(encoder, TEXTS).vectors.shape == (4, 64)


def test_a_model_without_its_tokenizer_and_an_unknown_pooling_are_refused():
    with pytest.raises(UsageError, match="needs the tokenizer"):
        CharBertEncoder.from_plain(plain_bert())
    with pytest.raises(UsageError, match="unknown pooling 'max'"):
        CharBertEncoder.from_plain(plain_bert(), wordpiece(), pooling="max")


@pytest.mark.parametrize("fault", ["no folder", "no weights", "other kind", "other weights"])
def test_a_folder_that_does_not_hold_a_charbert_is_refused_by_name(tmp_path, fault):
    folder = tmp_path / "model"
    if fault != "no folder":
        folder.mkdir()
        grown().save(folder)
    if fault == "no weights":
        (folder / "encoder.safetensors").unlink()
    if fault in {"other kind", "other weights"}:
        old, new = {"other kind": ('"charbert"', '"bilstm"'), "other weights": ('"norms": 2', '"norms": 1')}[
            fault
        ]
        path = folder / "encoder.json"
        path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(ModelError, match=str(folder) if fault != "other kind" else "describes 'bilstm'"):
        CharBertEncoder.load(folder)
