"""A static encoder is the mean of weighted token vectors, here, once saved, and in model2vec."""

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModel

from affekt.encoders import Order
from affekt.encoders.static import StaticEncoder
from affekt.errors import ModelError, RecipeError

TEXTS = ["i love playing", "so happy today !", "", "i was so so so sad , and then the day got better :)"]
FAMILIES = ["bert", "roberta", "xlm-roberta", "mpnet"]


def made(folder: str, texts: list[str] = TEXTS, **options: int) -> StaticEncoder:
    return StaticEncoder.from_order(Order(texts, 0, folder, None, "mean", 16, None, None, options))


def vectors(encoder: StaticEncoder, texts: list[str] = TEXTS) -> torch.Tensor:
    with torch.no_grad():
        return encoder.eval()(encoder.collate(encoder.tokenize(texts))).vectors


@pytest.mark.parametrize("family", FAMILIES)
def test_a_vector_is_the_mean_of_weighted_token_vectors_whatever_the_batch(tiny, family):
    encoder = made(tiny(family), dimension=6)
    with torch.no_grad():
        encoder.weights.mul_(torch.rand(len(encoder.weights)) + 0.5)
    tokenizer = Tokenizer.from_file(f"{tiny(family)}/tokenizer.json")
    for text, vector in zip(TEXTS, vectors(encoder), strict=True):
        ids = tokenizer.encode(text, add_special_tokens=False).ids[:16]
        ids = [i for i in ids if tokenizer.id_to_token(i) not in {"[UNK]", "<unk>"}]
        table = (encoder.embedding.weight * encoder.weights[:, None]).detach().half().double()
        expected = sum((table[i] for i in ids), torch.zeros(6).double()) / max(len(ids), 1)
        torch.testing.assert_close(vector.double(), expected, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(vectors(encoder, [text])[0], vector)


def test_what_the_tokenizer_does_not_know_is_left_out(tiny):
    encoder = made(tiny("bert"), dimension=6)
    known, unknown, mixed = vectors(encoder, ["so happy", "☃", "so ☃ happy"])
    assert not unknown.any()
    torch.testing.assert_close(mixed, known)


def test_it_starts_from_the_principal_components_of_an_encoders_token_vectors(tiny):
    encoder = made(tiny("bert"), dimension=1000)
    assert encoder.dimension == 32  # of the encoder at most
    table = AutoModel.from_pretrained(tiny("bert")).get_input_embeddings().weight.detach()
    start, centred = encoder.embedding.weight.detach()[:-1], table - table.mean(0)
    scale = centred.norm(dim=1).mean()
    torch.testing.assert_close(
        torch.cdist(start, start) * scale, torch.cdist(table, table), atol=1e-3, rtol=1e-3
    )
    narrow = made(tiny("bert"), dimension=4).embedding.weight.detach()[:-1]
    variance = start.var(dim=0)
    assert (variance[:-1] >= variance[1:] - 1e-6).all()
    torch.testing.assert_close(
        narrow / narrow.norm(), start[:, :4] / start[:, :4].norm(), atol=1e-5, rtol=1e-4
    )


def test_a_common_token_weighs_less_and_a_running_one_weighs_one(tiny):
    encoder = made(tiny("bert"), ["so so so so so so happy", "so so so sad"], dimension=4)
    weights, ids = encoder.weights.detach(), encoder.tokenize(["so happy day"])[0]
    so, happy, day = weights[ids].tolist()
    assert so < happy < day
    counts = torch.ones(len(weights) - 1)
    for row in encoder.tokenize(["so so so so so so happy", "so so so sad"]):
        for i in row:
            counts[i] += 1
    assert (weights[:-1] * counts).sum() / counts.sum() == pytest.approx(1, abs=1e-4)


def test_texts_are_cut_at_the_longest_length(tiny):
    encoder = made(tiny("bert"), dimension=4)
    assert [len(row) for row in encoder.tokenize(["so " * 99, "so", ""])] == [16, 1, 1]


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_saved_gives_the_same_vectors_and_can_be_gone_on_with(tiny, tmp_path, family):
    encoder = made(tiny(family), dimension=6)
    with torch.no_grad():
        encoder.weights.mul_(torch.rand(len(encoder.weights)) + 0.5)
    encoder.save(tmp_path)
    for again in (StaticEncoder.load(tmp_path), made(str(tmp_path), dimension=99)):
        assert torch.equal(vectors(again), vectors(encoder))
        assert again.tokenize(TEXTS) == encoder.tokenize(TEXTS)


@pytest.mark.parametrize("family", FAMILIES)
def test_model2vec_gives_the_same_vectors(tiny, tmp_path, family):
    model2vec = pytest.importorskip("model2vec")
    encoder = made(tiny(family), dimension=6, max_length=64)  # it cuts letters too, at 64 median tokens
    encoder.save(tmp_path)
    theirs = model2vec.StaticModel.from_pretrained(str(tmp_path)).encode(TEXTS)
    np.testing.assert_allclose(theirs, vectors(encoder).numpy(), atol=2e-3)


def test_a_tokenizer_that_is_plain_python_is_refused(tiny):
    with pytest.raises(ModelError, match="is plain Python, and a static encoder needs one of the tokenizers"):
        made(tiny("bertweet"))


def test_unknown_options_and_damaged_folders_are_refused(tiny, tmp_path):
    with pytest.raises(RecipeError, match="unknown option of static 'width'"):
        made(tiny("bert"), width=3)
    encoder = made(tiny("bert"), dimension=6)
    encoder.save(tmp_path)
    made(tiny("roberta")).tokenizer.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ModelError, match="fit another tokenizer"):
        StaticEncoder.load(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match="not a whole static encoder"):
        StaticEncoder.load(tmp_path)
