import json

import numpy as np
import pytest
import torch
from torch import nn

from affekt.encoders.recurrent import BiLstmEncoder
from affekt.encoders.vectors import WordVectors
from affekt.encoders.vocabulary import PAD, UNKNOWN
from affekt.errors import ModelError, RecipeError

TEXTS = ["glad glad day", "sad sad day today", "angry angry night", "a day and a night"]
POOLINGS = ("last", "max", "mean")


def build(**options):
    small = {"hidden": 5, "word_dimension": 4, "min_count": 1}
    return BiLstmEncoder.build(TEXTS, **{**small, **options})


def encode(encoder, texts):
    return encoder(encoder.collate(encoder.tokenize(texts)))


def step_by_step(encoder, words, layer, suffix):
    """One direction of one layer by the LSTM's equations; returns the state after each word."""
    weights = dict(encoder.lstm.named_parameters())
    w_in, w_state = weights[f"weight_ih_l{layer}{suffix}"], weights[f"weight_hh_l{layer}{suffix}"]
    bias = weights[f"bias_ih_l{layer}{suffix}"] + weights[f"bias_hh_l{layer}{suffix}"]
    state = cell = torch.zeros(encoder.options.hidden)
    states = []
    for word in words:
        gate_in, gate_forget, new, gate_out = (w_in @ word + w_state @ state + bias).chunk(4)
        cell = gate_forget.sigmoid() * cell + gate_in.sigmoid() * new.tanh()
        state = gate_out.sigmoid() * cell.tanh()
        states.append(state)
    return states


def reference_states(encoder, row):
    positions = list(encoder.embedding.weight[torch.tensor(row.astype(np.int64))])
    for layer in range(encoder.options.layers):
        forward = step_by_step(encoder, positions, layer, "")
        backward = step_by_step(encoder, positions[::-1], layer, "_reverse")[::-1]
        positions = [torch.cat(both) for both in zip(forward, backward, strict=True)]
    return torch.stack(positions)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_states_and_vectors_agree_with_the_equations_of_an_lstm(pooling):
    encoder = build(pooling=pooling).eval()
    row = encoder.tokenize(["sad day and night"])[0]
    states = reference_states(encoder, row)
    expected = {
        "last": torch.cat([states[-1][:5], states[0][5:]]),
        "max": states.max(dim=0).values,
        "mean": states.mean(dim=0),
    }[pooling]

    encoded = encoder(encoder.collate([row]))
    torch.testing.assert_close(encoded.tokens[0], states)
    torch.testing.assert_close(encoded.vectors[0], expected)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_text_has_the_same_vector_and_gradient_alone_and_in_a_batch(pooling):
    encoder = build(pooling=pooling).eval()
    texts = ["day", "glad day and a sad night and a day", "", "angry day"]
    together = encode(encoder, texts)
    for index, text in enumerate(texts):
        alone = encode(encoder, [text])
        length = alone.tokens.shape[1]
        torch.testing.assert_close(together.vectors[index], alone.vectors[0])
        torch.testing.assert_close(together.tokens[index, :length], alone.tokens[0])

        gradients = []
        for encoded, position in ((encode(encoder, texts), index), (encode(encoder, [text]), 0)):
            encoder.zero_grad()
            encoded.vectors[position].square().sum().backward()
            gradients.append(encoder.embedding.weight.grad.clone())
        torch.testing.assert_close(*gradients)


def test_tokens_and_mask_have_a_place_for_every_word():
    encoded = encode(build().eval(), ["glad day", "sad"])
    assert encoded.tokens.shape == (2, 2, 10)
    assert encoded.mask.tolist() == [[True, True], [True, False]]
    assert encoded.tokens[1, 1].abs().sum() == 0


@pytest.mark.parametrize("text", ["", "   ", "wholly foreign", "!?", "\ud800"])
def test_texts_without_known_words_have_finite_vectors(text):
    encoder = build().eval()
    rows = encoder.tokenize([text])
    assert len(rows[0]) >= 1
    assert set(rows[0].tolist()) == {UNKNOWN}
    assert torch.isfinite(encode(encoder, [text]).vectors).all()


def test_texts_are_cut_at_the_maximum_length():
    encoder = build(max_length=3)
    assert [len(row) for row in encoder.tokenize(["day " * 50, "day"])] == [3, 1]


