"""Tiny random encoders of the families people use, made on the spot and saved as folders. No network.

`save_encoder("bert", folder)` writes config, weights and tokenizer, and
`TransformerEncoder.pretrained(str(folder))` opens them. The fixture `tiny` of conftest.py keeps one folder
per family for the whole test run.
"""

import string
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizer,
    BertweetTokenizer,
    DistilBertConfig,
    DistilBertModel,
    DistilBertTokenizer,
    ElectraConfig,
    ElectraModel,
    MPNetConfig,
    MPNetModel,
    MPNetTokenizer,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

TEXTS = ["i love playing", "so happy today !", "", "i was so so so sad , and then the day got better :)"]
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
POSITIONS = 64  # the longest input of every family
WORDS = ["i", "love", "play", "so", "happy", "sad", "day", "the", "joy", "anger", "fear", "and", "was"]


def wordpiece(kind: type[BertTokenizer] = BertTokenizer) -> BertTokenizer:
    """BERT's kind: uncased words, or their letters, or [UNK] for letters beyond ASCII."""
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    marks = [*string.ascii_lowercase, *string.digits, *string.punctuation]
    pieces = dict.fromkeys([*specials, *WORDS, "##ing", *marks, *(f"##{mark}" for mark in marks)])
    return kind(vocab={piece: i for i, piece in enumerate(pieces)})


def wordpiece_without_segments() -> BertTokenizer:
    """DistilBERT's kind: BERT's, of which the model takes no segment ids."""
    return wordpiece(DistilBertTokenizer)


def wordpiece_in_sentence_marks() -> MPNetTokenizer:
    """MPNet's kind: BERT's pieces between RoBERTa's marks."""
    pieces = [piece for piece in wordpiece().get_vocab() if piece[0] != "["] + ["[", "[UNK]"]
    marked = dict.fromkeys(["<s>", "<pad>", "</s>", "<mask>", *pieces])
    return MPNetTokenizer(vocab={piece: i for i, piece in enumerate(marked)})


