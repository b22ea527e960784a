import numpy as np
import pytest
import torch
from torch import nn

from affekt.encoders.convolutional import WordCnnEncoder
from affekt.encoders.vectors import WordVectors
from affekt.encoders.vocabulary import PAD, UNKNOWN
from affekt.errors import ModelError

TEXTS = ["glad glad day", "sad sad day today", "angry angry night", "a day and a night"]


def build(**options):
    small = {"filters": 6, "word_dimension": 4, "min_count": 1}
    return WordCnnEncoder.build(TEXTS, **{**small, **options})


def encode(encoder, texts):
    return encoder(encoder.collate(encoder.tokenize(texts)))


def reference_vector(encoder, text):
    """The vector of one text by plain loops over positions."""
    row = encoder.tokenize([text])[0]
    positions = [encoder.embedding.weight[int(word)] for word in row]
    pool, half = encoder.options.pool, encoder.options.kernel // 2
    for block in encoder.convolutions:
        zero = torch.zeros_like(positions[0])
        padded = [zero] * half + positions + [zero] * half
        made = []
        for place in range(len(positions)):
            total = block.bias
            for offset in range(encoder.options.kernel):
                total = total + block.weight[:, :, offset] @ padded[place + offset]
            made.append(total.clamp(min=0))
        positions = [
            torch.stack(made[start : start + pool]).max(dim=0).values for start in range(0, len(made), pool)
        ]
    return torch.stack(positions).max(dim=0).values


@pytest.mark.parametrize("options", [{}, {"pool": 3, "blocks": 2}, {"kernel": 3, "blocks": 1}])
def test_vectors_agree_with_plain_loops(options):
    encoder = build(**options).eval()
    for text in ["day", "sad day", "a glad day and a sad night and a day today and a night", ""]:
        torch.testing.assert_close(encode(encoder, [text]).vectors[0], reference_vector(encoder, text))


def test_a_text_has_the_same_vector_and_gradient_alone_and_in_a_batch():
    encoder = build().eval()
    texts = ["day", "", "glad day and night", "sad day " * 30, "a day and a night and angry"]
    together = encode(encoder, texts).vectors
    for index, text in enumerate(texts):
        alone = encode(encoder, [text]).vectors[0]
        torch.testing.assert_close(together[index], alone, atol=1e-6, rtol=1e-5)

        gradients = []
        for batch, position in ((texts, index), ([text], 0)):
            encoder.zero_grad()
            encode(encoder, batch).vectors[position].square().sum().backward()
            gradients.append([parameter.grad.clone() for parameter in encoder.parameters()])
        for in_batch, single in zip(*gradients, strict=True):
            torch.testing.assert_close(in_batch, single, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("length", [1, 2, 3, 31, 32, 33, 128])
def test_no_length_is_too_short_for_five_blocks(length):
    encoder = build().eval()
    vectors = encode(encoder, ["day " * length]).vectors
    assert vectors.shape == (1, 6)
    assert torch.isfinite(vectors).all()


@pytest.mark.parametrize("text", ["", "   ", "wholly foreign", "\ud800"])
def test_texts_without_known_words_have_finite_vectors(text):
    encoder = build().eval()
    assert set(encoder.tokenize([text])[0].tolist()) == {UNKNOWN}
    assert torch.isfinite(encode(encoder, [text]).vectors).all()


@pytest.mark.parametrize("limit", [128, 750])
def test_texts_are_cut_at_the_maximum_length(limit):
    encoder = build(max_length=limit)
    batch = encoder.collate(encoder.tokenize(["day " * 2000, "sad"]))
    assert batch["ids"].shape == (2, limit)


def test_a_batch_is_padded_to_its_own_longest_text_only():
    encoder = build(max_length=750)
    assert encoder.collate(encoder.tokenize(["sad", "glad day"]))["ids"].shape == (2, 2)


def test_long_comments_train():
    encoder = build(max_length=750)
    encode(encoder, ["sad day " * 375, "glad day " * 400]).vectors.sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in encoder.parameters())


def test_training_tells_the_texts_apart_and_leaves_the_padding_zero():
    encoder = build(dropout=0.0, filters=16)
    head = nn.Linear(encoder.dimension, 1)
    optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=0.01)
    targets = torch.tensor([[1.0], [0.0], [0.0], [1.0]])
    losses = []
    for _ in range(60):
        logits = head(encode(encoder, TEXTS).vectors)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    assert losses[-1] < 0.2 * losses[0]
    assert encoder.embedding.weight[PAD].abs().sum() == 0


def test_five_blocks_neither_fade_nor_burst():
    texts = [" ".join(f"word{n * place % 61}" for place in range(1, 25)) for n in range(1, 61)]
    encoder = WordCnnEncoder.build(texts, word_dimension=25, min_count=1).eval()
    words = encoder.embedding.weight.std()
    assert 0.1 < encode(encoder, texts).vectors.std(dim=0).mean() / words < 10


def test_dropout_is_drawn_in_training_only():
    encoder = build(dropout=0.5)
    encoder.train()
    assert not torch.equal(encode(encoder, TEXTS).vectors, encode(encoder, TEXTS).vectors)
    encoder.eval()
    assert torch.equal(encode(encoder, TEXTS).vectors, encode(encoder, TEXTS).vectors)


def test_word_vectors_are_where_training_starts_and_decide_the_size():
    matrix = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float32)
    encoder = build(vectors=WordVectors(["day", "night"], matrix))
    assert encoder.options.word_dimension == 3
    row = encoder.word_embeddings().weight[encoder.vocabulary.index("night")]
    np.testing.assert_array_equal(row.detach(), matrix[1])


def test_layer_groups_hold_every_parameter_once_from_the_words_upwards():
    encoder = build()
    groups = encoder.layer_groups()
    assert len(groups) == 6
    assert groups[0][0] is encoder.embedding.weight
    grouped = [id(parameter) for group in groups for parameter in group]
    assert sorted(grouped) == sorted(id(parameter) for parameter in encoder.parameters())


def test_the_size_of_row_e1():
    encoder = WordCnnEncoder.build(TEXTS, min_count=1)
    assert encoder.dimension == 128
    blocks = sum(parameter.numel() for parameter in encoder.convolutions.parameters())
    assert blocks == (100 * 5 * 128 + 128) + 4 * (128 * 5 * 128 + 128) == 392_320


def test_the_seed_alone_decides_the_weights():
    states = [build(seed=seed).state_dict() for seed in (1, 1, 2)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["convolutions.0.weight"], states[2]["convolutions.0.weight"])


def test_a_saved_encoder_gives_identical_vectors(tmp_path):
    encoder = build(max_length=20, pool=3).eval()
    encoder.save(tmp_path)
    loaded = WordCnnEncoder.load(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["encoder.json", "encoder.safetensors", "vocab.txt"]
    assert loaded.options == encoder.options
    assert not loaded.training
    texts = [*TEXTS, "", "foreign words only", "day " * 30]
    assert torch.equal(encode(loaded, texts).vectors, encode(encoder, texts).vectors)


def test_an_even_kernel_is_refused():
    with pytest.raises(ModelError, match="kernel is 4"):
        build(kernel=4)
