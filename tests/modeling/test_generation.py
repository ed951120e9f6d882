"""What `generate` does with a model that writes: states, beams, attention, processors, beginnings."""

from __future__ import annotations

import itertools

import pytest
import torch
from modeling_helpers import ROWS, assert_near, ids_of, mask_of
from transformers import LogitsProcessorList, StoppingCriteriaList, WatermarkingConfig
from writer_helpers import START, WRITERS, tiny_writer


every_writer = pytest.mark.parametrize("name", WRITERS)
every_padding = pytest.mark.parametrize("kind", ROWS)


def generated(model, kind="holes", **options):
    mask = mask_of(kind)
    torch.manual_seed(3)
    ids = ids_of(mask)
    torch.manual_seed(5)
    return model.generate(ids, attention_mask=mask.long(), max_new_tokens=7, **options)


class TestGeneration:
    """`generate` of transformers."""

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"num_beams": 4},
            {"do_sample": True},
            {"num_beams": 3, "do_sample": True},
            {"num_return_sequences": 2, "num_beams": 3},
        ],
        ids=str,
    )
    @every_writer
    def test_with_and_without_the_state(self, name, options):
        model = tiny_writer(**WRITERS[name])
        assert generated(model, **options).equal(generated(model, **options, use_cache=False))

    @pytest.mark.parametrize("beams", [1, 3])
    @every_padding
    def test_padding_changes_nothing(self, kind, beams):
        model = tiny_writer()
        together = generated(model, kind, num_beams=beams)
        torch.manual_seed(3)
        mask = mask_of(kind)
        ids = ids_of(mask)
        for row, own in enumerate(mask):
            if own.any():
                alone = model.generate(ids[row : row + 1, own], max_new_tokens=7, num_beams=beams)[0]
                assert together[row, : len(alone)].equal(alone)

    def test_beams_find_the_best_text(self):
        """As many beams as there are texts of three tokens leave none out."""
        model = tiny_writer(vocab_size=7, eos_token_id=None)
        ids = torch.tensor([[4, 5, 6]])
        texts = list(itertools.product(range(7), repeat=3))
        read = torch.tensor([[START, *text] for text in texts])
        logs = model(ids.expand(len(texts), -1), decoder_input_ids=read[:, :-1]).logits.log_softmax(-1)
        scores = logs.gather(2, read[:, 1:, None]).sum((1, 2))
        found = model.generate(ids, num_beams=60, max_new_tokens=3, do_sample=False)[0, 1:]
        assert tuple(found.tolist()) == texts[int(scores.argmax())]

    @pytest.mark.parametrize("beams", [1, 3])
    def test_attention_of_each_step(self, beams):
        model = tiny_writer(eos_token_id=None)
        outputs = generated(model, num_beams=beams, return_dict_in_generate=True, output_attentions=True)
        assert len(outputs.cross_attentions) == outputs.sequences.shape[1] - 1 == 7
        assert {weights.shape for (weights,) in outputs.cross_attentions} == {(4 * beams, 1, 1, 9)}
        if beams == 1:
            torch.manual_seed(3)
            ids = ids_of(mask_of("holes"))
            whole = model(ids, mask_of("holes"), decoder_input_ids=outputs.sequences[:, :-1], output_attentions=True)
            steps = torch.cat([weights for (weights,) in outputs.cross_attentions], 2)
            assert_near(steps, whole.cross_attentions[0], 1e-6)

    def test_processors_and_criteria(self):
        model = tiny_writer()
        first = generated(model)[0, 1].item()

        def forbid(ids, scores):
            scores[:, first] = -float("inf")
            return scores

        assert first not in generated(model, logits_processor=LogitsProcessorList([forbid]))
        stop = StoppingCriteriaList([lambda ids, scores, **_: torch.full((len(ids),), ids.shape[1] >= 3)])
        assert generated(model, stopping_criteria=stop).shape[1] == 3
        banned = generated(model, suppress_tokens=[first], repetition_penalty=1.3, no_repeat_ngram_size=2)
        assert first not in banned

    @pytest.mark.parametrize("beams", [1, 3])
    def test_it_goes_on_from_a_beginning(self, beams):
        model = tiny_writer(**WRITERS["no feeding"])
        begun = torch.tensor([[START, 9, 7], [START, 5, 6]])
        ids = ids_of(mask_of("full"))[:2]
        whole = model.generate(ids, decoder_input_ids=begun, max_new_tokens=5, num_beams=beams)
        assert whole[:, :3].equal(begun)
        again = model.generate(ids, decoder_input_ids=begun, max_new_tokens=5, num_beams=beams, use_cache=False)
        assert whole.equal(again)
        # Of which padding stands behind the first token, as transformers puts it.
        padded = torch.cat([begun[:, :1], torch.zeros(2, 2).long(), begun[:, 1:]], 1)
        mask = torch.tensor([[1, 0, 0, 1, 1]]).expand(2, -1)
        for cached in (True, False):
            behind = model.generate(
                ids,
                decoder_input_ids=padded,
                decoder_attention_mask=mask,
                max_new_tokens=5,
                num_beams=beams,
                use_cache=cached,
            )
            assert behind[:, 5:].equal(whole[:, 3:])

    @pytest.mark.parametrize("normalize", [False, True])
    @pytest.mark.parametrize("name", ["default", "two vocabularies"])
    def test_scores_of_each_step(self, name, normalize):
        """They sum up to those of the texts that beams have found."""
        model = tiny_writer(**WRITERS[name])
        wanted = {"num_beams": 3, "length_penalty": 0.0, "output_scores": True, "return_dict_in_generate": True}
        found = generated(model, **wanted)
        steps = model.compute_transition_scores(
            found.sequences, found.scores, found.beam_indices, normalize_logits=normalize
        )
        assert_near(steps.sum(1), found.sequences_scores, 1e-5)

    def test_watermarks(self):
        """Every token that may be written can be preferred, and no other."""
        model = tiny_writer(**WRITERS["two vocabularies"], eos_token_id=None)
        settings = WatermarkingConfig(greenlist_ratio=0.5, bias=1e4)
        written = generated(model, watermarking_config=settings)[0]
        preferred = settings.construct_processor(17, "cpu")
        for place in range(1, len(written)):
            assert written[place] in preferred._get_greenlist_ids(written[:place])

    def test_what_needs_an_earlier_state_is_refused(self):
        model = tiny_writer()
        with pytest.raises(ValueError, match="assisted"):
            model.generate(ids_of(mask_of("full"))[:1], assistant_model=tiny_writer(), max_new_tokens=3)
