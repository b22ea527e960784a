"""An encoder cut to some of its layers is the stock model of these layers, here and once it is saved."""

import pytest
import torch
from transformers import AlbertConfig, AlbertModel, AutoModel

from affekt.encoders import Order
from affekt.encoders.layers import keep_layers, layers_of
from affekt.encoders.transformer import TransformerEncoder
from affekt.errors import UsageError
from tiny import FAMILIES, TEXTS, make_model, save_encoder


def ordered(folder: str, layers: tuple[int, ...] | None) -> TransformerEncoder:
    made = TransformerEncoder.from_order(Order(TEXTS, 0, folder, None, "mean", 32, None, None, {}, layers))
    return made.eval()


def vectors(encoder: TransformerEncoder) -> torch.Tensor:
    with torch.no_grad():
        return encoder(encoder.collate(encoder.tokenize(TEXTS))).vectors


@pytest.mark.parametrize("family", FAMILIES)
def test_a_cut_encoder_has_the_layers_it_was_told_and_saves_these_alone(tmp_path, family):
    folder = save_encoder(family, tmp_path / "whole", **_layers(family, 3))
    whole, cut = ordered(str(folder), None), ordered(str(folder), (0, 2))
    kept = [layers_of(encoder.backbone) for encoder in (whole, cut)]
    for mine, its in zip(kept[1], [kept[0][0], kept[0][2]], strict=True):
        for name, value in mine.state_dict().items():
            assert torch.equal(value, its.state_dict()[name])
    assert len(cut.layer_groups()) == 3  # the embeddings and two layers
    said = vectors(cut)
    assert not torch.allclose(said, vectors(whole), atol=1e-3)
    cut.save(tmp_path / "saved")
    stock = AutoModel.from_pretrained(tmp_path / "saved").eval()
    assert stock.config.num_hidden_layers == 2
    row = cut.collate(cut.tokenize([TEXTS[0]]))
    with torch.no_grad():
        states = stock(input_ids=row["ids"], attention_mask=row["mask"].long()).last_hidden_state[0]
    torch.testing.assert_close(states.mean(0), said[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(vectors(TransformerEncoder.load(tmp_path / "saved").eval()), said)


def _layers(family: str, count: int) -> dict[str, int]:
    return {"n_layers" if family == "distilbert" else "num_hidden_layers": count}


def test_all_layers_are_the_whole_encoder(tiny):
    torch.testing.assert_close(vectors(ordered(tiny("bert"), (0, 1))), vectors(ordered(tiny("bert"), None)))


def test_a_layer_that_is_not_there_is_refused(tiny):
    with pytest.raises(UsageError, match=r"has 2 layers, counted from 0, and none 2\."):
        ordered(tiny("bert"), (0, 2))


def test_layers_that_are_one_shared_are_not_chosen_from():
    config = AlbertConfig(
        hidden_size=8, num_attention_heads=2, intermediate_size=8, vocab_size=20, embedding_size=4
    )
    with pytest.raises(UsageError, match="those of 'albert' cannot be chosen"):
        keep_layers(AlbertModel(config), (0,), "albert")


def test_the_models_own_order_of_layers_stays():
    model = make_model("bert", num_hidden_layers=4)
    names = [id(layer) for layer in layers_of(model)]
    keep_layers(model, (1, 3), "x")
    assert [id(layer) for layer in layers_of(model)] == [names[1], names[3]]
