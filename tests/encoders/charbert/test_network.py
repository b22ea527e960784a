"""The two-channel network: the published code's numbers, plain loops, the plain encoder it grows from."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from transformers import BertConfig, DistilBertConfig, DistilBertModel, RobertaConfig

from affekt.encoders.charbert.network import (
    CharacterChannel,
    CharBert,
    Shape,
    from_published,
    grow,
    published_name,
)
from affekt.errors import ModelError

from .charbert_toys import plain_bert, plain_roberta


@pytest.fixture(scope="module")
def published():
    """Tiny weights and inputs, and what the published code (wtma/CharBERT, BERT form) makes of them."""
    with np.load(Path(__file__).with_name("charbert_tiny.npz")) as stored:
        return {name: stored[name] for name in stored.files}


def tiny_weights(published) -> dict[str, torch.Tensor]:
    return {
        k.removeprefix("weights/"): torch.tensor(v) for k, v in published.items() if k.startswith("weights/")
    }


def tiny_config(published) -> BertConfig:
    settings = json.loads(str(published["config_json"]))
    return BertConfig(**{name: value for name, value in settings.items() if not name.startswith("char_")})


def tiny_batch(published) -> dict[str, torch.Tensor]:
    names = {
        "ids": "input_ids",
        "mask": "attention_mask",
        "segments": "token_type_ids",
        "characters": "char_input_ids",
        "firsts": "start_ids",
        "lasts": "end_ids",
    }
    batch = {ours: torch.tensor(published[f"inputs/{theirs}"]).long() for ours, theirs in names.items()}
    return batch | {"counts": torch.tensor([11, 21])}  # not read in the compatible form


def assert_near(ours: torch.Tensor, theirs: np.ndarray) -> None:
    np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=0, atol=1e-5)


def test_both_channels_equal_the_published_codes_outputs(published):
    network = from_published(tiny_weights(published), tiny_config(published), compatible=True).eval()
    batch = tiny_batch(published)
    spelled = network.characters(batch["characters"], torch.full((2,), 48), batch["firsts"], batch["lasts"])
    channels = network(batch)
    pooled = network.pooled(channels)
    assert_near(spelled, published["outputs/char_embeddings"])
    assert_near(channels.tokens, published["outputs/sequence_output"])
    assert_near(channels.characters, published["outputs/char_sequence_output"])
    assert_near(pooled.tokens, published["outputs/pooled_output"])
    assert_near(pooled.characters, published["outputs/char_pooled_output"])


def test_the_compatible_form_reads_trailing_padding_as_the_published_code_does(published):
    network = from_published(tiny_weights(published), tiny_config(published), compatible=True).eval()
    batch = tiny_batch(published)
    batch["characters"] = nn.functional.pad(batch["characters"], (0, 12))
    output = network(batch).characters
    assert_near(output, published["contrast/char_sequence_output_with_12_more_trailing_char_pads"])
    assert np.abs(output.detach().numpy() - published["outputs/char_sequence_output"]).max() > 1e-3


def test_row_zero_of_the_characters_keeps_its_published_values_in_the_compatible_form(published):
    network = from_published(tiny_weights(published), tiny_config(published), compatible=True)
    network(tiny_batch(published)).characters.square().sum().backward()
    embedding = network.characters.embedding.weight
    assert embedding[0].abs().min() > 0
    assert embedding.grad[0].abs().max() == 0
    assert embedding.grad[1].abs().max() > 0


def random_batch(counts: list[int], pieces: list[int], *, rows: int = 20) -> dict[str, torch.Tensor]:
    """Rows of random characters and spans, padded with noise where nothing may be read."""
    torch.manual_seed(1)
    n, t, c = len(counts), max(pieces), max(counts)
    mask = torch.arange(t) < torch.tensor(pieces)[:, None]
    ends = torch.stack([torch.randint(count, (2, t)).sort(0).values for count in counts], 1)
    return {
        "ids": torch.where(mask, torch.randint(5, 30, (n, t)), 0),
        "mask": mask,
        "characters": torch.randint(1, rows, (n, c)),
        "counts": torch.tensor(counts),
        "firsts": ends[0],
        "lasts": ends[1],
    }


def test_the_character_channel_equals_a_packed_bidirectional_gru():
    channel = CharacterChannel(Shape(characters=20, character_size=6), hidden=16)
    batch = random_batch([9, 5, 1], [4, 3, 1])
    both = nn.GRU(6, 4, batch_first=True, bidirectional=True)
    state = dict(channel.forward_gru.state_dict())
    state |= {f"{name}_reverse": value for name, value in channel.backward_gru.state_dict().items()}
    both.load_state_dict(state)
    packed = pack_padded_sequence(
        channel.embedding(batch["characters"]), batch["counts"], batch_first=True, enforce_sorted=False
    )
    states, _ = pad_packed_sequence(both(packed)[0], batch_first=True)
    expected = [
        [torch.cat([states[i, f], states[i, e]]) for f, e in zip(firsts, lasts, strict=True)]
        for i, (firsts, lasts) in enumerate(zip(batch["firsts"], batch["lasts"], strict=True))
    ]
    ours = channel(batch["characters"], batch["counts"], batch["firsts"], batch["lasts"])
    torch.testing.assert_close(ours, torch.stack([torch.stack(row) for row in expected]))


def fused_network() -> CharBert:
    """A network of the default form whose fusion and norms do something."""
    network = CharBert(plain_bert(), Shape(characters=20, character_size=6, norms=2)).eval()
    with torch.no_grad():
        for parameter in network.fusion.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return network


def test_padding_changes_nothing_in_the_default_form():
    network, pieces = fused_network(), [7, 4, 2]
    batch = random_batch([20, 11, 3], pieces)
    together = network(batch)
    for row, (t, c) in enumerate(zip(pieces, batch["counts"], strict=True)):
        alone = {
            name: value[row : row + 1]
            if name == "counts"
            else value[row : row + 1, : c if name == "characters" else t]
            for name, value in batch.items()
        }
        for wide, narrow in zip(together, network(alone), strict=True):
            torch.testing.assert_close(wide[row, :t], narrow[0], rtol=0, atol=1e-5)


def test_the_leading_positions_alone_are_what_they_are_among_all():
    network = fused_network()
    batch = random_batch([20, 11, 3], [7, 4, 2])
    for whole, part in zip(network(batch), network(batch, read=1), strict=True):
        assert part.shape[1] == 1
        torch.testing.assert_close(part, whole[:, :1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("make", [plain_bert, plain_roberta])
def test_a_grown_networks_token_channel_starts_out_equal_to_the_plain_encoder(make):
    plain = make()
    before = {name: value.clone() for name, value in plain.state_dict().items()}
    network = grow(plain, 20, character_size=6).eval()
    batch = random_batch([20, 11, 3], [7, 4, 2])
    if make is plain_roberta:
        batch["ids"] = torch.where(batch["mask"], batch["ids"], 1)
    expected = plain(input_ids=batch["ids"], attention_mask=batch["mask"].long()).last_hidden_state
    ours = network(batch).tokens
    torch.testing.assert_close(ours[batch["mask"]], expected[batch["mask"]], rtol=0, atol=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in plain.state_dict().items())


def test_a_grown_network_learns_to_listen_to_the_characters():
    network = grow(plain_bert(), 20, character_size=6)
    batch = random_batch([20, 11, 3], [7, 4, 2])
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(2):  # the convolution starts at zero, so the characters are heard from the second step on
        optimizer.zero_grad()
        network(batch).tokens[0, 0, :4].sum().backward()
        optimizer.step()
    for part in (network.fusion.convolution, network.fusion.character_linear, network.characters.embedding):
        assert part.weight.grad.abs().max() > 0


def test_a_family_without_the_right_form_is_refused_by_name():
    plain = DistilBertModel(DistilBertConfig(dim=32, n_layers=1, n_heads=4, hidden_dim=48, vocab_size=40))
    with pytest.raises(ModelError, match=r"'distilbert'.*Known: bert, roberta"):
        grow(plain, 20)


def test_a_width_that_four_does_not_divide_is_refused():
    with pytest.raises(ModelError, match="hidden_size 6 is not a multiple of 4"):
        grow(plain_bert(hidden_size=6, num_attention_heads=2), 20)


def test_a_network_without_a_pooler_says_so():
    plain = plain_bert()
    plain.pooler = None
    network = grow(plain, 20)
    with pytest.raises(ModelError, match="has no pooler"):
        network.pooled(network(random_batch([5], [3])))


# The published checkpoints' tensors with their shapes (bert-base-cased and roberta-base sizes).
def full_size(form: str, *, convolutions: int) -> dict[str, tuple[int, ...]]:
    h, wide = 768, 3072
    vocabulary, positions, segments, characters = {
        "bert": (28996, 512, 2, 1001),
        "roberta": (50265, 514, 1, 1050),
    }[form]
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (vocabulary, h),
        "embeddings.position_embeddings.weight": (positions, h),
        "embeddings.token_type_embeddings.weight": (segments, h),
        "char_embeddings.char_embeddings.weight": (characters, 256),
        "encoder.word_linear1.weight": (h, h),
        "encoder.char_linear1.weight": (h, h),
    }
    for end in ("", "_reverse"):
        shapes[f"char_embeddings.rnn_layer.weight_ih_l0{end}"] = (576, 256)
        shapes[f"char_embeddings.rnn_layer.weight_hh_l0{end}"] = (576, 192)
        shapes[f"char_embeddings.rnn_layer.bias_ih_l0{end}"] = (576,)
        shapes[f"char_embeddings.rnn_layer.bias_hh_l0{end}"] = (576,)
    linear = {"pooler.dense": (h, h)}
    norms = ["embeddings.LayerNorm", "encoder.word_norm", "encoder.char_norm"]
    for i in range(12):
        layer = f"encoder.layer.{i}"
        linear |= {f"{layer}.attention.self.{part}": (h, h) for part in ("query", "key", "value")}
        linear |= {f"{layer}.attention.output.dense": (h, h)}
        linear |= {f"{layer}.intermediate.dense": (wide, h), f"{layer}.output.dense": (h, wide)}
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    copies = [f"_list.{i}" for i in range(convolutions)] if form == "bert" else [""]
    linear |= {f"encoder.fusion_layer{copy}": (h, 2 * h, 3) for copy in copies}
    for name, shape in linear.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    for name in norms:
        shapes |= {f"{name}.weight": (h,), f"{name}.bias": (h,)}
    heads = {"bert": "cls.predictions.decoder.weight", "roberta": "lm_head.decoder.weight"}
    named = {f"{form}.{name}": shape for name, shape in shapes.items()}
    return named | {heads[form]: (vocabulary, h)}


# The published models' unique parameters without those of their heads: two vocabularies' biases and second
# decoder, two dense layers, two norms (BERT form) or one.
BERT_SIZE = 138_091_381 - (28_996 + 30_001 * 769 + 2 * (769 * 768 + 2 * 768))
ROBERTA_SIZE = 154_459_018 - (50_265 + 30_001 * 769 + 2 * 769 * 768 + 2 * 768)


@pytest.mark.parametrize(
    ("form", "convolutions", "encoder_parameters"),
    [("bert", 12, BERT_SIZE), ("bert", 1, BERT_SIZE), ("roberta", 1, ROBERTA_SIZE)],
)
def test_the_published_checkpoints_fit_at_full_size(form, convolutions, encoder_parameters):
    config = BertConfig(vocab_size=28996)
    if form == "roberta":
        config = RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1)
    shapes = full_size(form, convolutions=convolutions)
    with torch.device("meta"):  # shapes without memory
        network = from_published({name: torch.empty(shape) for name, shape in shapes.items()}, config)
    assert sum(p.numel() for p in network.parameters()) == encoder_parameters
    theirs = {f"{form}.{published_name(name)}" for name in network.state_dict()}
    stored = {name.replace("fusion_layer_list.0", "fusion_layer") for name in shapes}
    assert theirs == {name for name in stored if name.startswith(form) and "fusion_layer_list" not in name}


def test_a_state_dict_loads_with_its_prefix_its_heads_and_every_copy_of_the_convolution(published):
    once = tiny_weights(published)
    full = {f"module.bert.{name}": value for name, value in once.items()}
    for name in ("weight", "bias"):
        for copy in (1, 2):
            full[f"module.bert.encoder.fusion_layer_list.{copy}.{name}"] = once[
                f"encoder.fusion_layer_list.0.{name}"
            ].clone()
    full |= {
        "module.cls.predictions.bias": torch.zeros(60),
        "module.bert.embeddings.position_ids": torch.arange(20),
    }
    ours = from_published(full, tiny_config(published)).state_dict()
    expected = from_published(once, tiny_config(published)).state_dict()
    assert ours.keys() == expected.keys()
    assert all(torch.equal(ours[name], expected[name]) for name in ours)


def test_copies_of_the_shared_convolution_that_differ_are_refused(published):
    weights = tiny_weights(published)
    weights["encoder.fusion_layer_list.1.weight"] = weights["encoder.fusion_layer_list.0.weight"] + 1
    with pytest.raises(ModelError, match=r"encoder\.fusion_layer_list\.1\.weight differs"):
        from_published(weights, tiny_config(published))


def test_missing_misshapen_and_unknown_tensors_are_all_named_at_once(published):
    weights = tiny_weights(published)
    del weights["encoder.char_linear1.weight"]
    weights["encoder.word_norm.bias"] = torch.zeros(7)
    weights["encoder.layer.3.output.dense.bias"] = torch.zeros(16)
    with pytest.raises(ModelError) as raised:
        from_published(weights, tiny_config(published))
    message = str(raised.value)
    assert "1 missing: encoder.char_linear1.weight" in message
    assert "1 of the wrong shape: encoder.word_norm.bias (7,) instead of (16,)" in message
    assert "1 unknown: encoder.layer.3.output.dense.bias" in message


def test_a_plain_encoders_state_dict_is_refused_for_its_missing_characters():
    plain = plain_bert()
    with pytest.raises(ModelError, match="no character channel"):
        from_published(plain.state_dict(), plain.config)


def test_a_checkpoint_without_a_pooler_loads(published):
    weights = {
        name: value for name, value in tiny_weights(published).items() if not name.startswith("pooler.")
    }
    network = from_published(weights, tiny_config(published), compatible=True).eval()
    assert_near(network(tiny_batch(published)).tokens, published["outputs/sequence_output"])
