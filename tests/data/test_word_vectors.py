from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from hfattnlstm import AttnLSTMConfig, AttnLSTMForSequenceClassification, AttnLSTMModel
from hfattnlstm.data import word_vectors
from hfattnlstm.data.word_vectors import WordVectorCoverage, load_word_vectors


THE, FILM = [0.1, 0.2, 0.3], [-1.5, 2e-3, 4.0]
VECTORS = {"the": THE, "other": [9.0, 9.0, 9.0], "film": FILM}


def make_tokenizer(*words: str, lowercase: bool = False, decoder=None) -> PreTrainedTokenizerFast:
    tokens = ["[PAD]", "[UNK]", *words]
    backend = Tokenizer(models.WordLevel({token: row for row, token in enumerate(tokens)}, "[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if lowercase:
        backend.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    if decoder is not None:
        backend.decoder = decoder
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]")


def make_model(size: int = 3, vocab_size: int = 12, model_class=AttnLSTMModel, **options):
    torch.manual_seed(0)
    return model_class(AttnLSTMConfig(vocab_size=vocab_size, embedding_size=size, hidden_size=4, **options))


def weight_of(model) -> torch.Tensor:
    return model.get_input_embeddings().weight.detach().clone()


def row(model, tokenizer, word: str) -> list[float]:
    return weight_of(model)[tokenizer.convert_tokens_to_ids(word)].tolist()


def assert_row(model, tokenizer, word: str, vector: list[float]) -> None:
    assert row(model, tokenizer, word) == pytest.approx(vector, abs=1e-6)


def glove(vectors: dict) -> bytes:
    lines = [f"{word} {' '.join(map(str, vector))}\n" for word, vector in vectors.items()]
    return "".join(lines).encode()


def with_header(vectors: dict) -> bytes:
    return f"{len(vectors)} {len(next(iter(vectors.values())))}\n".encode() + glove(vectors)


def binary(vectors: dict, end: bytes = b"\n") -> bytes:
    head = f"{len(vectors)} {len(next(iter(vectors.values())))}\n".encode()
    return head + b"".join(
        word.encode() + b" " + np.array(vector, "<f4").tobytes() + end for word, vector in vectors.items()
    )


def load(tmp_path: Path, content: bytes, model, tokenizer) -> WordVectorCoverage:
    path = tmp_path / "vectors"
    path.write_bytes(content)
    return load_word_vectors(model, path, tokenizer)


FORMATS = {
    "glove": glove(VECTORS),
    "glove_crlf": glove(VECTORS).replace(b"\n", b"\r\n"),
    "glove_tabs": glove(VECTORS).replace(b" ", b"\t"),
    "glove_no_last_newline": glove(VECTORS).rstrip(b"\n"),
    "word2vec_text": with_header(VECTORS),
    "word2vec_text_space_at_end": with_header(VECTORS).replace(b"\n", b" \n"),
    "word2vec_binary": binary(VECTORS),
    "word2vec_binary_joined": binary(VECTORS, end=b""),
}


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("content", FORMATS.values(), ids=FORMATS)
def test_reads_every_format_by_its_content(tmp_path, content, compressed):
    tokenizer = make_tokenizer("the", "film", "absent", "gone")
    model = make_model()
    before = weight_of(model)
    coverage = load(tmp_path, gzip.compress(content) if compressed else content, model, tokenizer)
    assert coverage == WordVectorCoverage(found=2, vocabulary=4, missing=("absent", "gone"))
    assert_row(model, tokenizer, "the", THE)
    assert_row(model, tokenizer, "film", FILM)
    untouched = [0, 1, *range(4, 12)]
    assert torch.equal(weight_of(model)[untouched], before[untouched])


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("form", [with_header, binary])
def test_tells_text_from_binary_for_any_numbers(tmp_path, form, seed):
    values = np.random.default_rng(seed).normal(size=(3, 5)).astype(np.float32)
    vectors = dict(zip(("\u00e9t\u00e9", "the", "film"), values.tolist()))
    tokenizer, model = make_tokenizer("film", "the", "\u00e9t\u00e9"), make_model(size=5)
    assert load(tmp_path, form(vectors), model, tokenizer).found == 3
    for word, vector in vectors.items():
        assert_row(model, tokenizer, word, vector)


def test_binary_larger_than_what_is_read_at_once(tmp_path):
    values = np.random.default_rng(0).normal(size=(4000, 100)).astype(np.float32)
    words = [f"w{index}" for index in range(len(values))]
    tokenizer, model = make_tokenizer(*words), make_model(size=100, vocab_size=4002)
    assert load(tmp_path, binary(dict(zip(words, values))), model, tokenizer).share == 1.0
    assert torch.equal(weight_of(model)[2:], torch.from_numpy(values))


def test_works_through_the_head(tmp_path):
    tokenizer, model = make_tokenizer("the"), make_model(model_class=AttnLSTMForSequenceClassification)
    assert load(tmp_path, glove(VECTORS), model, tokenizer).found == 1
    assert_row(model, tokenizer, "the", THE)
    assert model.attnlstm.embeddings.word_embeddings.weight.requires_grad


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_keeps_the_dtype_of_the_embedding(tmp_path, dtype):
    tokenizer, model = make_tokenizer("the"), make_model().to(dtype)
    load(tmp_path, glove(VECTORS), model, tokenizer)
    assert torch.equal(weight_of(model)[2], torch.tensor(THE, dtype=torch.float64).to(dtype))


def test_padding_and_special_tokens_keep_their_rows(tmp_path):
    tokenizer, model = make_tokenizer("the"), make_model()
    tokenizer.add_special_tokens({"cls_token": "[CLS]"})
    tokenizer.backend_tokenizer.add_special_tokens(["[OWN]"])
    before = weight_of(model)
    vectors = {word: [1.0, 2.0, 3.0] for word in ("[PAD]", "[pad]", "[UNK]", "[CLS]", "[OWN]", "the")}
    coverage = load(tmp_path, glove(vectors), model, tokenizer)
    assert coverage == WordVectorCoverage(found=1, vocabulary=1)
    after = weight_of(model)
    assert after[0].tolist() == [0.0, 0.0, 0.0]
    assert torch.equal(after[[1, 3, 4]], before[[1, 3, 4]])


def test_the_row_of_padding_stays_zero_even_if_a_word_has_it(tmp_path):
    tokenizer, model = make_tokenizer("the"), make_model(pad_token_id=2)
    coverage = load(tmp_path, glove({"the": THE, "<unk>": FILM}), model, tokenizer)
    assert coverage.vocabulary == 0
    assert coverage.share == 0.0
    assert row(model, tokenizer, "the") == [0.0, 0.0, 0.0]


def test_unk_of_the_file_fills_the_unknown_token(tmp_path):
    tokenizer, model = make_tokenizer("the"), make_model()
    assert load(tmp_path, glove({"<unk>": FILM}), model, tokenizer) == WordVectorCoverage(0, 1, ("the",))
    assert_row(model, tokenizer, "[UNK]", FILM)


def test_exact_form_beats_lower_case_wherever_it_stands(tmp_path):
    tokenizer = make_tokenizer("Paris", "Rome", "oslo")
    content = glove({"paris": FILM, "Paris": THE, "rome": FILM, "Oslo": FILM})
    model = make_model()
    assert load(tmp_path, content, model, tokenizer).missing == ("oslo",)
    assert_row(model, tokenizer, "Paris", THE)
    assert_row(model, tokenizer, "Rome", FILM)


def test_cased_forms_serve_a_tokenizer_that_lower_cases(tmp_path):
    tokenizer = make_tokenizer("paris", "us", lowercase=True)
    content = b"US 1 1 1\nParis 2 2 2\nPARIS 3 3 3\nus 4 4 4\nUs 5 5 5\n"
    model = make_model()
    assert load(tmp_path, content, model, tokenizer).found == 2
    assert_row(model, tokenizer, "paris", [2, 2, 2])
    assert_row(model, tokenizer, "us", [4, 4, 4])


def test_an_exact_cased_match_is_kept_by_a_tokenizer_that_lower_cases(tmp_path):
    tokenizer, model = make_tokenizer("Paris", lowercase=True), make_model()
    load(tmp_path, b"Paris 1 1 1\nparis 2 2 2\n", model, tokenizer)
    assert_row(model, tokenizer, "Paris", [1, 1, 1])


def test_of_two_vectors_of_a_word_the_first_counts(tmp_path):
    tokenizer, model = make_tokenizer("the"), make_model()
    load(tmp_path, b"the 1 1 1\nthe 2 2 2\n", model, tokenizer)
    assert_row(model, tokenizer, "the", [1, 1, 1])


def test_marks_of_sub_word_tokenizers(tmp_path):
    words = ("\u2581the", "the", "\u2581Film", "\u2581film", "\u2581", "##ing")
    tokenizer, model = make_tokenizer(*words), make_model()
    content = "film 3 3 3\nthe 1 1 1\n\u2581the 2 2 2\ning 4 4 4\n".encode()
    coverage = load(tmp_path, content, model, tokenizer)
    assert coverage.missing == ("\u2581", "##ing")
    assert_row(model, tokenizer, "\u2581the", [2, 2, 2])
    assert_row(model, tokenizer, "the", [1, 1, 1])
    assert_row(model, tokenizer, "\u2581film", [3, 3, 3])
    assert_row(model, tokenizer, "\u2581Film", [3, 3, 3])


def test_byte_level_tokens_match_by_their_text(tmp_path):
    words = ("\u0120the", "caf\u00c3\u00a9", "\u00c3")  # " the", "café" and the first byte of "é"
    tokenizer, model = make_tokenizer(*words, decoder=decoders.ByteLevel()), make_model()
    coverage = load(tmp_path, glove({"the": THE, "caf\u00e9": FILM, "\ufffd": THE}), model, tokenizer)
    assert coverage.missing == ("\u00c3",)
    assert_row(model, tokenizer, words[1], FILM)


def test_glove_840b_traps(tmp_path):
    content = (
        b". . . 0.1 0.2 0.3\n"  # a word with spaces
        b"at name@domain.com 0.4 0.5 0.6\n"
        b"\xff 1 1 1\n"  # not UTF-8
        b"\xc2\x85 2 2 2\n"  # a line end to str.splitlines
        b"1\xc2\xa01/2 3 3 3\n"  # white space to str.split
        b"  4 4 4\n"  # the word is a space
        b"\n"
        b"\xef\xbf\xbd 5 5 5\n"
        b"the 6 6 6\n"
    )
    tokenizer = make_tokenizer(". . .", ".", "at", "\x85", "1\u00a01/2", "\ufffd", "the")
    model = make_model()
    assert load(tmp_path, content, model, tokenizer).missing == (".", "at")
    assert_row(model, tokenizer, ". . .", THE)
    assert_row(model, tokenizer, "\x85", [2, 2, 2])
    assert_row(model, tokenizer, "1\u00a01/2", [3, 3, 3])
    assert_row(model, tokenizer, "\ufffd", [5, 5, 5])
    assert_row(model, tokenizer, "the", [6, 6, 6])


def test_binary_words_that_are_not_utf_8_or_white_space(tmp_path):
    head = b"4 3\n"
    words = {b"\xff\xfe": [1, 1, 1], b"\t": [2, 2, 2], b"\rX": [3, 3, 3], b"the": [6, 6, 6]}
    content = head + b"".join(word + b" " + np.array(vector, "<f4").tobytes() for word, vector in words.items())
    tokenizer, model = make_tokenizer("\rX", "X", "the"), make_model()
    assert load(tmp_path, content, model, tokenizer).missing == ("X",)
    assert_row(model, tokenizer, "\rX", [3, 3, 3])
    assert_row(model, tokenizer, "the", [6, 6, 6])


@pytest.mark.parametrize("start", [b"the 1 2 3 ", b"2 3\nthe 1 2 3 ", b"2 3\nthe 1 2 3\n", b"the 1 2 3\n"])
def test_a_file_without_line_ends_is_not_read_into_memory(tmp_path, monkeypatch, start):
    monkeypatch.setattr(word_vectors, "_LONGEST_LINE", 1 << 12)
    content = start + b"1 " * 500_000
    (tmp_path / "vectors").write_bytes(content)
    tokenizer, model = make_tokenizer("the"), make_model()
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="vectors"):
            load_word_vectors(model, tmp_path / "vectors", tokenizer)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < len(content) / 2


