"""The table of known data sets: what each holds, where it comes from, and what to beware of."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["texts", "vectors", "words"]
Layout = Literal["splits", "raters", "jigsaw", "sample"]


@dataclass(frozen=True)
class HubPlace:
    """Where a data set lives on the Hub, and the names its columns have there."""

    id: str
    config: str | None = None
    revision: str | None = None
    text: str = "text"
    labels: str = "label"


@dataclass(frozen=True)
class Dataset:
    """What is known of a data set before it is read.

    Args:
        name: By which it is loaded, and the folder it is in.
        task: "single-label", "multi-label", or "" where it holds no texts.
        labels: In their official order.
        language: Of its texts.
        sizes: Rows of each split.
        citation: Whom to cite.
        licence: As far as known.
        home: Where it comes from, for those who must fetch it by hand.
        hub: Its place on the Hub, if it has one that can be read without running code.
        note: What to beware of.
        kind: "texts", or "vectors" or "words", which are only found and not loaded.
        layout: How its files are laid out: a file per split, one row per rater, Kaggle's, or the bundled one.
    """

    name: str
    task: str
    labels: tuple[str, ...]
    language: str
    sizes: dict[str, int]
    citation: str
    licence: str
    home: str
    hub: HubPlace | None = None
    note: str = ""
    kind: Kind = "texts"
    layout: Layout = "splits"

    @property
    def single_label(self) -> bool:
        """Whether every text has exactly one label."""
        return self.task == "single-label"


_GOEMOTIONS = (
    *("admiration", "amusement", "anger", "annoyance", "approval", "caring", "confusion", "curiosity"),
    *("desire", "disappointment", "disapproval", "disgust", "embarrassment", "excitement", "fear"),
    *("gratitude", "grief", "joy", "love", "nervousness", "optimism", "pride", "realization", "relief"),
    *("remorse", "sadness", "surprise", "neutral"),
)
_SEMEVAL = (
    *("anger", "anticipation", "disgust", "fear", "joy", "love", "optimism", "pessimism"),
    *("sadness", "surprise", "trust"),
)
_TOXIC = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
_SARCASM = ("not_sarcastic", "sarcastic")
_SAMPLE = ("anger", "fear", "joy", "love", "sadness", "surprise")


def _goemotions(name: str, config: str, sizes: dict[str, int], layout: Layout, note: str) -> Dataset:
    return Dataset(
        name=name,
        task="multi-label",
        labels=_GOEMOTIONS,
        language="en",
        sizes=sizes,
        citation="Demszky et al. 2020, GoEmotions: A Dataset of Fine-Grained Emotions, ACL",
        licence="CC BY 4.0 (as remembered of google-research's data sets)",
        home="https://github.com/google-research/google-research/tree/master/goemotions",
        hub=HubPlace(
            "google-research-datasets/go_emotions",
            config,
            revision="add492243ff905527e67aeb8b80c082af02207c3",
            labels="labels",
        ),
        note=note,
        layout=layout,
    )


def _tweeteval(task: str, labels: tuple[str, ...], sizes: dict[str, int], source: str, note: str) -> Dataset:
    return Dataset(
        name=f"tweeteval-{task}",
        task="single-label",
        labels=labels,
        language="en",
        sizes=sizes,
        citation=f"Barbieri et al. 2020, TweetEval, Findings of EMNLP; {source}",
        licence="TweetEval adds no restriction to those of its sources and of Twitter",
        home="https://github.com/cardiffnlp/tweeteval",
        hub=HubPlace("cardiffnlp/tweet_eval", task, revision="b3a375baf0f409c77e6bc7aa35102b7b3534f8be"),
        note=note,
    )


def _semeval(language: str, sizes: dict[str, int], note: str) -> Dataset:
    return Dataset(
        name=f"semeval2018-ec-{language}",
        task="multi-label",
        labels=_SEMEVAL,
        language=language,
        sizes=sizes,
        citation="Mohammad et al. 2018, SemEval-2018 Task 1: Affect in Tweets",
        licence="research use, cite the paper, no redistribution",
        home="https://competitions.codalab.org/competitions/17751",
        note=f"An empty label list means neutral or no emotion.{note}",
    )


def _sample(name: str, task: str) -> Dataset:
    return Dataset(
        name=name,
        task=task,
        labels=_SAMPLE,
        language="en",
        sizes={},
        citation="affekt",
        licence="Apache-2.0",
        home="bundled with affekt",
        note="Written for demonstration: figures on it say nothing about real text.",
        layout="sample",
    )


_ALL = (
    _sample("sample", "single-label"),
    _sample("sample-multilabel", "multi-label"),
    _goemotions(
        "goemotions",
        "simplified",
        {"train": 43_410, "dev": 5_426, "test": 5_427},
        "splits",
        "Reddit comments with [NAME] and [RELIGION] masked. 41 texts of dev and 32 of test are in train too.",
    ),
    _goemotions(
        "goemotions-raw",
        "raw",
        {},
        "raters",
        "211,225 rows, one per rater. Rows of a comment are gathered into shares of raters and stay in one "
        "split, drawn 8:1:1 here; rows split one by one put the same comment on both sides.",
    ),
    Dataset(
        name="dair-emotion",
        task="single-label",
        labels=("sadness", "joy", "love", "anger", "fear", "surprise"),
        language="en",
        sizes={"train": 16_000, "dev": 2_000, "test": 2_000},
        citation="Saravia et al. 2018, CARER: Contextualized Affect Representations, EMNLP",
        licence="educational and research use (as remembered of its card)",
        home="https://github.com/dair-ai/emotion_dataset",
        hub=HubPlace("dair-ai/emotion", "split", revision="cab853a1dbdf4c42c2b3ef2173804746df8825fe"),
        note="Lower-cased, no punctuation; labels come from hashtags. 11 texts of test are in train too.",
    ),
    _tweeteval(
        "emotion",
        ("anger", "joy", "optimism", "sadness"),
        {"train": 3_257, "dev": 374, "test": 1_421},
        "Mohammad et al. 2018, SemEval-2018 Task 1",
        "The tweets are those of semeval2018-ec-en: who is judged on one may not have seen the other.",
    ),
    _tweeteval(
        "irony",
        ("non_irony", "irony"),
        {"train": 2_862, "dev": 955, "test": 784},
        "Van Hee et al. 2018, SemEval-2018 Task 3A",
        "Three train rows hold several tweets run together.",
    ),
    _tweeteval(
        "sentiment",
        ("negative", "neutral", "positive"),
        {"train": 45_615, "dev": 2_000, "test": 12_284},
        "Rosenthal et al. 2017, SemEval-2017 Task 4",
        "A train file of 45,616 rows is a reconstruction from the SemEval files: not for official figures.",
    ),
    _semeval(
        "en",
        {"train": 6_838, "dev": 886, "test": 3_259},
        " The tweets are those of tweeteval-emotion: who is judged on one may not have seen the other.",
    ),
    _semeval("ar", {"train": 2_278, "dev": 585, "test": 1_518}, ""),
    _semeval("es", {"train": 3_561, "dev": 679, "test": 2_854}, ""),
    Dataset(
        name="jigsaw-toxic-subset",
        task="multi-label",
        labels=_TOXIC,
        language="en",
        sizes={"train": 10_254, "test": 1_200},
        citation="cjadams et al. 2017, Toxic Comment Classification Challenge, Kaggle",
        licence="CC0, the comments CC BY-SA 3.0",
        home="https://github.com/predibase/llm_distillation_playbook",
        note="A subset in which toxic comments are over-represented; the column natural_sample marks rows "
        "drawn at the natural rate. An empty label list means not toxic.",
    ),
    Dataset(
        name="jigsaw-toxic",
        task="multi-label",
        labels=_TOXIC,
        language="en",
        sizes={"train": 51_063, "dev": 12_766, "test": 63_978},
        citation="cjadams et al. 2017, Toxic Comment Classification Challenge, Kaggle",
        licence="CC0, the comments CC BY-SA 3.0",
        home="https://www.kaggle.com/c/jigsaw-toxic-comment-classification-challenge",
        note="Kaggle's train.csv, test.csv and test_labels.csv: 40 % of train, parted 80:20; test rows "
        "marked -1 were never scored and are left out.",
        layout="jigsaw",
    ),
    Dataset(
        name="sst2",
        task="single-label",
        labels=("negative", "positive"),
        language="en",
        sizes={"train": 6_920, "dev": 872, "test": 1_821},
        citation="Socher et al. 2013, Recursive Deep Models for Semantic Compositionality, EMNLP",
        licence="free for research",
        home="https://nlp.stanford.edu/sentiment/",
        hub=HubPlace("SetFit/sst2"),
        note="Whole sentences only, lower-cased and tokenised.",
    ),
    Dataset(
        name="isarcasmeval-en",
        task="single-label",
        labels=_SARCASM,
        language="en",
        sizes={"train": 3_468, "test": 1_400},
        citation="Abu Farha et al. 2022, SemEval-2022 Task 6: iSarcasmEval",
        licence="MIT",
        home="https://github.com/iabufarha/iSarcasmEval",
        note="Sarcasm as its authors meant it. One train row is blank and is left out.",
    ),
    Dataset(
        name="news-headlines-sarcasm",
        task="single-label",
        labels=_SARCASM,
        language="en",
        sizes={"train": 26_709},
        citation="Misra & Arora 2023, Sarcasm Detection using News Headlines Dataset, AI Open",
        licence="unknown here (said to be CC BY 4.0)",
        home="https://github.com/rishabhmisra/News-Headlines-Dataset-For-Sarcasm-Detection",
        note="The label is the source site, so a model can learn the outlet's style. No official split.",
    ),
    Dataset(
        name="mustard",
        task="single-label",
        labels=_SARCASM,
        language="en",
        sizes={"train": 690},
        citation="Castro et al. 2019, Towards Multimodal Sarcasm Detection (MUStARD), ACL",
        licence="MIT",
        home="https://github.com/soujanyaporia/MUStARD",
        note="Lines of television dialogue. No official split.",
    ),
    Dataset(
        name="crowdflower-text-emotion",
        task="single-label",
        labels=(
            *("neutral", "worry", "happiness", "sadness", "love", "surprise", "fun", "relief", "hate"),
            *("empty", "enthusiasm", "boredom", "anger"),
        ),
        language="en",
        sizes={"train": 40_000},
        citation="CrowdFlower 2016, Sentiment Analysis in Text",
        licence="unknown here (Data for Everyone, free to use)",
        home="https://github.com/abishekarun/Text-Emotion-Classification",
        note="Very noisy labels. No official split.",
    ),
    Dataset(
        name="tec",
        task="single-label",
        labels=("anger", "disgust", "fear", "joy", "sadness", "surprise"),
        language="en",
        sizes={"train": 21_051},
        citation="Mohammad 2012, #Emotional Tweets, *SEM",
        licence="free for research, no redistribution",
        home="http://saifmohammad.com/WebPages/lexicons.html",
        note="Labels are the removed hashtags; 42 tweets occur twice with two labels. No official split.",
    ),
    Dataset(
        name="eec",
        task="multi-label",
        labels=("anger", "fear", "joy", "sadness"),
        language="en",
        sizes={"test": 8_640},
        citation="Kiritchenko & Mohammad 2018, Examining Gender and Race Bias, *SEM",
        licence="research use, no redistribution",
        home="http://saifmohammad.com/WebPages/Biases-SA.html",
        note="Equity Evaluation Corpus: sentences from templates, for a bias audit and never for training.",
    ),
    Dataset(
        name="glove-twitter-25d",
        task="",
        labels=(),
        language="en",
        sizes={"words": 11_925},
        citation="Pennington, Socher & Manning 2014, GloVe",
        licence="public domain (PDDL 1.0)",
        home="https://nlp.stanford.edu/projects/glove/",
        note="25 dimensions, common web words only: no emoji, no hashtags, few contractions.",
        kind="vectors",
    ),
    Dataset(
        name="lexicons",
        task="",
        labels=(),
        language="en",
        sizes={},
        citation="Nielsen 2011 (AFINN); Hu & Liu 2004; Kralj Novak et al. 2015 (emoji ranking)",
        licence="ODbL or MIT (AFINN), free with citation (Hu & Liu), CC BY-SA 4.0 (emoji)",
        home="the authors' pages",
        kind="words",
    ),
)

DATASETS = {dataset.name: dataset for dataset in _ALL}
