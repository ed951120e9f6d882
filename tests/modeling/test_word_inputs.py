"""Characters, case, vectors, and how they become one input, against plain formulas, a word at a time."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from modeling_helpers import array, assert_near, numpy_lstm, numpy_softmax, sigmoid
from tagger_helpers import (
    INPUTS,
    LISTED,
    LOWER_OF,
    NUM_CHARACTERS,
    SPELT,
    numbers_of,
    spelling_tables_of,
    spelt_words,
    tiny_tagger,
    with_rows_of_padding,
)
from torch import Tensor, nn

from hfattnlstm import AttnLSTMConfig, AttnLSTMModel
from hfattnlstm.modeling import word_inputs
from hfattnlstm.modeling.configuration_words import input_widths
from hfattnlstm.modeling.spelling import DIGIT, LOWER, OTHER, UPPER
from hfattnlstm.modeling.word_inputs import (
    CaseEmbedding,
    CharacterCNN,
    CharacterEncoder,
    CharacterLSTM,
    InputMerge,
    WordInputs,
    WordVectors,
    case_of,
    distinct_words,
    word_numbers,
)


WORDS = [[1, 2, 3], [4], [], [5, 6, 7, 8, 9, 10, 11], [3, 3], [2, 9, 1, 1]]


def random_module(module: nn.Module) -> nn.Module:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(0, 0.7)
    return with_rows_of_padding(module).double().eval()


def encoders() -> dict[str, CharacterEncoder]:
    return {
        "cnn of 1": random_module(CharacterCNN(NUM_CHARACTERS, 4, output_size=6, kernel_size=1)),
        "cnn of 3": random_module(CharacterCNN(NUM_CHARACTERS, 4, output_size=6, kernel_size=3)),
        "cnn of 5": random_module(CharacterCNN(NUM_CHARACTERS, 4, output_size=6, kernel_size=5)),
        "lstm": random_module(CharacterLSTM(NUM_CHARACTERS, 4, output_size=6)),
    }


every_encoder = pytest.mark.parametrize("name", encoders())


def padded(words: list[list[int]], columns: int | None = None) -> Tensor:
    """(1, words, characters)."""
    columns = max(map(len, words)) if columns is None else columns
    return torch.tensor([[word + [0] * (columns - len(word)) for word in words]])


def encoded_alone(encoder: CharacterEncoder, word: list[int]) -> np.ndarray:
    """What becomes of one word, without torch."""
    embedded = array(encoder.embeddings.weight)[word]
    if isinstance(encoder, CharacterLSTM):
        forward, backward = encoder.forward_lstm, encoder.backward_lstm
        return np.concatenate([numpy_lstm(embedded, forward, False)[1], numpy_lstm(embedded, backward, True)[1]])
    weight, bias = array(encoder.convolution.weight), array(encoder.convolution.bias)
    around = weight.shape[2] // 2
    wide = np.pad(embedded, ((around, around), (0, 0)))
    windows = [wide[place : place + weight.shape[2]].T for place in range(len(word))]
    return np.maximum(0, np.max([np.einsum("oik,ik->o", weight, each) + bias for each in windows], axis=0))


class TestCharacterEncoders:
    """A word is read by itself, whatever stands beside it."""

    @every_encoder
    def test_each_word_against_numpy(self, name):
        encoder = encoders()[name]
        found = encoder(padded(WORDS))
        assert found.shape == (1, len(WORDS), 6)
        for word, row in zip(WORDS, found[0]):
            assert_near(row, encoded_alone(encoder, word) if word else np.zeros(6))
            assert row.any() or not word

    @every_encoder
    def test_columns_of_padding_and_other_words_change_nothing(self, name):
        encoder = encoders()[name]
        expected = encoder(padded(WORDS))
        assert_near(encoder(padded(WORDS, columns=15)), expected)
        chosen = padded(WORDS)[:, [4, 1, 0, 2, 1]]
        assert_near(encoder(chosen), expected[:, [4, 1, 0, 2, 1]])
        for place, word in enumerate(WORDS):
            assert_near(encoder(padded([word], columns=max(len(word), 1)))[0, 0], expected[0, place])

    @every_encoder
    def test_the_batch_has_two_dimensions(self, name):
        encoder = encoders()[name]
        characters = torch.cat([padded(WORDS), padded(WORDS).flip(1)])
        assert_near(encoder(characters)[1], encoder(characters)[0].flip(0))

    @every_encoder
    def test_where_values_cannot_be_looked_at(self, name, monkeypatch):
        """As on an accelerator and in a graph: the words without characters are computed, too."""
        encoder, results = encoders()[name], []
        for readable in (True, False):
            monkeypatch.setattr(word_inputs, "can_be_read", lambda values, answer=readable: answer)
            encoder.zero_grad()
            found = encoder(padded(WORDS))
            found.square().sum().backward()
            results.append([found, *(parameter.grad.clone() for parameter in encoder.parameters())])
        for one, other in zip(*results):
            assert one.isfinite().all() and one.any()
            assert_near(one, other)

    @pytest.mark.parametrize("readable", [True, False])
    @every_encoder
    def test_words_without_characters(self, name, readable, monkeypatch):
        monkeypatch.setattr(word_inputs, "can_be_read", lambda values: readable)
        encoder = encoders()[name]
        found = encoder(torch.zeros(2, 3, 4, dtype=torch.long))
        assert found.shape == (2, 3, 6) and found.dtype == torch.float64 and not found.any()
        assert encoder(torch.zeros(0, 3, 4, dtype=torch.long)).shape == (0, 3, 6)

    @every_encoder
    def test_characters_are_dropped_in_training_only(self, name):
        encoder = encoders()[name]
        encoder.dropout.p = 0.5
        assert encoder(padded(WORDS)).equal(encoder(padded(WORDS)))
        encoder.train()
        assert not encoder(padded(WORDS)).equal(encoder(padded(WORDS)))
        assert not encoder(padded(WORDS))[0, 2].any()


def written_as(kinds: tuple[int, ...]) -> int:
    """In words: the first that is true counts."""
    count, upper = len(kinds), kinds.count(UPPER)
    digits, letters = kinds.count(DIGIT), kinds.count(LOWER) + kinds.count(UPPER)
    classes = [
        (0, count == 0),
        (1, letters + digits == 0),
        (2, digits == count),
        (3, digits > count / 2),
        (4, digits > 0),
        (5, upper == count),
        (6, upper == 1 and kinds[0] == UPPER),
        (7, kinds.count(LOWER) == count),
    ]
    return next((number for number, true in classes if true), 8)


class TestCase:
    """How a word is written."""

    def test_every_word_of_up_to_five_characters(self):
        seen = set()
        for length in range(6):
            words = list(itertools.product((LOWER, UPPER, DIGIT, OTHER), repeat=length))
            kinds = torch.tensor([[*word, *[0] * (6 - length)] for word in words])
            expected = list(map(written_as, words))
            assert case_of(kinds).tolist() == expected
            seen |= set(expected)
        assert seen == set(range(word_inputs.NUM_CASES))

    def test_an_embedding_of_it(self):
        embedding = random_module(CaseEmbedding(3))
        kinds = torch.tensor([[[UPPER, LOWER, 0], [DIGIT, DIGIT, DIGIT], [0, 0, 0], [LOWER, 0, 0]]])
        assert embedding(kinds).equal(embedding.embeddings.weight[torch.tensor([[6, 2, 0, 7]])])
        assert not embedding(kinds)[0, 2].any()


class TestVectors:
    """A word is found by its characters in lower case."""

    def test_numbers_of_words(self):
        words = [word for length in range(4) for word in itertools.product(range(1, 9), repeat=length)]
        numbers = word_numbers(padded([list(word) for word in words], columns=5)[0])
        assert len(set(numbers.tolist())) == len(words)
        assert numbers.ge(0).all() and numbers[0] == 0
        base = word_inputs._BASE
        expected = [sum(number * base**place for place, number in enumerate(word, 1)) % 2**63 for word in words]
        assert numbers.tolist() == expected
        assert word_numbers(padded([list(word) for word in words], columns=9)[0].int()).equal(numbers)

    def test_rows_of_a_list(self):
        vectors = random_module(WordVectors(len(LISTED), 3))
        vectors.index.numbers.copy_(numbers_of(LISTED))
        order = numbers_of(LISTED).tolist()
        for word in LISTED:
            row = 1 + order.index(int(word_numbers(torch.tensor(word))))
            assert vectors(padded([word], columns=6))[0, 0].equal(vectors.table.weight[row])
        assert not vectors(padded([[1], [2, 1, 1], [3, 2, 1], []])).any()

    def test_of_an_unfilled_list_no_word_is_found(self):
        assert not random_module(WordVectors(5, 3))(padded(WORDS)).any()

    def test_tokens_do_not_matter(self):
        """The word 1 2 3 as it stands, with capitals, and spelt."""
        model = tiny_tagger(AttnLSTMModel, **INPUTS["vectors"], input_merge="concat").double()
        ids = torch.tensor([[6, 4, 5, 3, 19, 20, 9, 8]])
        assert [SPELT[token] for token in (6, 4, 5)] == [[1, 2, 3], [5, 2, 3], [5, 6, 7]]
        assert all([LOWER_OF[each] for each in SPELT[token]] == [1, 2, 3] for token in (6, 4, 5))
        found = model.embed(ids)[0, :, 8:]
        assert found[0].any()
        assert found[1].equal(found[0]) and found[2].equal(found[0]) and found[3].equal(found[0])
        assert not found[4:].any()

    def test_several_lists(self):
        model = tiny_tagger(AttnLSTMModel, **INPUTS["vectors"]).double()
        ids = torch.randint(0, 30, (6, 9))
        embedded = model.embed(ids)
        for row, own in zip(embedded, ids.tolist()):
            for place, characters in spelt_words(own, [True] * 9).items():
                parts = [_vector(vectors, characters) for vectors in model.embeddings.further.vectors]
                assert_near(row[place, 8:], torch.cat(parts))


def _vector(vectors: WordVectors, characters: list[int]) -> Tensor:
    number = int(word_numbers(torch.tensor([[LOWER_OF[each] for each in characters] + [0]]))[0])
    listed = vectors.index.numbers.tolist()
    return vectors.table.weight[1 + listed.index(number) if number in listed else 0].detach()


class TestDistinctWords:
    """What depends on the characters alone is computed once for the words of a batch."""

    def test_each_stands_there_once(self):
        batch = padded(WORDS * 2 + [[1, 2]]).view(1, -1, 7)
        words, places = distinct_words(batch)
        assert words[places].equal(batch) and len(words) == len(WORDS) + 1

    def test_words_of_one_number_stay_two(self, monkeypatch):
        monkeypatch.setattr(word_inputs, "word_numbers", lambda characters: characters.sum(-1))
        batch = torch.tensor([[[1, 2], [2, 1], [1, 2]], [[3, 0], [0, 0], [3, 0]]])
        words, places = distinct_words(batch)
        assert words[places].equal(batch)

    @pytest.mark.parametrize("name", ["char_cnn", "char_lstm", "case", "vectors"])
    def test_a_model_reads_them_as_if_each_stood_alone(self, name, monkeypatch):
        model = tiny_tagger(num_labels=3, **INPUTS[name])
        ids, counted = torch.randint(1, 30, (5, 40)), []
        read = WordInputs._read
        monkeypatch.setattr(WordInputs, "_read", lambda self, *args: counted.append(args[0]) or read(self, *args))
        found = model.attnlstm.embed(ids)
        monkeypatch.setattr(word_inputs, "can_be_read", lambda values: False)
        assert_near(found, model.attnlstm.embed(ids), 1e-6)
        few, all_words = (each.shape[0] * each.shape[1] for each in counted)
        assert few < 100 < all_words == 200

    def test_in_training_each_drops_its_own_characters(self):
        model = tiny_tagger(num_labels=3, **{**INPUTS["char_cnn"], "char_dropout": 0.5}).train()
        embedded = model.attnlstm.embed(torch.full((1, 20), 5))
        assert len(embedded[0].unique(dim=0)) > 1


def merged_plainly(merge: InputMerge, inputs: list[np.ndarray]) -> np.ndarray:
    """One word's inputs, (size,) each."""
    if merge.kind == "concat":
        return np.concatenate(inputs)
    alike = np.stack([array(layer.weight) @ each for layer, each in zip(merge.projections, inputs)])
    if merge.kind == "sum":
        return alike.sum(0)
    if merge.kind == "gated":
        gates = sigmoid(array(merge.gates.weight) @ np.concatenate(alike) + array(merge.gates.bias))
        return (gates.reshape(alike.shape) * alike).sum(0)
    hidden = np.tanh(alike @ array(merge.hidden.weight).T + array(merge.hidden.bias))
    return numpy_softmax((hidden @ array(merge.scoring.weight).T)[:, 0]) @ alike