def test_a_number_can_be_a_word(tmp_path):
    tokenizer, model = make_tokenizer("5"), make_model()
    load(tmp_path, b"5 1 1 1\n", model, tokenizer)
    assert_row(model, tokenizer, "5", [1, 1, 1])


ERRORS = {
    "empty": (b"", "vectors is empty"),
    "empty_gzip": (gzip.compress(b""), "vectors is empty"),
    "prose": (b"This is a file of words\n", "vectors is neither GloVe text nor word2vec"),
    "json": (b'{"the": [0.1, 0.2, 0.3]}\n', "vectors is neither GloVe text nor word2vec"),
    "archive": (b"PK\x03\x04" + bytes(range(256)), "neither GloVe .* unpack it first"),
    "blank_lines": (b"\n\n", "vectors is neither GloVe text nor word2vec"),
    "other_dimension": (b"the 1 2 3 4\n", "vectors of 4 numbers, .*embedding_size=3: build .* embedding_size=4"),
    "other_dimension_header": (b"2 300\nthe 1 2 3\n", "vectors of 300 numbers, .* with embedding_size=300"),
    "other_dimension_binary": (binary({"the": [1.0, 2.0]}), "vectors of 2 numbers, .*embedding_size=3"),
    "too_few": (b"film 1 2 3\nother 1 2\n", "vectors, line 2: 2 numbers follow the word instead of 3"),
    "too_many": (b"3 3\nfilm 1 2 3\n\nthe 1 2 3 4\n", "vectors, line 4: 4 numbers follow the word instead of 3"),
    "too_few_hidden_by_spaces": (b"film 1 2 3\nthe  1 2\n", "line 2: the vector of 'the' has 2 numbers instead of 3"),
    "no_number": (b"film 1 2 3\nthe 1 x2 3\n", "line 2: the vector of 'the' has 'x2', which is not a number"),
    "no_text": (b"film 1 2 3\nthe 1 \xff 3\n", "line 2: the vector of 'the' has '\ufffd', which is not a number"),
    "no_number_first": (b"the 1 x2 3\n", "vectors, line 1: the vector of 'the' has 'x2'"),
    "no_number_header": (b"2 3\nthe 1 x2 3\nfilm 1 2 3\n", "vectors, line 2: the vector of 'the' has 'x2'"),
    "nan": (b"film 1 2 3\nthe 1 nan 3\n", "line 2: the vector of 'the' has a number that is NaN"),
    "inf": (b"film 1 2 3\nthe 1 2 -inf\n", "line 2: the vector of 'the' has a number that is NaN, infinite"),
    "too_large": (b"film 1 2 3\nthe 1 2 1e300\n", "line 2: .* too large for torch.float32"),
    "nan_binary": (binary({"film": FILM, "the": [1, float("nan"), 1]}), "entry 2: the vector of 'the' has a number"),
    "truncated_text": (b"film 1 2 3\nthe 1 2 ", "line 2: 2 numbers follow"),
    "truncated_text_header": (b"3 3\nfilm 1 2 3\nthe 1 2 3\n", "vectors ends after 2 of 3 words"),
    "truncated_binary": (binary(VECTORS)[:-2], "vectors, entry 3: .* ends here, after 2 of 3 words"),
    "truncated_binary_word": (binary(VECTORS)[:-15], "vectors, entry 3: .* ends here, after 2 of 3 words"),
    "truncated_gzip": (gzip.compress(glove(VECTORS) * 100)[:-9], "vectors is a damaged or incomplete gzip file"),
    "damaged_gzip": (gzip.compress(glove(VECTORS))[:15] + b"x" * 20, "vectors is a damaged or incomplete gzip file"),
}


