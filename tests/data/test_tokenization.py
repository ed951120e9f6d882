from __future__ import annotations

import hashlib
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from datasets import Dataset, DatasetDict
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from hfattnlstm.data import tokenization
from hfattnlstm.data.tokenization import KINDS, SPECIAL_TOKENS, suitable_kind, train_tokenizer


# The open one spells what it does not know, for which it needs all characters; test_word_tokenizer.py has its tests.
CLOSED = [kind for kind in KINDS if kind != "open"]

REVIEWS = [
    "It's a really good film, don't miss it!",
    "A well-acted film... but really not my favourite.<br /><br />The acting isn't bad.",
    "Unbelievably good acting; the best film of the year?",
    "The worst film, unbelievably bad (and long)!!!",
] * 3
CHINESE = ["这部电影很好看，我很喜欢。", "这部电影不好看！", "我不喜欢这部电影。"] * 3
TRICKY = [
    "cafe\u0301 and caf\u00e9, re\u0301sume\u0301",
    "İstanbul is İZMİR",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 love\u2764\ufe0f",
    "\U0001f44d\U0001f3fd \U0001f1e9\U0001f1ea \U0001f602\U0001f602",
    "\u05e9\u05dc\u05d5\u05dd \u200f\u0645\u0631\u062d\u0628\u0627 \u0628\u0643 (\u05d8\u05d5\u05d1)",
    "a\u00a0b\tc\nd\r\ne\u3000f\u2028g",
    "  it’s\u200b\ufeffgood\x00bad  ",
    "one<br>two<br/>three<BR />four<br",
    "这部film很好，\u3007\u3005吗？",
    "[MASK] ▁▁ ##a _b_ m² #tag $5.00",
]
# Programs for a fresh process.
TRAIN = "; ".join(
    [
        "import hashlib, sys",
        "from hfattnlstm.data.tokenization import KINDS, train_tokenizer",
        "texts = sys.stdin.read().splitlines()",
        "train = lambda kind: train_tokenizer(texts, kind=kind, vocab_size=150).backend_tokenizer.to_str()",
        "print(*(hashlib.sha256(train(kind).encode()).hexdigest() for kind in KINDS))",
    ]
)
LOAD = "\n".join(
    [
        "import json, sys",
        "sys.modules['hfattnlstm'] = None",
        "from transformers import AutoTokenizer",
        "folders, texts = json.load(sys.stdin)",
        "print(json.dumps([AutoTokenizer.from_pretrained(folder)(texts)['input_ids'] for folder in folders]))",
    ]
)


def train(texts: object = None, kind: str = "word", **options: object) -> PreTrainedTokenizerFast:
    return train_tokenizer(REVIEWS if texts is None else texts, kind=kind, **{"min_frequency": 1, **options})


def pieces(tokenizer: PreTrainedTokenizerFast, text: str) -> list[str]:
    """What each token is in the original text."""
    offsets = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    return [text[start:end] for start, end in offsets]


def words(tokenizer: PreTrainedTokenizerFast, text: str) -> list[str]:
    """What each word is in the original text: its tokens put together."""
    encoded = tokenizer(text, return_offsets_mapping=True)
    spans: dict[int, tuple[int, int]] = {}
    for word, (start, end) in zip(encoded.word_ids(), encoded["offset_mapping"]):
        spans[word] = (spans.get(word, (start, end))[0], end)
    return [text[start:end] for start, end in spans.values()]


def run(code: str, text: str, **environment: str) -> str:
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8", **environment}
    return subprocess.run(
        command, input=text, env=environment, check=True, capture_output=True, encoding="utf-8"
    ).stdout


def words_with_ties() -> list[str]:
    """Words in which nearly all that is counted is equally frequent."""
    numbers = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyz这部电影"
    word_list = ["".join(numbers.choices(letters, k=numbers.randint(1, 6))) for _ in range(400)]
    return [" ".join(word_list)] * 2


# What comes out


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_are_complete(kind):
    tokenizer = train(kind=kind)
    assert type(tokenizer) is PreTrainedTokenizerFast
    assert tokenizer.convert_ids_to_tokens(range(5)) == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    named = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    assert tuple(getattr(tokenizer, name) for name in named) == SPECIAL_TOKENS
    assert sorted(tokenizer.all_special_ids) == [0, 1, 2, 3, 4]
    assert sorted(tokenizer.get_vocab().values()) == list(range(len(tokenizer)))


