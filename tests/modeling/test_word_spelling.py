"""Tokens seen as words: which are read, which are tagged, and how they are spelt."""

from __future__ import annotations

import random

import pytest
import torch
from modeling_helpers import ROWS, assert_near, mask_of, tiny_model
from tagger_helpers import (
    EVERYTHING,
    INPUTS,
    LONGEST,
    NUM_CHARACTERS,
    ROLES,
    SPELLING,
    SPELT,
    places_of_words,
    spelt_words,
    tables,
    tiny_tagger,
)
from torch import Tensor

from hfattnlstm import AttnLSTMForTokenClassification, AttnLSTMModel
from hfattnlstm.modeling import spelling as spelling_module
from hfattnlstm.modeling.spelling import PIECE, SPECIAL, SPELLS, WORD, Spelling, WordTokens, last_marked


# A word of one token, one of several, and what is no word; see the helpers.
FIRST, ONE, TWO, MARK, UNKNOWN, PART = 3, 6, 11, 2, 1, 26
A, B, C, LONG = 18, 19, 20, 9


def spelling_of(longest: int = LONGEST) -> Spelling:
    spelling = Spelling(len(SPELT), NUM_CHARACTERS, longest)
    for name, table in tables(longest).items():
        getattr(spelling, name).copy_(table)
    return spelling


def read(tokens: list[int], mask: list[int] | None = None, longest: int = LONGEST) -> WordTokens:
    mask = [1] * len(tokens) if mask is None else mask
    return spelling_of(longest)(torch.tensor([tokens]), torch.tensor([mask], dtype=torch.bool))


def bare(characters: Tensor) -> list[int]:
    return [number for number in characters.tolist() if number]


def check(words: WordTokens, ids: Tensor, mask: Tensor, longest: int) -> None:
    for row, (own, kept) in enumerate(zip(ids.tolist(), mask.tolist())):
        spelt = spelt_words(own, kept, longest)
        assert words.read[row].nonzero().flatten().tolist() == list(spelt)
        begun = places_of_words(own, kept)
        assert words.tagged[row].nonzero().flatten().tolist() == begun
        for place in range(len(own)):
            # Numbers of characters stand in front, without gaps.
            assert bare(words.characters[row, place]) == spelt.get(place, [])
            assert not words.characters[row, place, len(spelt.get(place, [])) :].any()
            assert words.word[row, place] == max((start for start in begun if start <= place), default=0)
            if words.spelt is not None:
                assert words.spelt[row, place] == (place in spelt and _is_spelt_on(own, kept, place))


def _is_spelt_on(ids: list[int], mask: list[bool], place: int) -> bool:
    after = next((other for other in range(place + 1, len(ids)) if mask[other]), None)
    return after is not None and ROLES[ids[after]] == SPELLS


class TestAgainstLoops:
    """Every batch gives what a loop over its tokens finds."""

    @pytest.mark.parametrize("longest", [1, 3, 5, 9])
    @pytest.mark.parametrize("kind", ROWS)
    def test_random_tokens_and_masks(self, kind, longest):
        spelling = spelling_of(longest)
        for _ in range(10):
            mask = mask_of(kind)
            ids = torch.randint(0, 30, mask.shape)
            check(spelling(ids, mask), ids, mask, longest)

    def test_tokens_most_of_which_spell_words_on(self):
        spelling = spelling_of()
        for _ in range(20):
            mask = torch.rand(6, 12) < 0.7
            ids = torch.randint(0, 30, mask.shape).where(
                torch.rand(mask.shape) < 0.3, torch.randint(18, 26, mask.shape)
            )
            check(spelling(ids, mask), ids, mask, LONGEST)

    @pytest.mark.parametrize("kind", ROWS)
    def test_where_values_cannot_be_looked_at(self, kind, monkeypatch):
        """As on an accelerator and in a graph."""
        spelling, mask = spelling_of(), mask_of(kind)
        for ids in (torch.randint(0, 30, mask.shape), torch.randint(3, 18, mask.shape)):
            expected = spelling(ids, mask)
            with monkeypatch.context() as patched:
                patched.setattr(spelling_module, "can_be_read", lambda values: False)
                words = spelling(ids, mask)
            check(words, ids, mask, LONGEST)
            assert words.characters.shape[2] == LONGEST and words.spelt is not None
            assert words.characters[..., : expected.characters.shape[2]].equal(expected.characters)
            assert words.read.equal(expected.read) and words.tagged.equal(expected.tagged)

    def test_ids_under_the_mask_do_not_matter(self):
        spelling, mask = spelling_of(), mask_of("holes")
        ids = torch.randint(0, 30, mask.shape)
        one, other = spelling(ids, mask), spelling(ids.where(mask, (ids + 11) % 30), mask)
        for mine, theirs in zip(one, other):
            assert mine is theirs or mine.equal(theirs)

    def test_the_last_mark(self):
        marks = torch.rand(20, 11) < 0.3
        found = last_marked(marks)
        for row, places in zip(found.tolist(), marks.tolist()):
            assert row == [max((at for at in range(end + 1) if places[at]), default=0) for end in range(11)]