@pytest.mark.parametrize(("content", "sentence"), ERRORS.values(), ids=ERRORS)
def test_errors_are_one_sentence_and_leave_the_embedding_alone(tmp_path, content, sentence):
    tokenizer, model = make_tokenizer("the", "film"), make_model()
    before = weight_of(model)
    with pytest.raises(ValueError, match=sentence) as raised:
        load(tmp_path, content, model, tokenizer)
    assert str(raised.value).endswith(".")
    assert "\n" not in str(raised.value)
    assert torch.equal(weight_of(model), before)


def test_half_precision_has_its_own_limit(tmp_path):
    tokenizer, model = make_tokenizer("the"), make_model().half()
    with pytest.raises(ValueError, match=r"line 1: .* too large for torch\.float16"):
        load(tmp_path, b"the 1 2 70000\n", model, tokenizer)


@pytest.mark.parametrize("name", ["absent.txt", "."])
def test_missing_file(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=r"There is no file .*give the path"):
        load_word_vectors(make_model(), tmp_path / name, make_tokenizer("the"))


def test_tokenizer_larger_than_the_embedding(tmp_path):
    model = make_model(vocab_size=3)
    load(tmp_path, glove(VECTORS), model, make_tokenizer("the"))
    with pytest.raises(ValueError, match=r"ids up to 3, .* only 3 rows: .*vocab_size=len\(tokenizer\)"):
        load(tmp_path, glove(VECTORS), model, make_tokenizer("the", "film"))