class TestMerge:
    """One input from several."""

    @pytest.mark.parametrize("kind", ["concat", "sum", "gated", "attention"])
    def test_against_numpy(self, kind):
        sizes = [5, 3, 4]
        merge = random_module(InputMerge(sizes, 5, kind))
        inputs = [torch.randn(2, 3, size, dtype=torch.float64) for size in sizes]
        found = merge(inputs)
        assert found.shape == (2, 3, 12 if kind == "concat" else 5)
        for place in itertools.product(range(2), range(3)):
            assert_near(found[place], merged_plainly(merge, [array(each[place]) for each in inputs]), 1e-6)

    def test_weights_of_a_word_sum_to_one_in_every_precision(self):
        merge = random_module(InputMerge([4, 2], 4, "attention"))
        for dtype in (torch.float64, torch.float32, torch.bfloat16):
            weights = merge.to(dtype).weights(torch.randn(2, 3, 2, 4, dtype=dtype))
            assert weights.shape == (2, 3, 2) and weights.dtype == dtype and weights.gt(0).all()
            assert_near(weights.float().sum(-1), torch.ones(2, 3), 0.01)

    @pytest.mark.parametrize("name", [name for name in INPUTS if "token_inputs" in INPUTS[name]])
    def test_the_order_of_the_inputs(self, name):
        """Of a whole model: the embedding, then the encoders, the case and the vectors."""
        model = tiny_tagger(AttnLSTMModel, **INPUTS[name]).double()
        further, spelling = model.embeddings.further, spelling_tables_of(model)
        ids = torch.randint(0, 30, (3, 9))
        embedded = model.embed(ids)
        assert embedded.transpose(0, 1).is_contiguous() and embedded.shape[2] == model.config.input_size
        for row, own in zip(embedded, ids.tolist()):
            read = spelt_words(own, [True] * 9)
            for place, characters in read.items():
                spelt_on = place + 1 < 9 and place + 1 not in read
                own_embedding = array(model.embeddings.word_embeddings.weight)[own[place]]
                parts = [np.zeros(8) if spelt_on else own_embedding]
                for encoder in further.encoders.values():
                    parts.append(encoded_alone(encoder, characters) if characters else np.zeros(6))
                if further.case is not None:
                    kinds = tuple(spelling["kinds"][each] for each in characters)
                    parts.append(array(further.case.embeddings.weight)[written_as(kinds)])
                parts += [array(_vector(vectors, characters)) for vectors in further.vectors]
                assert [len(part) for part in parts] == input_widths(model.config)
                assert_near(row[place], merged_plainly(further.merge, parts), 1e-6)

    @pytest.mark.parametrize("name", INPUTS)
    def test_widths(self, name):
        config = AttnLSTMConfig(**{"embedding_size": 8, **INPUTS[name]})
        model = AttnLSTMModel(config)
        assert model.embed(torch.tensor([[1, 2]])).shape == (1, 2, config.input_size)
        assert config.input_size == (sum(input_widths(config)) if config.input_merge == "concat" else 8)
        assert model.encoder.layers[0].forward_lstm.input_size == config.input_size