@pytest.mark.parametrize("kind", KINDS)
def test_only_a_pair_gets_a_special_token(kind):
    tokenizer = train(kind=kind)
    first, second = tokenizer("good film")["input_ids"], tokenizer("bad acting")["input_ids"]
    assert not {0, 1, 2, 3, 4} & {*first, *second}
    assert tokenizer("good film", "bad acting")["input_ids"] == [*first, tokenizer.sep_token_id, *second]
    assert tokenizer.num_special_tokens_to_add(pair=False) == 0


def test_padding_truncation_and_inputs():
    tokenizer = train(model_max_length=3)
    encoded = tokenizer(["good", "a really good film"], padding=True, truncation=True)
    assert sorted(encoded) == ["attention_mask", "input_ids"]
    assert encoded["attention_mask"] == [[1, 0, 0], [1, 1, 1]]
    assert encoded["input_ids"][0][1:] == [0, 0]
    assert tokenizer.model_max_length == 3


@pytest.mark.parametrize("kind", KINDS)
def test_loads_without_the_package_and_saves_the_same(kind, tmp_path):
    tokenizer = train(REVIEWS + CHINESE, kind, model_max_length=77)
    tokenizer.save_pretrained(tmp_path / "first")
    loaded = AutoTokenizer.from_pretrained(tmp_path / "first")
    loaded.save_pretrained(tmp_path / "second")
    again = AutoTokenizer.from_pretrained(tmp_path / "second")
    texts = REVIEWS + CHINESE + TRICKY
    assert tokenizer(texts)["input_ids"] == loaded(texts)["input_ids"] == again(texts)["input_ids"]
    assert [loaded.decode(ids) for ids in loaded(texts)["input_ids"]] == [
        tokenizer.decode(ids) for ids in tokenizer(texts)["input_ids"]
    ]
    assert (tmp_path / "first/tokenizer.json").read_bytes() == (tmp_path / "second/tokenizer.json").read_bytes()
    assert sorted(path.name for path in (tmp_path / "first").iterdir()) == ["tokenizer.json", "tokenizer_config.json"]
    assert (loaded.model_max_length, loaded.padding_side) == (77, "right")
    assert loaded.model_input_names == ["input_ids", "attention_mask"]
    assert loaded.special_tokens_map == tokenizer.special_tokens_map


def test_loads_where_the_package_is_missing(tmp_path):
    folders, expected = [], []
    for kind in KINDS:
        tokenizer = train(REVIEWS + CHINESE, kind)
        tokenizer.save_pretrained(tmp_path / kind)
        folders.append(str(tmp_path / kind))
        expected.append(tokenizer(TRICKY)["input_ids"])
    assert json.loads(run(LOAD, json.dumps([folders, TRICKY]))) == expected


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_same_in_a_fresh_process(seed):
    texts = REVIEWS + CHINESE + words_with_ties()
    here = [train_tokenizer(texts, kind=kind, vocab_size=150).backend_tokenizer.to_str() for kind in KINDS]
    parallel = "true" if seed == "1" else "false"
    there = run(TRAIN, "\n".join(texts), PYTHONHASHSEED=seed, TOKENIZERS_PARALLELISM=parallel)
    assert there.split() == [hashlib.sha256(state.encode()).hexdigest() for state in here]


def test_frequent_words_come_first_and_ties_by_the_alphabet():
    tokenizer = train(["b c a d", "d e b"], vocab_size=9)
    assert tokenizer.convert_ids_to_tokens(range(5, 9)) == ["b", "d", "a", "c"]


@pytest.mark.parametrize("kind", CLOSED)
@pytest.mark.parametrize("vocab_size", [6, 7, 30, 60, 200])
def test_never_more_tokens_than_wanted(kind, vocab_size):
    tokenizer = train(REVIEWS + CHINESE + words_with_ties(), kind, vocab_size=vocab_size)
    assert 5 < len(tokenizer) <= vocab_size


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram"])
def test_a_larger_vocabulary_has_longer_pieces(kind):
    text = " ".join(REVIEWS)
    few, some, many = (len(train(REVIEWS, kind, vocab_size=size).tokenize(text)) for size in (55, 75, 300))
    assert many < some < few < len(text)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram"])
def test_unseen_words_are_made_of_pieces(kind):
    verbs = ["walk", "jump", "look", "work", "play", "want", "need", "help", "turn", "call", "talk"]
    texts = [verb + ending for verb in verbs for ending in ("", "ed", "ing")]
    text = texts.pop()
    tokenizer = train(texts * 2, kind, vocab_size=80)
    assert tokenizer.unk_token_id not in tokenizer(text)["input_ids"]
    assert pieces(tokenizer, text)[0] == "talk"
    assert "".join(pieces(tokenizer, text)) == "talking"
    assert set(tokenizer(text).word_ids()) == {0}


