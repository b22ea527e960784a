"""`affekt search` as it is typed."""

import json

import pytest

from affekt.errors import ModelError, UsageError

POSTS = "text,n\ni love playing,1\nso sad today,2\n,3\nso happy,4\n"


@pytest.fixture
def posts(tmp_path):
    path = tmp_path / "posts.csv"
    path.write_text(POSTS)
    return path


def test_search_prints_the_nearest_texts(verb, classifier, posts):
    assert "so happy" in verb("search", "so happy", posts, "--model", classifier, "-k", 1)
    [found] = json.loads(verb("search", "so happy", posts, "--model", classifier, "-k", 1, "--json"))
    assert (found["text"], round(found["score"], 4), found["row"]) == ("so happy", 1.0, 2)
    like = verb("search", "", posts, "--model", classifier, "--like", "so sad today", "-k", 1, "--json")
    assert json.loads(like)[0]["text"] == "so sad today"


def test_search_by_an_emotion_needs_one_that_the_model_knows(verb, classifier, tiny, posts):
    found = json.loads(verb("search", "", posts, "--model", classifier, "--emotion", "joy", "--json"))
    assert [one["score"] for one in found] == sorted((one["score"] for one in found), reverse=True)
    with pytest.raises(UsageError, match="unknown emotion 'joyous'"):
        verb("search", "", posts, "--model", classifier, "--emotion", "joyous")
    with pytest.raises(ModelError, match="without a classifier"):
        verb("search", "", posts, "--model", tiny("bert"), "--emotion", "joy")
    with pytest.raises(UsageError, match="nothing to look for"):
        verb("search", "", posts, "--model", classifier)