class TestWords:
    """What single cases mean."""

    def test_tokens_that_spell_a_word_on_are_read_with_it(self):
        words = read([ONE, A, B, TWO, C])
        assert words.read.tolist() == words.tagged.tolist() == [[True, False, False, True, False]]
        assert words.word.tolist() == [[0, 0, 0, 3, 3]]
        assert words.spelt.tolist() == [[True, False, False, True, False]]
        assert [bare(each) for each in words.characters[0]] == [[1, 2, 3, 1, 2], [], [], [2, 1, 3], []]

    def test_a_word_is_cut_at_the_longest(self):
        words = read([LONG, A, B], longest=LONGEST)
        assert bare(words.characters[0, 0]) == SPELT[LONG] == [4, 4, 1, 2, 3]
        # One character does not fit any more, and none is put in front of others.
        words = read([ONE, B, C, A, A], longest=4)
        assert bare(words.characters[0, 0]) == [1, 2, 3, 2]

    def test_a_text_that_begins_inside_a_word(self):
        words = read([A, B, ONE])
        assert words.read.tolist() == [[True, False, True]] == words.tagged.tolist()
        assert bare(words.characters[0, 0]) == [1, 2]
        words = read([PART, PART, ONE])
        assert words.tagged.tolist() == [[True, False, True]] and words.read.all()
        # It begins where the mask does.
        assert read([ONE, A, B, ONE], [0, 0, 1, 1]).tagged.tolist() == [[False, False, True, True]]

    def test_pieces_are_read_but_not_tagged(self):
        words = read([ONE, PART, TWO])
        assert words.read.all() and words.tagged.tolist() == [[True, False, True]]
        assert words.word.tolist() == [[0, 0, 2]] and words.spelt is None
        assert [bare(each) for each in words.characters[0]] == [SPELT[ONE], SPELT[PART], SPELT[TWO]]

    def test_special_tokens_are_no_words_and_unknown_ones_are(self):
        words = read([MARK, ONE, UNKNOWN, MARK])
        assert words.tagged.tolist() == [[False, True, True, False]] and words.read.all()
        assert not words.characters[0, 2].any()

    def test_where_no_token_spells_a_word_on_the_mask_comes_back(self):
        mask = torch.ones(1, 2, dtype=torch.bool)
        assert spelling_of()(torch.tensor([[ONE, TWO]]), mask).read is mask

    def test_as_few_columns_as_the_longest_word_has(self):
        assert read([TWO, TWO]).characters.shape == (1, 2, 2)
        assert read([UNKNOWN, MARK]).characters.shape == (1, 2, 1)
        assert read([ONE, TWO], [0, 0]).characters.shape == (1, 2, 1)

    def test_characters_that_are_given_take_the_place_of_those_of_the_table(self):
        given = torch.randint(1, NUM_CHARACTERS, (1, 4, 7))
        spelling, ids = spelling_of(), torch.tensor([[ONE, A, TWO, ONE]])
        mask = torch.tensor([[True, True, True, False]])
        words = spelling(ids, mask, given.int())
        assert words.characters.dtype == torch.long
        assert words.characters[0, [0, 2]].equal(given[0, [0, 2]])
        assert not words.characters[0, [1, 3]].any()