def byte_level() -> PreTrainedTokenizerFast:
    """RoBERTa's kind: byte-level BPE, whose pieces are mostly single bytes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=280,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["i love playing so so much", "playing so happy"], trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **_sentence_marks())


def unigram() -> PreTrainedTokenizerFast:
    """XLM-RoBERTa's kind: pieces of sentences, a space being a character of theirs."""
    pieces = [*(f"▁{word}" for word in WORDS), "▁", "ing", *string.ascii_letters, *string.punctuation]
    scored = [(piece, -1.0 - len(piece) ** -1) for piece in dict.fromkeys(pieces)]
    specials = [(piece, 0.0) for piece in ("<s>", "<pad>", "</s>", "<unk>")]
    tokenizer = Tokenizer(models.Unigram([*specials, *scored, ("<mask>", 0.0)], unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **_sentence_marks())


def _sentence_marks() -> dict[str, str]:
    names = {"bos": "<s>", "cls": "<s>", "eos": "</s>", "sep": "</s>", "pad": "<pad>", "unk": "<unk>"}
    return {f"{name}_token": token for name, token in names.items()} | {"mask_token": "<mask>"}


def save_bertweet_tokenizer(folder: Path) -> None:
    """BERTweet's kind, which is plain Python: words, or pieces that end in @@ inside a word."""
    marks = [*string.ascii_letters, *string.digits, *string.punctuation]
    pieces = [*marks, *(f"{mark}@@" for mark in marks), "love", "happ@@", "so"]
    lines = [f"{piece} 1" for piece in dict.fromkeys(pieces)]
    (folder / "vocab.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    merges = ["l o", "lo v", "lov e</w>", "h a", "p p", "ha pp", "s o</w>"]
    (folder / "bpe.codes").write_text("".join(f"{merge} 1\n" for merge in merges), encoding="utf-8")
    tokenizer = BertweetTokenizer(str(folder / "vocab.txt"), str(folder / "bpe.codes"))
    tokenizer.save_pretrained(folder)
    (folder / "bpe.codes").write_text("".join(f"{merge} 1\n" for merge in merges), encoding="utf-8")


def _bert(vocabulary: int, **changes: Any) -> Any:
    settings = {"vocab_size": vocabulary, "max_position_embeddings": POSITIONS, **SIZES, **changes}
    return BertModel(BertConfig(**settings))


def _electra(vocabulary: int, **changes: Any) -> Any:
    settings = {"vocab_size": vocabulary, "max_position_embeddings": POSITIONS, "embedding_size": 16}
    return ElectraModel(ElectraConfig(**{**settings, **SIZES, **changes}))


def _roberta(vocabulary: int, **changes: Any) -> Any:
    settings = {"vocab_size": vocabulary, "max_position_embeddings": POSITIONS + 2, "type_vocab_size": 1}
    return RobertaModel(RobertaConfig(**{**settings, **SIZES, **changes}))


def _xlm_roberta(vocabulary: int, **changes: Any) -> Any:
    settings = {"vocab_size": vocabulary, "max_position_embeddings": POSITIONS + 2, "type_vocab_size": 1}
    return XLMRobertaModel(XLMRobertaConfig(**{**settings, **SIZES, **changes}))


def _mpnet(vocabulary: int, **changes: Any) -> Any:
    settings = {"vocab_size": vocabulary, "max_position_embeddings": POSITIONS + 2}
    return MPNetModel(MPNetConfig(**{**settings, **SIZES, **changes}))


def _distilbert(vocabulary: int, **changes: Any) -> Any:
    sizes = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48}
    settings = {"vocab_size": vocabulary, "max_position_embeddings": POSITIONS, **sizes, **changes}
    return DistilBertModel(DistilBertConfig(**settings))


_MODELS: dict[str, Callable[..., Any]] = {
    "bert": _bert,
    "electra": _electra,
    "distilbert": _distilbert,
    "roberta": _roberta,
    "xlm-roberta": _xlm_roberta,
    "bertweet": _roberta,
    "mpnet": _mpnet,
}
_TOKENIZERS: dict[str, Callable[[], Any]] = {
    "bert": wordpiece,
    "electra": wordpiece,
    "distilbert": wordpiece_without_segments,
    "roberta": byte_level,
    "xlm-roberta": unigram,
    "mpnet": wordpiece_in_sentence_marks,
}
FAMILIES = tuple(_MODELS)


def make_model(family: str, vocabulary: int = 150, *, seed: int = 0, **changes: Any) -> Any:
    """Return a transformers model of two layers, whose weights are all unlike where training starts.

    Args:
        family: One of `FAMILIES`.
        vocabulary: Rows of the token embedding.
        seed: Decides the weights.
        changes: Other settings of the family's config.
    """
    model = _MODELS[family](vocabulary, **changes)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            gain = "norm" in name.lower() and name.endswith("weight")
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2 + (1.0 if gain else 0.0))
    return model.eval()


def save_encoder(family: str, folder: Path, *, seed: int = 0, **changes: Any) -> Path:
    """Write a tiny encoder of a family, with its tokenizer, and return its folder."""
    from transformers import AutoTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    if family == "bertweet":
        save_bertweet_tokenizer(folder)
        changes = {"tokenizer_class": "BertweetTokenizer", **changes}
    else:
        _TOKENIZERS[family]().save_pretrained(folder)
    # a config must stand beside the tokenizer before it can be counted
    make_model(family, **changes).config.save_pretrained(folder)
    vocabulary = len(AutoTokenizer.from_pretrained(folder))
    make_model(family, vocabulary, seed=seed, **changes).save_pretrained(folder)
    return folder


def save_classifier(encoder: str, labels: Sequence[str], folder: Path, *, single_label: bool) -> Path:
    """Write a classifier with random weights over a folder's encoder, nothing fitted; return its folder."""
    from affekt.decisions import Decisions
    from affekt.encoders.transformer import TransformerEncoder
    from affekt.inference.model import Model
    from affekt.inference.runtimes.torch import TorchRuntime
    from affekt.networks.heads import build_head
    from affekt.networks.network import Network

    torch.manual_seed(0)
    opened = TransformerEncoder.pretrained(encoder)
    network = Network(opened, build_head(opened, len(labels), kind="classification")).eval()
    decisions = Decisions.unfitted(len(labels), single_label=single_label)
    return Model(TorchRuntime(network), tuple(labels), single_label, decisions).save(folder)
