"""Transformer encoders give what transformers gives, text by text, with less work."""

import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerFast

from affekt.encoders.transformer import TransformerEncoder
from affekt.errors import UsageError
from tiny import FAMILIES, POSITIONS, TEXTS, make_model

WORDS = ["joy", "anger and fear", "happy"]
LONG = "i love the day " * 50
# what stands before the label words, between them and the text, and after it
LAYOUT = {
    "bert": (["[CLS]"], ["[SEP]"], ["[SEP]"]),
    "electra": (["[CLS]"], ["[SEP]"], ["[SEP]"]),
    "distilbert": (["[CLS]"], ["[SEP]"], ["[SEP]"]),
    "roberta": (["<s>"], ["</s>", "</s>"], ["</s>"]),
    "xlm-roberta": (["<s>"], ["</s>", "</s>"], ["</s>"]),
    "bertweet": (["<s>"], ["</s>", "</s>"], ["</s>"]),
    "mpnet": (["<s>"], ["</s>", "</s>"], ["</s>"]),
}


def vectors(encoder: TransformerEncoder, texts: list[str]) -> torch.Tensor:
    with torch.no_grad():
        return encoder(encoder.collate(encoder.tokenize(texts))).vectors


def stock_states(folder: str, ids: list[int], segments: list[int] | None = None) -> torch.Tensor:
    """The last layer's states (t, d) of one text, by transformers alone."""
    model = AutoModel.from_pretrained(folder).eval()
    given = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long)}
    if segments is not None:
        given["token_type_ids"] = torch.tensor([segments])
    with torch.no_grad():
        return model(**given).last_hidden_state[0]


# --- vectors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_vectors_are_those_of_transformers_and_do_not_depend_on_the_batch(tiny, family, pooling):
    encoder = TransformerEncoder.pretrained(tiny(family), pooling=pooling)
    tokenizer = AutoTokenizer.from_pretrained(tiny(family))
    together = vectors(encoder, TEXTS)
    assert together.shape == (len(TEXTS), encoder.dimension) == (4, 32)
    for text, vector in zip(TEXTS, together, strict=True):
        states = stock_states(tiny(family), tokenizer(text)["input_ids"])
        expected = states[0] if pooling == "cls" else states.mean(0)
        torch.testing.assert_close(vector, expected, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(vectors(encoder, [text])[0], expected, rtol=1e-5, atol=1e-5)


def test_with_cls_pooling_only_the_first_position_comes_back(tiny):
    encoder = TransformerEncoder.pretrained(tiny("bert"))
    encoded = encoder(encoder.collate(encoder.tokenize(TEXTS)))
    assert encoded.tokens.shape == (4, 1, 32)
    assert encoded.mask.shape == (4, 1)


def test_with_mean_pooling_every_position_comes_back_with_its_mask(tiny):
    encoder = TransformerEncoder.pretrained(tiny("bert"), pooling="mean")
    rows = encoder.tokenize(TEXTS)
    encoded = encoder(encoder.collate(rows))
    assert encoded.tokens.shape == (4, max(map(len, rows)), 32)
    assert encoded.mask.sum(1).tolist() == [len(row) for row in rows]


@pytest.mark.parametrize("family", FAMILIES)
def test_an_opened_encoder_drops_nothing_until_it_is_trained(tiny, family):
    encoder = TransformerEncoder.pretrained(tiny(family))
    assert torch.equal(vectors(encoder, TEXTS), vectors(encoder, TEXTS))
    encoder.train()
    assert not torch.allclose(vectors(encoder, TEXTS), vectors(encoder, TEXTS))


def test_an_unknown_pooling_answers_with_the_near_ones(tiny):
    with pytest.raises(UsageError, match="unknown pooling 'men': did you mean mean"):
        TransformerEncoder.pretrained(tiny("bert"), pooling="men")


# --- texts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_a_long_text_is_cut_to_the_maximum_length_between_its_special_tokens(tiny, family):
    encoder = TransformerEncoder.pretrained(tiny(family), max_length=12)
    [row] = encoder.tokenize([LONG])
    [short] = encoder.tokenize([""])
    assert len(row) == 12
    assert [row[0], row[-1]] == short


@pytest.mark.parametrize("family", FAMILIES)
def test_no_text_is_longer_than_the_positions_of_its_encoder(tiny, family):
    # RoBERTa's kin count positions on from the padding id: of 66 rows 64 are for tokens
    encoder = TransformerEncoder.pretrained(tiny(family), max_length=1000)
    assert encoder.max_length == POSITIONS
    [row] = encoder.tokenize([LONG])
    assert len(row) == POSITIONS
    assert vectors(encoder, [LONG]).isfinite().all()


@pytest.mark.parametrize("family", FAMILIES)
def test_odd_texts_have_rows_and_finite_vectors(tiny, family):
    encoder = TransformerEncoder.pretrained(tiny(family), pooling="mean")
    odd = ["", " \t\n", "😂🎉", "\ud83d", "love \udc00 you", "a\x00b", "x" * 10_000, "\ufeff", "مرحبا 你好"]
    rows = encoder.tokenize(odd)
    assert all(1 <= len(row) <= encoder.max_length for row in rows)
    assert vectors(encoder, odd).isfinite().all()


def test_two_surrogates_that_are_one_emoji_are_read_as_that_emoji(tiny):
    encoder = TransformerEncoder.pretrained(tiny("roberta"))
    assert encoder.tokenize(["so \ud83d\ude02"]) == encoder.tokenize(["so 😂"])


@pytest.mark.parametrize("words", [None, WORDS])
def test_no_texts_have_no_rows(tiny, words):
    assert TransformerEncoder.pretrained(tiny("bert"), label_words=words).tokenize([]) == []


def test_an_empty_text_has_a_row_even_where_the_tokenizer_adds_nothing():
    bare = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1, "love": 2}, unk_token="[UNK]"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bare, pad_token="[PAD]", unk_token="[UNK]")
    encoder = TransformerEncoder(make_model("bert"), tokenizer, pooling="mean")
    assert encoder.tokenize(["", "love"]) == [[0], [2]]
    assert vectors(encoder, ["", ""]).isfinite().all()