class TestTables:
    """What is known of tokens comes into the model, and stays with it."""

    def test_they_start_with_words_of_which_nothing_is_known(self):
        spelling = spelling_of()
        spelling.init_parameters()
        assert not any(table.any() for table in spelling.buffers())
        assert (WORD, PIECE, SPELLS, SPECIAL) == (0, 1, 2, 3)

    @pytest.mark.parametrize("size", [40, 22])
    def test_the_vocabulary_can_grow_and_shrink(self, size, tmp_path):
        model = tiny_tagger(**EVERYTHING)
        ids = torch.randint(0, 22, (4, 8))
        expected = model(ids).logits
        model.resize_token_embeddings(size, mean_resizing=False)
        spelling = model.attnlstm.embeddings.spelling
        assert spelling.characters.shape == (size, LONGEST) and spelling.roles.shape == (size,)
        assert spelling.characters.dtype == torch.int32 and spelling.roles.dtype == torch.int8
        kept = min(size, 30)
        assert spelling.characters[:kept].equal(tables()["characters"][:kept])
        assert not spelling.characters[30:].any() and not spelling.roles[30:].any()
        assert spelling.roles[:kept].tolist() == ROLES[:kept]
        assert_near(model(ids).logits, expected)
        model.save_pretrained(tmp_path)
        loaded = AttnLSTMForTokenClassification.from_pretrained(tmp_path)
        last = torch.tensor([[size - 1, 3]])
        assert loaded(last).logits.equal(model(last).logits)
        assert AttnLSTMModel.from_pretrained(tmp_path).embeddings.spelling.roles.equal(spelling.roles)

    @pytest.mark.parametrize(
        ("name", "shape"),
        [("characters", (30, 4)), ("characters", (29, 5)), ("roles", (31,)), ("kinds", (11,)), ("lower", (13,))],
    )
    def test_tables_of_another_size(self, name, shape):
        wrong = tables() | {name: torch.zeros(shape)}
        shown = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
        sentence = rf"{name} has the shape \({shown}\), and .* vocab_size=30, num_characters=12 and max_word_length=5"
        with pytest.raises(ValueError, match=sentence):
            tiny_model(AttnLSTMModel, **SPELLING).set_spelling(**wrong)

    def test_a_model_that_knows_no_characters(self):
        with pytest.raises(ValueError, match="num_characters=0"):
            tiny_model(AttnLSTMModel).set_spelling(**tables())