def test_unigram_keeps_no_piece_that_is_never_used():
    vocabulary = train(["walk walked"] * 5, "unigram").get_vocab()
    assert {"▁walk", "▁walked"} < set(vocabulary)
    assert {len(token) for token in vocabulary if token[0] not in "[▁"} == {1}


@pytest.mark.parametrize("kind", CLOSED)
def test_min_frequency(kind):
    texts = ["common words", "common words", "Q"]
    assert "q" in [token.strip("#▁") for token in train(texts, kind, min_frequency=1).get_vocab()]
    tokenizer = train(texts, kind, min_frequency=2)
    assert tokenizer("q")["input_ids"] == [1]
    assert 1 not in tokenizer("common words")["input_ids"]


@pytest.mark.parametrize("kind", KINDS)
def test_lowercase(kind):
    folded, kept = train(["Good good"] * 3, kind), train(["Good good"] * 3, kind, lowercase=False)
    assert folded("GOOD")["input_ids"] == folded("good")["input_ids"]
    assert kept("Good")["input_ids"] != kept("good")["input_ids"]
    assert kept.decode(kept("Good")["input_ids"]) == "Good"


# Words and spans


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_spans_are_exact(kind, lowercase):
    tokenizer = train(TRICKY + REVIEWS + CHINESE, kind, lowercase=lowercase)
    normalize = tokenizer.backend_tokenizer.normalizer.normalize_str
    for text in TRICKY + REVIEWS + CHINESE:
        encoded = tokenizer(text, return_offsets_mapping=True)
        tokens, last = tokenizer.convert_ids_to_tokens(encoded["input_ids"]), 0
        for token, (start, end) in zip(tokens, encoded["offset_mapping"]):
            assert last <= start < end, (text, token)
            last = end
            if token not in SPECIAL_TOKENS:
                bare = token.removeprefix({"word": "", "unigram": "▁"}.get(kind, "##"))
                assert normalize(text[start:end]) == bare
            assert not re.search(r"\s|<br", text[start:end])
        assert encoded.word_ids() == sorted(encoded.word_ids())


@pytest.mark.parametrize("kind", CLOSED)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't, it’s o'clock 'quoted'", ["Don't", ",", "it’s", "o'clock", "'", "quoted", "'"]),
        ("well-acted film", ["well", "-", "acted", "film"]),
        ("Wow!!! Really?! Hmm... (no)", ["Wow", "!!!", "Really", "?", "!", "Hmm", "...", "(", "no", ")"]),
        ("_so_ good**", ["_", "so", "_", "good", "**"]),
        ("7/10 m² 1st", ["7", "/", "10", "m²", "1st"]),
        ("a<br />b<br>c<br/>d<BR>e", ["a", "b", "c", "d", "e"]),
        ("a\u00a0b\tc\nd\r\ne\u3000f\u2028g", ["a", "b", "c", "d", "e", "f", "g"]),
        ("cafe\u0301 caf\u00e9s", ["cafe\u0301", "caf\u00e9s"]),
        ("İstanbul İİ", ["İstanbul", "İİ"]),
        ("שלום \u200fمَرحبا!", ["שלום", "مَرحبا", "!"]),
        ("می\u200cخواهم co\u00adop", ["می\u200cخواهم", "co\u00adop"]),
        ("ok👍🏽❤️👩\u200d👩\u200d👧\u200d👦😂😂", ["ok", "👍🏽", "❤️", "👩\u200d👩\u200d👧\u200d👦", "😂", "😂"]),
        ("🇩🇪🇫🇷 1️⃣ 🏴\U000e0067\U000e0062\U000e007f", ["🇩🇪", "🇫🇷", "1️⃣", "🏴\U000e0067\U000e0062\U000e007f"]),
        ("a\x00b\u200b\ufeffc", ["a", "b", "c"]),
        ("###tag", ["#", "#", "#", "tag"]),
        ("", []),
        (" \n<br />\x00", []),
    ],
)
def test_words(kind, text, expected):
    assert words(train([text, "a b c"], kind), text) == expected
    # The words do not depend on what the tokenizer has been trained on.
    assert words(train(["a b c"], kind), text) == expected


@pytest.mark.parametrize("text", ["Don't stop!!!", "ok👍🏽👩\u200d👩\u200d👧", "cafe\u0301", "şu"])
def test_a_word_is_one_token(text):
    tokenizer = train([text])
    assert pieces(tokenizer, text) == words(tokenizer, text)
    assert 1 not in tokenizer(text)["input_ids"]