# --- label words in front of the text -----------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_label_words_stand_where_the_first_of_two_texts_stands(tiny, family):
    encoder = TransformerEncoder.pretrained(tiny(family), label_words=WORDS)
    tokenizer = AutoTokenizer.from_pretrained(tiny(family))
    before, between, after = LAYOUT[family]
    labels = tokenizer.tokenize(" ".join(WORDS))
    text = tokenizer.tokenize("so happy")
    [row] = encoder.tokenize(["so happy"])
    assert tokenizer.convert_ids_to_tokens(row) == [*before, *labels, *between, *text, *after]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_span_holds_all_pieces_of_its_label(tiny, family):
    encoder = TransformerEncoder.pretrained(tiny(family), label_words=WORDS)
    [row] = encoder.tokenize(["so happy"])
    assert len(encoder.prefix.spans) == len(WORDS)
    for word, (start, end) in zip(WORDS, encoder.prefix.spans, strict=True):
        assert encoder.tokenizer.decode(row[start:end]).strip() == word
    start, end = encoder.prefix.spans[1]
    assert end - start >= 3


@pytest.mark.parametrize("family", FAMILIES)
def test_label_words_stay_apart(tiny, family):
    words = ["joy", "love", "so"]
    encoder = TransformerEncoder.pretrained(tiny(family), label_words=words)
    first, last = encoder.prefix.spans[0][0], encoder.prefix.spans[-1][1]
    assert encoder.tokenizer.decode(encoder.prefix.head[first:last]) == "joy love so"
    assert "▁" not in encoder.tokenizer.convert_ids_to_tokens(encoder.prefix.head)  # a space on its own


@pytest.mark.parametrize("family", ["bert", "electra"])
def test_ids_and_segments_are_those_of_a_pair_in_families_with_segments(tiny, family):
    encoder = TransformerEncoder.pretrained(tiny(family), label_words=WORDS)
    tokenizer = AutoTokenizer.from_pretrained(tiny(family))
    texts = ["so happy", "i love the day"]
    batch = encoder.collate(encoder.tokenize(texts))
    pairs = tokenizer([" ".join(WORDS)] * 2, texts, padding=True, return_tensors="pt")
    assert torch.equal(batch["ids"], pairs["input_ids"])
    assert torch.equal(batch["segments"], pairs["token_type_ids"])
    assert torch.equal(batch["mask"], pairs["attention_mask"].bool())
    assert batch["segments"].sum(1).tolist() == [3, 5]  # the text and the mark after it; not the padding


@pytest.mark.parametrize("family", ["distilbert", "roberta", "xlm-roberta", "bertweet"])
def test_families_without_segments_are_given_none(tiny, family):
    encoder = TransformerEncoder.pretrained(tiny(family), label_words=WORDS)
    assert "segments" not in encoder.collate(encoder.tokenize(TEXTS))