def test_slow_tokenizer(tmp_path):
    with pytest.raises(TypeError, match="dict is not a fast tokenizer: load one with AutoTokenizer"):
        load(tmp_path, glove(VECTORS), make_model(), {"the": 0})


def test_a_file_is_streamed(tmp_path):
    tokenizer, model = make_tokenizer("the"), make_model(size=50)
    numbers = b" " + b" ".join([b"0.12345678"] * 50) + b"\n"
    content = b"".join(b"w%d" % index + numbers for index in range(20_000))
    (tmp_path / "vectors").write_bytes(content)
    tracemalloc.start()
    try:
        load_word_vectors(model, tmp_path / "vectors", tokenizer)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < len(content) / 5


def test_coverage_reads_well():
    coverage = WordVectorCoverage(found=9321, vocabulary=10_000)
    assert str(coverage) == "found 9,321 of 10,000 words (93.2 %)"
    assert coverage.share == pytest.approx(0.9321)
    with pytest.raises(AttributeError):
        coverage.found = 1


def test_only_the_first_missing_words_are_named(tmp_path):
    words = [f"w{index}" for index in range(30)]
    coverage = load(tmp_path, glove(VECTORS), make_model(vocab_size=40), make_tokenizer(*words))
    assert coverage.missing == tuple(words[:20])


@pytest.mark.parametrize("write", [glove, with_header, lambda vectors: gzip.compress(glove(vectors))])
def test_a_byte_order_mark_is_no_part_of_the_first_word(tmp_path, write):
    path = tmp_path / "vectors.txt"
    content = write(VECTORS)
    if content[:2] == b"\x1f\x8b":
        path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + gzip.decompress(content)))
    else:
        path.write_bytes(b"\xef\xbb\xbf" + content)
    model, tokenizer = make_model(), make_tokenizer("the", "film")
    assert load_word_vectors(model, path, tokenizer).found == 2
    assert_row(model, tokenizer, "the", THE)
    assert_row(model, tokenizer, "film", FILM)