def test_characters_are_tokens():
    tokenizer = train(["It's ok!!"], "char")
    assert pieces(tokenizer, "It's ok!!") == ["I", "t", "'", "s", "o", "k", "!", "!"]
    assert pieces(tokenizer, "İ") == ["İ"]
    # "no where" is not "nowhere".
    assert tokenizer("it s")["input_ids"] != tokenizer("its")["input_ids"]


@pytest.mark.parametrize("kind", KINDS)
def test_both_apostrophes_are_the_same(kind):
    tokenizer = train(["don't"], kind)
    assert tokenizer("don’t")["input_ids"] == tokenizer("don't")["input_ids"]


@pytest.mark.parametrize(("kind", "expected"), [("bpe", 2), ("char", 2), ("unigram", 1)])
def test_only_unknown_characters_are_unknown(kind, expected):
    tokenizer = train(["abc cab bca"], kind)
    encoded = tokenizer("abc жжabc", return_offsets_mapping=True)
    unknown = [span for token, span in zip(encoded["input_ids"], encoded["offset_mapping"]) if token == 1]
    assert unknown == ([(4, 6)] if expected == 1 else [(4, 5), (5, 6)])


def test_unigram_never_prefers_the_unknown_token(monkeypatch):
    # A mark of its own, which is unknown, and "xyz" would be far more probable than "▁x", "y" and "z".
    scores = {"xyz": -0.1, "▁x": -20.0, "x": -20.0, "y": -20.0, "z": -20.0}
    monkeypatch.setattr(tokenization, "train_unigram", lambda *arguments: list(scores.items()))
    assert train(["xyz"], "unigram").tokenize("xyz") == ["▁x", "y", "z"]


@pytest.mark.parametrize("kind", ["word", "wordpiece", "char"])
def test_each_chinese_character_is_a_word(kind):
    tokenizer = train(CHINESE, kind)
    text = "我喜欢这film。"
    assert words(tokenizer, text) == ["我", "喜", "欢", "这", "film", "。"]
    assert tokenizer(CHINESE[0])["input_ids"].count(1) == 0
    assert len(tokenizer(CHINESE[0])["input_ids"]) == len(CHINESE[0])


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_chinese_pieces_can_be_longer_than_a_character(kind):
    tokenizer = train(CHINESE, kind, vocab_size=60)
    assert pieces(tokenizer, CHINESE[1]) == ["这部电影不好看", "！"]
    frequent = train(["这部电影好", "这部电影看", "好看"] * 3, kind, min_frequency=4)
    assert pieces(frequent, "这部电影看") == ["这部电影", "看"]
    assert words(tokenizer, CHINESE[0]) == ["这部电影很好看", "，", "我很喜欢", "。"]
    assert 1 not in tokenizer(CHINESE[0])["input_ids"]


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram"])
def test_the_alphabet_is_limited(kind, monkeypatch):
    monkeypatch.setattr(tokenization, "MAX_ALPHABET", 8)
    tokenizer = train(["".join(map(chr, range(0x4E00, 0x4F00))), *["ab ba"] * 9], kind)
    assert len(tokenizer) < 20
    assert 1 not in tokenizer("ab ba")["input_ids"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "text",
    ["the film, unbelievably good (and long)!!! don't miss it... ok?", "这部电影很好看，我很喜欢。"],
)
def test_decoding_gives_readable_text(kind, text):
    tokenizer = train([text] * 2, kind)
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


@pytest.mark.parametrize("kind", KINDS)
def test_decoding_of_special_tokens(kind):
    tokenizer = train(["good film"], kind)
    ids = tokenizer("good", "film")["input_ids"] + [1, 0]
    assert tokenizer.decode(ids) == "good [SEP] film [UNK] [PAD]"
    assert tokenizer.decode(ids, skip_special_tokens=True) == "good film"


# What goes in


@pytest.mark.parametrize("kind", KINDS)
def test_texts_are_streamed(kind):
    class Text(str):
        alive = most = 0

        def __new__(cls, value: str) -> Text:
            cls.alive += 1
            cls.most = max(cls.most, cls.alive)
            return super().__new__(cls, value)

        def __del__(self) -> None:
            type(self).alive -= 1

    def generate() -> Iterator[str]:
        for number in range(6000):
            yield Text(f"good film {number % 10}")

    tokenizer = train(generate(), kind)
    assert 0 < Text.most <= 2500
    assert 1 not in tokenizer("good film 7")["input_ids"]