class TestModel:
    """How the backbone reads words."""

    @pytest.mark.parametrize("kind", ROWS)
    def test_tokens_read(self, kind):
        model, mask = tiny_tagger(AttnLSTMModel, **SPELLING), mask_of(kind)
        ids = torch.randint(0, 30, mask.shape)
        expected = torch.zeros_like(mask)
        for row, (own, kept) in enumerate(zip(ids.tolist(), mask.tolist())):
            expected[row, list(spelt_words(own, kept))] = True
        for given in (mask, mask.long(), mask.float()):
            assert model.tokens_read(ids, given).equal(expected)
        assert tiny_model(AttnLSTMModel).tokens_read(ids, mask).equal(mask)
        assert AttnLSTMForTokenClassification(model.config).tokens_read(ids).shape == ids.shape

    @pytest.mark.parametrize("kind", ROWS)
    @pytest.mark.parametrize("name", INPUTS)
    def test_embeddings_and_the_tokens_read_stand_for_ids_and_mask(self, name, kind):
        model, mask = tiny_tagger(AttnLSTMModel, **INPUTS[name]), mask_of(kind)
        ids = torch.randint(0, 30, mask.shape)
        embedded = model.embed(ids, mask)
        assert embedded.shape == (*ids.shape, model.config.input_size)
        expected = model(ids, mask, output_hidden_states=True)
        outputs = model(inputs_embeds=embedded, attention_mask=model.tokens_read(ids, mask))
        assert outputs.last_hidden_state.equal(expected.last_hidden_state)
        assert outputs.pooler_output.equal(expected.pooler_output)
        assert expected.hidden_states[0].equal(embedded)

    def test_what_spells_a_word_on_takes_no_step(self):
        model = tiny_tagger(AttnLSTMModel, **INPUTS["char_cnn"])
        # The same three characters, as one token and as three: only the word's own embedding could differ.
        with torch.no_grad():
            model.embeddings.word_embeddings.weight[ONE] = 0
        whole, spelt = model(torch.tensor([[TWO, ONE, TWO]])), model(torch.tensor([[TWO, FIRST, B, C, TWO]]))
        assert_near(spelt.last_hidden_state[:, [0, 1, 4]], whole.last_hidden_state)
        assert not spelt.last_hidden_state[:, [2, 3]].any()
        assert_near(spelt.pooler_output, whole.pooler_output)

    def test_a_word_that_is_spelt_has_no_embedding_of_its_own(self):
        model = tiny_tagger(AttnLSTMModel, **SPELLING)
        embedded = model.embed(torch.tensor([[ONE, A, TWO]]))
        assert not embedded[0, 0].any()
        assert embedded[0, 2].equal(model.embeddings.word_embeddings.weight[TWO])
        assert model.embed(torch.tensor([[ONE, TWO]]))[0, 0].any()

    def test_characters_that_are_given(self):
        model = tiny_tagger(AttnLSTMModel, **EVERYTHING)
        ids, mask = torch.tensor([[ONE, TWO, UNKNOWN, ONE]]), torch.tensor([[1, 1, 1, 0]])
        own = model.embeddings.spelling.characters[ids].long()
        expected = model(ids, mask).last_hidden_state
        assert model(ids, mask, char_ids=own).last_hidden_state.equal(expected)
        named = own.clone()
        named[0, 2, :3] = torch.tensor([1, 2, 3])
        assert not torch.allclose(model(ids, mask, char_ids=named).last_hidden_state, expected)
        # More columns than the tables have are read, too.
        long = torch.cat([named, torch.zeros(1, 4, 3, dtype=torch.long)], 2)
        longer = long.clone()
        longer[0, 2] = torch.arange(1, 9)
        assert_near(
            model(ids, mask, char_ids=long).last_hidden_state, model(ids, mask, char_ids=named).last_hidden_state
        )
        assert not torch.allclose(
            model(ids, mask, char_ids=longer).last_hidden_state,
            model(ids, mask, char_ids=longer[..., :5]).last_hidden_state,
        )

    def test_a_tagger_and_a_classifier_take_them_too(self):
        ids, given = torch.tensor([[UNKNOWN, TWO]]), torch.tensor([[[1, 2], [3, 0]]])
        for options in ({}, {"use_crf": True}):
            tagger = tiny_tagger(num_labels=3, **EVERYTHING, **options)
            assert not torch.allclose(tagger(ids, char_ids=given).logits, tagger(ids).logits)

    @pytest.mark.parametrize("options", [{}, SPELLING])
    def test_characters_that_nobody_reads(self, options):
        model, given = tiny_tagger(AttnLSTMModel, **options), torch.ones(1, 2, 3, dtype=torch.long)
        inputs = {"inputs_embeds": torch.zeros(1, 2, 8)} if options else {"input_ids": torch.tensor([[3, 4]])}
        with pytest.raises(ValueError, match="char_ids goes with input_ids and a model that reads characters: leave"):
            model(**inputs, char_ids=given)

    @pytest.mark.parametrize("name", ["spelt words without more", "everything, concat"])
    def test_texts_without_columns(self, name):
        model = tiny_tagger(AttnLSTMModel, **INPUTS[name])
        outputs = model(torch.zeros(2, 0, dtype=torch.long))
        assert outputs.pooler_output.shape == (2, 12) and not outputs.pooler_output.any()


def test_a_thousand_random_words_are_spelt_alike_however_they_are_cut():
    """A word as one token, or as any tokens that spell it on, has the same characters."""
    chance = random.Random(0)
    spelling = Spelling(12, 12, 20)
    spelling.characters[:, 0] = torch.arange(12)
    spelling.roles[6:] = SPELLS
    for _ in range(50):
        word = [chance.randrange(1, 6), *(chance.randrange(6, 12) for _ in range(chance.randrange(12)))]
        filled = [(token, True) for token in word]
        for _ in range(chance.randrange(5)):
            filled.insert(chance.randrange(len(filled) + 1), (chance.randrange(12), False))
        ids, mask = zip(*filled)
        words = spelling(torch.tensor([ids]), torch.tensor([mask]))
        place = mask.index(True)
        assert words.read[0].nonzero().flatten().tolist() == [place]
        assert bare(words.characters[0, place]) == word