def test_training_moves_every_parameter_but_not_the_padding():
    encoder = build(dropout=0.0)
    head = nn.Linear(encoder.dimension, 1)
    optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=0.01)
    before = {name: parameter.clone() for name, parameter in encoder.named_parameters()}
    targets = torch.tensor([[1.0], [0.0], [0.0], [1.0]])
    losses = []
    for _ in range(40):
        logits = head(encode(encoder, TEXTS).vectors)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    assert losses[-1] < 0.1 * losses[0]
    for name, parameter in encoder.named_parameters():
        assert not torch.equal(parameter, before[name]), name
    assert encoder.embedding.weight[PAD].abs().sum() == 0


def test_dropout_is_drawn_in_training_only():
    encoder = build(dropout=0.7)
    encoder.train()
    assert (encode(encoder, TEXTS).vectors == 0).float().mean() > 0.4
    encoder.eval()
    assert torch.equal(encode(encoder, TEXTS).vectors, encode(encoder, TEXTS).vectors)
    assert (encode(encoder, TEXTS).vectors != 0).all()


def test_word_vectors_are_where_training_starts_and_decide_the_size():
    matrix = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float32)
    encoder = build(vectors=WordVectors(["day", "night"], matrix))
    assert encoder.options.word_dimension == 3
    assert encoder.embedding.weight.requires_grad
    for word, vector in zip(("day", "night"), matrix, strict=True):
        row = encoder.word_embeddings().weight[encoder.vocabulary.index(word)]
        np.testing.assert_array_equal(row.detach(), vector)


def test_layer_groups_hold_every_parameter_once_from_the_words_upwards():
    encoder = build(layers=3)
    groups = encoder.layer_groups()
    assert len(groups) == 4
    assert groups[0][0] is encoder.embedding.weight
    grouped = [id(parameter) for group in groups for parameter in group]
    assert sorted(grouped) == sorted(id(parameter) for parameter in encoder.parameters())


def test_the_size_of_row_b2():
    encoder = BiLstmEncoder.build(TEXTS, min_count=1)
    assert encoder.dimension == 512
    lstm = sum(parameter.numel() for parameter in encoder.lstm.parameters())
    # per direction and layer: 4 gates of 256 from the input and 256 states, and two biases
    assert lstm == 2 * 1024 * (200 + 256 + 2) + 2 * 1024 * (512 + 256 + 2) == 2_514_944
    assert encoder.embedding.weight.numel() == 200 * len(encoder.vocabulary)


def test_the_seed_alone_decides_the_weights():
    states = [build(seed=seed).state_dict() for seed in (1, 1, 2)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["lstm.weight_hh_l0"], states[2]["lstm.weight_hh_l0"])
    assert not torch.equal(states[0]["embedding.weight"], states[2]["embedding.weight"])


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_saved_encoder_gives_identical_vectors(tmp_path, pooling):
    encoder = build(pooling=pooling, max_length=6).eval()
    encoder.save(tmp_path)
    loaded = BiLstmEncoder.load(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["encoder.json", "encoder.safetensors", "vocab.txt"]
    assert json.loads((tmp_path / "encoder.json").read_text())["kind"] == "bilstm"
    assert loaded.options == encoder.options
    assert not loaded.training
    texts = [*TEXTS, "", "foreign words only", "day " * 9]
    assert torch.equal(encode(loaded, texts).vectors, encode(encoder, texts).vectors)


def test_files_that_do_not_fit_each_other_are_a_model_error(tmp_path):
    build().save(tmp_path)
    (tmp_path / "vocab.txt").write_text("<pad>\n<unknown>\nday\n")
    with pytest.raises(ModelError, match="does not fit"):
        BiLstmEncoder.load(tmp_path)


def test_an_unknown_option_is_a_recipe_error():
    with pytest.raises(RecipeError, match="did you mean hidden"):
        build(hiddn=3)


def test_a_size_that_torch_refuses_is_one_sentence_that_names_the_options(monkeypatch):
    with pytest.raises(RecipeError, match=r"a bilstm with hidden = 16777215, .*lower its sizes\.$"):
        build(hidden=2**24 - 1)

    def refuse(*_):
        raise RuntimeError("could not create a primitive descriptor")

    monkeypatch.setattr(nn.LSTM, "forward", refuse)  # as oneDNN does, at the first batch alone
    with pytest.raises(RecipeError, match=r"hidden = 5, .*\(could not create a primitive descriptor\)"):
        build()