class TestDropout:
    """The embedding of a word may be left out, its other inputs never are."""

    def test_the_share_of_the_words(self):
        further = WordInputs({}, CaseEmbedding(2), [], InputMerge([3, 2], 3, "concat"), dropout=0.3)
        model = tiny_tagger(AttnLSTMModel, **INPUTS["case"])
        embedded, characters = torch.ones(50, 40, 3), torch.full((50, 40, 1), 5)
        assert further.eval()(embedded, characters, model.embeddings.spelling)[..., :3].eq(1).all()
        found = further.train()(embedded, characters, model.embeddings.spelling)
        left_out = found[..., 0].eq(0)
        assert abs(left_out.float().mean().item() - 0.3) < 0.03
        # All units of a word or none, and what is kept is not raised.
        assert found[..., :3].eq((~left_out)[..., None].float()).all()
        assert found[..., 3:].eq(further.case.embeddings.weight[5]).all()
        assert not left_out.eq(left_out[:1]).all()

    def test_in_a_model(self):
        model = tiny_tagger(AttnLSTMModel, **INPUTS["case"], word_input_dropout=0.5, embedding_dropout=0)
        ids = torch.full((20, 20), 6)
        assert model.embed(ids)[..., :8].any(-1).all()
        embedded = model.train()(ids, output_hidden_states=True).hidden_states[0]
        assert 0.3 < embedded[..., :8].any(-1).float().mean() < 0.7
        assert embedded[..., 8:].any(-1).all()
