import string

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from affekt.encoders.characters import ALPHABET, CREPE_ALPHABET, FIELD, CharacterCnnEncoder, Quantizer
from affekt.errors import ModelError, RecipeError

SMALL = {"length": 231, "features": 4, "hidden": 6}  # 231 characters leave 5 positions
TEXTS = ["Oh no!", "what a lovely, lovely day :-)", "", "x" * 300, "ärgerlich 😡\nno"]

# places (from 1) by position of the authors' program
CREPE = [
    ("Hello, World!", 20, [41, 4, 12, 18, 15, 23, 0, 38, 15, 12, 12, 5, 8, 0, 0, 0, 0, 0, 0, 0]),
    ("abc-def", 10, [6, 5, 4, 60, 3, 2, 1, 0, 0, 0]),
    ("a longer text than the limit", 12, [20, 9, 13, 9, 12, 0, 5, 8, 20, 0, 14, 1]),
    ("naïve café", 14, [0, 0, 6, 1, 3, 0, 5, 22, 0, 0, 1, 14, 0, 0]),
    ("UPPER lower 123", 16, [30, 29, 28, 0, 18, 5, 23, 15, 12, 0, 18, 5, 16, 16, 21, 0]),
    ("", 5, [0, 0, 0, 0, 0]),
    ("tab\tnew\nline", 14, [5, 14, 9, 12, 0, 23, 5, 14, 0, 2, 1, 20, 0, 0]),
]
# the alphabet of another public program, whose layer shapes and parameters are known
OTHER_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789,;.!?:'\"/\\|_@#$%^&*~`+-=<>()[]{}"


def build(**options):
    return CharacterCnnEncoder.build([], **{**SMALL, **options})


def encode(encoder, texts):
    return encoder(encoder.collate(encoder.tokenize(texts)))


# --- quantisation


def test_the_alphabet_has_26_letters_10_digits_and_33_others_once_each():
    assert len(ALPHABET) == len(set(ALPHABET)) == 69
    assert ALPHABET[:36] == string.ascii_lowercase + string.digits
    assert set(ALPHABET[36:]) == {*string.punctuation, "\n"}


@pytest.mark.parametrize(("text", "length", "places"), CREPE)
def test_the_compatible_mode_agrees_with_the_authors_program(text, length, places):
    made = Quantizer.crepe(length)(text)
    assert len(CREPE_ALPHABET) == 69
    padded = np.zeros(length, int)
    padded[: len(made)] = made
    assert padded.tolist() == places


def loop_places(text, length):
    return [ALPHABET.index(c) + 1 if c in ALPHABET else 0 for c in text.lower()[:length]] or [0]


@pytest.mark.parametrize("text", [*TEXTS, "ŸÉ İ tab\tnew\nline", "\x00\uffff\ud800\U0010ffff", "~}{z"])
def test_the_usual_mode_reads_forwards_from_the_start_a_code_point_at_a_time(text):
    for length in (3, 12, 1014):
        assert Quantizer(length=length)(text).tolist() == loop_places(text, length)


def test_any_alphabet_can_be_used():
    assert Quantizer("غضب", 5)("غـب a").tolist() == [1, 0, 3, 0, 0]
    for alphabet in ("", "".join(map(chr, range(1000, 1256)))):
        with pytest.raises(ModelError, match="alphabet"):
            Quantizer(alphabet)


# --- the network


def test_layers_have_the_published_shapes_and_parameters():
    encoder = CharacterCnnEncoder.build([], alphabet=OTHER_ALPHABET)
    shapes = []
    for block in encoder.blocks:
        block.register_forward_hook(lambda _module, _inputs, output: shapes.append(list(output.shape)))
    encode(encoder.eval(), ["x" * 1014])
    assert shapes == [
        [1, 256, 336],
        [1, 256, 110],
        [1, 256, 108],
        [1, 256, 106],
        [1, 256, 104],
        [1, 256, 34],
    ]
    assert encoder.dense[0][0].in_features == 8704
    with_labels = sum(p.numel() for p in encoder.parameters()) + 1024 * 28 + 28
    assert with_labels == 11_360_796


def test_the_size_of_row_b1():
    encoder = CharacterCnnEncoder.build([])
    assert encoder.dimension == 1024
    assert sum(p.numel() for p in encoder.parameters()) == 11_332_096 + 7 * 256  # one character more


def reference_vectors(encoder, texts):
    """The network on one-hot columns of the full length, without any short cut."""
    columns = torch.zeros(len(texts), len(encoder.quantizer.alphabet), encoder.options.length)
    for index, text in enumerate(texts):
        for position, place in enumerate(encoder.quantizer(text)):
            if place:
                columns[index, place - 1, position] = 1
    hidden = columns
    for block, pool in zip(encoder.blocks, (3, 3, 1, 1, 1, 3), strict=True):
        hidden = functional.relu(functional.conv1d(hidden, block[0].weight, block[0].bias))
        hidden = functional.max_pool1d(hidden, pool)
    hidden = hidden.flatten(1)
    for layer in encoder.dense:
        hidden = functional.relu(layer[0](hidden))
    return hidden


