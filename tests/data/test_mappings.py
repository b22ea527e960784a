"""Labels of a model as labels of other data."""

import pytest

from affekt.data.known import DATASETS
from affekt.data.mappings import mapping_to
from affekt.data.taxonomies import Taxonomy
from affekt.errors import DataError

GOEMOTIONS = DATASETS["goemotions"].labels
STATED = [(name, source) for name, one in DATASETS.items() for source in one.sources]


@pytest.mark.parametrize(("name", "source"), STATED)
def test_what_is_stated_is_of_labels_that_there_are_each_once(name, source):
    stated = DATASETS[name].sources[source]
    assert set(stated) <= set(DATASETS[name].labels)
    theirs = [label for members in stated.values() for label in members]
    assert set(theirs) <= set(DATASETS[source].labels)
    Taxonomy(name, stated)  # which refuses a label in two groups


def test_the_emotion_corpora_state_what_goemotions_is_among_their_labels():
    emotions = {"dair-emotion", "tec", "crowdflower-text-emotion", "tweeteval-emotion"}
    assert {name for name, source in STATED if source == "goemotions"} == emotions
    found = mapping_to("dair-emotion", DATASETS["dair-emotion"].labels, GOEMOTIONS[::-1])
    assert list(found) == list(DATASETS["dair-emotion"].labels)
    assert "grief" in found["sadness"]
    crowd = mapping_to("crowdflower-text-emotion", DATASETS["crowdflower-text-emotion"].labels, GOEMOTIONS)
    assert not {"empty", "boredom"} & set(crowd)


def test_labels_of_the_same_names_stand_for_themselves():
    assert mapping_to("posts", ["joy", "anger"], ["anger", "fear", "joy"]) == {
        "joy": ("joy",),
        "anger": ("anger",),
    }


def test_where_no_mapping_is_stated_it_is_said_what_would_do():
    with pytest.raises(DataError, match=r"sst2: no mapping is stated from anger, fear, joy… to its labels"):
        mapping_to("sst2", DATASETS["sst2"].labels, ["anger", "fear", "joy"])
    with pytest.raises(DataError, match="posts: no mapping is stated"):
        mapping_to("posts", ["glee"], GOEMOTIONS)