def test_every_iterable_gives_the_same():
    expected = train(list(REVIEWS)).backend_tokenizer.to_str()
    column = Dataset.from_dict({"text": REVIEWS})["text"]
    for texts in (tuple(REVIEWS), iter(REVIEWS), (text for text in REVIEWS), column):
        assert train(texts).backend_tokenizer.to_str() == expected


@pytest.mark.parametrize("kind", KINDS)
def test_lone_surrogates_and_nul(kind):
    tokenizer = train(["bad \ud83d text\x00here", "bad text"], kind)
    assert tokenizer.decode(tokenizer("bad \ufffd text here")["input_ids"]) == "bad \ufffd text here"


@pytest.mark.parametrize("kind", KINDS)
def test_very_long_words(kind):
    tokenizer = train(["ab" * 50_000, "ba"], kind)
    assert 1 not in tokenizer("ba")["input_ids"]
    # They do not shape the pieces.
    assert "ab" not in [token.strip("#▁") for token in tokenizer.get_vocab()]


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram", "char"])
def test_only_very_long_words(kind):
    assert len(train(["ab" * 100], kind)) > 5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [None, 3, 2.5, b"bytes", {"a": 1}])
def test_an_entry_that_is_no_text(kind, bad):
    texts = ["good"] * 1500 + [bad]
    message = rf"Text number 1500 is of type {type(bad).__name__}, not str"
    with pytest.raises(TypeError, match=message):
        train(texts, kind)
    with pytest.raises(TypeError, match=message):
        train(iter(texts), kind)


@pytest.mark.parametrize("bad", ["one text", b"bytes", None, 3, {"text": ["a"]}, DatasetDict()])
def test_texts_that_are_no_iterable_of_texts(bad):
    with pytest.raises(TypeError, match=rf"texts must be an iterable of texts, not a .*{type(bad).__name__}"):
        train_tokenizer(bad)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("texts", [[], iter(()), [""], ["", " \n\t"] * 3])
def test_no_text(kind, texts):
    with pytest.raises(ValueError, match=r"There is no text to train a tokenizer on"):
        train(texts, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_no_frequent_word(kind):
    with pytest.raises(
        ValueError, match=r"no word or character that occurs at least 9 times \(min_frequency\): .*kind="
    ):
        train(["a b c"], kind, min_frequency=9)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("kind", "words", r"kind= must be one of auto, word, open, wordpiece, bpe, unigram, char, got 'words'"),
        ("kind", None, r"kind= must be one of auto, word, .*, got None"),
        ("vocab_size", 5, r"vocab_size must be an integer of at least 6 \(five special tokens .*, got 5"),
        *(("vocab_size", value, r"vocab_size must be an integer of at least 6") for value in (0, -1, 1e4, "9", True)),
        *(("min_frequency", value, r"min_frequency must be an integer of at least 1") for value in (0, 1.5, None)),
        *(("model_max_length", value, r"model_max_length must be an integer of at least 1") for value in (0, "5")),
    ],
)
def test_bad_options(option, value, message):
    with pytest.raises(ValueError, match=message):
        train_tokenizer(REVIEWS, **{option: value})


@pytest.mark.parametrize("kind", KINDS)
def test_a_huge_vocabulary_size_is_only_a_bound(kind):
    assert len(train(["good film"], kind, vocab_size=10**30)) < 50


@pytest.mark.parametrize("kind", KINDS)
def test_progress_is_shown_on_request_only(kind, capfd):
    train(kind=kind)
    assert capfd.readouterr() == ("", "")
    train(kind=kind, show_progress=True)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert f"{len(REVIEWS)} texts" in shown.err


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["スープはおいしいです。", "スープはまずいです。"], "bpe"),
        (["อาหารอร่อยมาก", "บริการแย่"], "bpe"),
        (["ອາຫານແຊບ"], "bpe"),
        (["这部电影很好看", "服务太差"], "word"),
        (["A good film, called ラーメン.", "Хороший фильм", "123 !?"], "word"),
        ([""], "word"),
    ],
)
def test_a_kind_that_suits_the_script(texts, kind, caplog):
    assert suitable_kind(texts) == kind
    assert bool(caplog.messages) == (kind == "bpe")
    automatic = train_tokenizer([*texts, "a"] * 2)
    assert (
        automatic.backend_tokenizer.to_str()
        == train(texts * 2 + ["a"] * 2, kind, min_frequency=2).backend_tokenizer.to_str()
    )


def test_the_kind_is_chosen_by_the_first_texts_of_a_stream():
    texts = [f"text {number % 7} a" for number in range(2_500)]
    automatic = train_tokenizer(iter(texts))
    assert automatic.backend_tokenizer.to_str() == train_tokenizer(texts, kind="word").backend_tokenizer.to_str()