@pytest.mark.parametrize("compatible", ["", "crepe"])
@pytest.mark.parametrize("length", [FIELD, 150, 231, 1014])
def test_leaving_out_the_padding_changes_neither_vectors_nor_gradients(compatible, length):
    encoder = build(length=length, compatible=compatible, dropout=0.0)
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, std=0.3)  # biases too, so that padding is not silent
    text = "no day is like it, " * 60
    for size in (0, 1, 26, 27, 28, 54, 107, 108, 109, 123, 231, 1014):  # around the steps of pooled positions
        batch = ["a", text[:size]]
        expected, made = reference_vectors(encoder, batch), encode(encoder, batch).vectors
        torch.testing.assert_close(made, expected, rtol=1e-4, atol=1e-5)

        weights = torch.linspace(-1, 1, made.numel()).reshape(made.shape)
        gradients = [
            torch.autograd.grad((vectors * weights).sum(), list(encoder.parameters()), allow_unused=True)
            for vectors in (expected, made)
        ]
        for reference, gradient in zip(*gradients, strict=True):
            torch.testing.assert_close(gradient, reference, rtol=1e-3, atol=1e-4)


def test_a_text_has_the_same_vector_alone_and_in_a_batch():
    encoder = build().eval()
    together = encode(encoder, TEXTS).vectors
    for index, text in enumerate(TEXTS):
        torch.testing.assert_close(together[index], encode(encoder, [text]).vectors[0])


def test_short_texts_are_encoded_without_their_padding():
    encoder = CharacterCnnEncoder.build([], features=2, hidden=3)
    widths = []
    encoder.blocks[0].register_forward_hook(lambda _m, inputs, _o: widths.append(inputs[0].shape[2]))
    encode(encoder, ["a tweet of forty characters, not a letter"])
    encode(encoder, ["x" * 5000])
    assert widths == [FIELD + 2 * 27, 1014]


def test_rows_are_never_empty_and_cost_what_they_hold():
    encoder = build()
    rows = encoder.tokenize(["", "abc", "x" * 5000])
    assert [len(row) for row in rows] == [1, 3, 231]
    assert all(row.dtype == np.uint8 for row in rows)


@pytest.mark.parametrize("compatible", ["", "crepe"])
@pytest.mark.parametrize("text", ["", "\n\n", "漢字 😡", "\ud800"])
def test_texts_outside_the_alphabet_have_finite_vectors(text, compatible):
    assert torch.isfinite(encode(build(compatible=compatible).eval(), [text]).vectors).all()


def test_the_start_neither_fades_nor_bursts():
    encoder = CharacterCnnEncoder.build([], features=64, hidden=64).eval()
    vectors = encode(encoder, TEXTS).vectors
    assert 1e-2 < vectors.std() < 1e2
    assert (vectors[0] - vectors[1]).norm() > 0.05 * vectors[0].norm()


def test_training_tells_the_texts_apart():
    encoder = build(dropout=0.0, features=16, hidden=16)
    head = nn.Linear(encoder.dimension, 1)
    optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=0.003)
    targets = torch.tensor([[1.0], [0.0], [1.0], [0.0], [1.0]])
    losses = []
    for _ in range(80):
        logits = head(encode(encoder, TEXTS).vectors)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


def test_dropout_is_drawn_in_training_only():
    encoder = build()
    encoder.train()
    assert not torch.equal(encode(encoder, TEXTS).vectors, encode(encoder, TEXTS).vectors)
    encoder.eval()
    assert torch.equal(encode(encoder, TEXTS).vectors, encode(encoder, TEXTS).vectors)


def test_layer_groups_hold_every_parameter_once_from_the_characters_upwards():
    encoder = build()
    groups = encoder.layer_groups()
    assert len(groups) == 8
    assert groups[0][0] is encoder.blocks[0][0].weight
    grouped = [id(parameter) for group in groups for parameter in group]
    assert sorted(grouped) == sorted(id(parameter) for parameter in encoder.parameters())


def test_the_seed_alone_decides_the_weights():
    states = [build(seed=seed).state_dict() for seed in (1, 1, 2)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["blocks.0.0.weight"], states[2]["blocks.0.0.weight"])


@pytest.mark.parametrize("options", [{}, {"compatible": "crepe"}, {"alphabet": "xyz 😡\n"}])
def test_a_saved_encoder_gives_identical_vectors(tmp_path, options):
    encoder = build(**options).eval()
    encoder.save(tmp_path)
    loaded = CharacterCnnEncoder.load(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["encoder.json", "encoder.safetensors"]
    assert loaded.options == encoder.options
    assert not loaded.training
    assert torch.equal(encode(loaded, TEXTS).vectors, encode(encoder, TEXTS).vectors)


def test_a_length_that_leaves_nothing_is_refused():
    with pytest.raises(RecipeError, match=r"encoder\.options\.length = 122: .*123"):
        build(length=122)