def test_segments_are_given_by_the_model_whatever_the_tokenizer_is_set_to(tiny):
    tokenizer = AutoTokenizer.from_pretrained(tiny("bert"))
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    assert TransformerEncoder(make_model("bert"), tokenizer, label_words=WORDS).prefix.text_segment == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_the_states_of_the_label_words_are_those_of_the_whole_input(tiny, family):
    encoder = TransformerEncoder.pretrained(tiny(family), label_words=WORDS)
    rows = encoder.tokenize(TEXTS)
    batch = encoder.collate(rows)
    with torch.no_grad():
        encoded = encoder(batch)
    width = len(encoder.prefix.head)
    assert encoded.tokens.shape == (len(TEXTS), width, 32)
    assert encoded.mask.all()
    for i, row in enumerate(rows):
        segments = batch["segments"][i, : len(row)].tolist() if "segments" in batch else None
        expected = stock_states(tiny(family), row, segments)
        torch.testing.assert_close(encoded.tokens[i], expected[:width], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(encoded.vectors[i], expected[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_truncation_cuts_the_text_and_never_the_labels(tiny, family):
    encoder = TransformerEncoder.pretrained(tiny(family), label_words=WORDS, max_length=30)
    head, tail = list(encoder.prefix.head), list(encoder.prefix.tail)
    [row] = encoder.tokenize([LONG])
    assert len(row) == 30
    assert row[: len(head)] == head
    assert row[-len(tail) :] == tail
    plain = encoder.tokenizer(LONG, add_special_tokens=False)["input_ids"]
    assert row[len(head) : -len(tail)] == plain[: 30 - len(head) - len(tail)]


def test_label_words_that_leave_no_room_for_the_text_are_refused(tiny):
    with pytest.raises(UsageError, match=r"3 label words take 7 of 8 positions.*raise encoder\.max_length"):
        TransformerEncoder.pretrained(tiny("bert"), label_words=WORDS, max_length=8)


def test_a_label_word_without_a_token_is_named(tiny):
    with pytest.raises(UsageError, match=r"label words \[' '\] map to no token"):
        TransformerEncoder.pretrained(tiny("bert"), label_words=["joy", " "])


def test_mean_pooling_over_label_words_and_text_is_refused(tiny):
    with pytest.raises(UsageError, match=r"set encoder\.pooling to cls"):
        TransformerEncoder.pretrained(tiny("bert"), label_words=WORDS, pooling="mean")


# --- parameters and files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_layer_groups_hold_each_parameter_once_from_the_embeddings_upwards(tiny, family):
    encoder = TransformerEncoder.pretrained(tiny(family))
    groups = encoder.layer_groups()
    grouped = [id(parameter) for group in groups for parameter in group]
    assert len(groups) == 3  # the embeddings and two layers
    assert sorted(grouped) == sorted(id(parameter) for parameter in encoder.parameters())
    assert any(parameter is encoder.word_embeddings().weight for parameter in groups[0])


@pytest.mark.parametrize("family", FAMILIES)
def test_every_parameter_has_a_gradient(tiny, family):
    encoder = TransformerEncoder.pretrained(tiny(family), pooling="mean")
    encoder(encoder.collate(encoder.tokenize(TEXTS))).vectors.square().sum().backward()
    assert [name for name, parameter in encoder.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize("family", FAMILIES)
def test_a_saved_encoder_opens_with_the_same_tokens_and_vectors(tiny, tmp_path, family):
    encoder = TransformerEncoder.pretrained(tiny(family), pooling="mean", max_length=20)
    encoder.save(tmp_path)
    opened = TransformerEncoder.load(tmp_path)
    assert (opened.pooling, opened.max_length, opened.prefix) == ("mean", 20, None)
    assert opened.family == encoder.family
    assert opened.tokenize([*TEXTS, LONG]) == encoder.tokenize([*TEXTS, LONG])
    assert torch.equal(vectors(opened, TEXTS), vectors(encoder, TEXTS))


def test_an_encoder_saved_twice_over_is_still_the_same(tiny, tmp_path):
    # BERTweet's tokenizer loses its merges when transformers alone writes and reads it
    encoder = TransformerEncoder.pretrained(tiny("bertweet"))
    for step in ("first", "second"):
        (tmp_path / step).mkdir()
        encoder.save(tmp_path / step)
        again = TransformerEncoder.load(tmp_path / step)
        assert again.tokenize(["happy love so"]) == encoder.tokenize(["happy love so"])
        encoder = again


def test_label_words_are_saved(tiny, tmp_path):
    encoder = TransformerEncoder.pretrained(tiny("bert"), label_words=WORDS, max_length=40)
    encoder.save(tmp_path)
    opened = TransformerEncoder.load(tmp_path)
    assert opened.prefix == encoder.prefix
    assert opened.max_length == 40
    assert torch.equal(vectors(opened, TEXTS), vectors(encoder, TEXTS))


def test_others_who_open_the_folder_cut_texts_at_the_same_length(tiny, tmp_path):
    encoder = TransformerEncoder.pretrained(tiny("bert"), max_length=20)
    encoder.save(tmp_path)
    ids = AutoTokenizer.from_pretrained(tmp_path)(LONG, truncation=True)["input_ids"]
    assert [ids] == encoder.tokenize([LONG])


def test_opening_and_saving_say_nothing(tiny, tmp_path, capfd):
    folder = tiny("bert")
    capfd.readouterr()
    TransformerEncoder.pretrained(folder).save(tmp_path)
    TransformerEncoder.load(tmp_path)
    assert capfd.readouterr() == ("", "")
