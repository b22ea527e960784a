"""Tiny random models and tokenizers of the BERT and RoBERTa families, made on the spot."""

from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, RobertaConfig, RobertaModel

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = ["i", "love", "play", "##ing", ".", "#", "happy", "day", "c", "##s", "!", "so", "##o", "cafe", "@"]


def wordpiece() -> PreTrainedTokenizerFast:
    """An uncased WordPiece tokenizer of twenty pieces."""
    vocabulary = {piece: i for i, piece in enumerate(SPECIAL + PIECES)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def byte_level() -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer whose pieces are mostly single bytes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=270,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["i love playing so so much", "playing so happy"], trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    names = {"bos": "<s>", "cls": "<s>", "eos": "</s>", "sep": "</s>", "pad": "<pad>", "unk": "<unk>"}
    tokens = {f"{name}_token": token for name, token in names.items()}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, mask_token="<mask>", **tokens)


def plain_bert(**changes: Any) -> BertModel:
    """A BERT of two layers whose norms have gains and biases unlike 1 and 0."""
    settings = {"vocab_size": 40, "max_position_embeddings": 64, **SIZES, **changes}
    return _shaken(BertModel(BertConfig(**settings)))


def plain_roberta(**changes: Any) -> RobertaModel:
    """A RoBERTa of two layers, likewise."""
    settings = {"vocab_size": 300, "max_position_embeddings": 66, "type_vocab_size": 1, **SIZES, **changes}
    return _shaken(RobertaModel(RobertaConfig(pad_token_id=1, layer_norm_eps=1e-5, **settings)))


def _shaken(model: Any) -> Any:
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            middle = 1.0 if name.endswith("LayerNorm.weight") else 0.0
            parameter.normal_(middle, 0.2)
    return model.eval()
