"""`predict`, `explain` and `evaluate` with a model that writes, and the script that trains one."""

from __future__ import annotations

import csv
import io
import json
import runpy
import sys
from pathlib import Path

import pytest
from transformers import pipeline

from commands.predict_helpers import records, refusal, save_model
from hfattnlstm.commands.main import main
from training.pair_helpers import SMALL, WORDS, reversed_pairs, save_writer, write_pairs


SCRIPT = Path(__file__).parents[2] / "scripts" / "run_seq2seq.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_writer(tmp_path_factory.mktemp("writer") / "model", [*WORDS, "<b>"])


@pytest.fixture(scope="module")
def expected(folder: str) -> list[dict]:
    return pipeline("attention-text2text", model=folder)(["ant bee", "dog <b>"])


class TestPredict:
    """Texts in every form."""

    def test_a_line_each(self, folder, expected, capsys, tmp_path):
        assert main(["predict", folder, "ant bee", "dog <b>"]) == 0
        assert capsys.readouterr().out.splitlines() == [one["generated_text"] for one in expected]
        path = tmp_path / "texts.txt"
        path.write_text("ant bee\ndog <b>\n")
        output = tmp_path / "out.txt"
        assert main(["predict", folder, "--file", str(path), "--output", str(output)]) == 0
        assert output.read_text().splitlines() == [one["generated_text"] for one in expected]

    def test_a_blank_text_gives_a_blank_one(self, folder, expected, capsys, tmp_path):
        path = tmp_path / "texts.txt"
        path.write_text("ant bee\n\n  \ndog <b>\n")
        assert main(["predict", folder, "--file", str(path)]) == 0
        texts = [one["generated_text"] for one in expected]
        assert capsys.readouterr().out.splitlines() == [texts[0], "", "", texts[1]]
        assert main(["predict", folder, " ", "--format", "json"]) == 0
        found = records(capsys.readouterr().out)[0]
        assert (found["generated_text"], found["source"], found["alignment"]) == ("", [], [])

    def test_with_the_alignment(self, folder, expected, capsys, tmp_path):
        assert main(["predict", folder, "ant bee", "dog <b>", "--format", "json"]) == 0
        found = records(capsys.readouterr().out)
        assert [one["text"] for one in found] == ["ant bee", "dog <b>"]
        assert [one["generated_text"] for one in found] == [one["generated_text"] for one in expected]
        assert [word["text"] for word in found[0]["source"]] == ["ant", "bee"]
        output = tmp_path / "out.json"
        assert main(["predict", folder, "ant bee", "--output", str(output)]) == 0
        words = json.loads(output.read_text())[0]["alignment"]
        assert [word["text"] for word in words] == [word["text"] for word in found[0]["alignment"]]

    def test_a_table_and_a_page(self, folder, expected, tmp_path):
        table, page = tmp_path / "out.tsv", tmp_path / "out.html"
        for output in (table, page):
            assert main(["predict", folder, "ant bee", "dog <b>", "--output", str(output)]) == 0
        rows = list(csv.reader(io.StringIO(table.read_text()), delimiter="\t"))
        assert rows[0] == ["text", "generated_text", "score"] and rows[1][0] == "ant bee"
        assert rows[2][1] == expected[1]["generated_text"]
        assert "&lt;b&gt;" in page.read_text() and "<b>" not in page.read_text()

    def test_beams_have_an_effect(self, folder, capsys):
        texts = [" ".join(WORDS[:number]) for number in range(1, 6)]
        printed = []
        for beams in ("1", "6"):
            assert main(["predict", folder, *texts, "--num_beams", beams]) == 0
            printed.append(capsys.readouterr().out)
        assert printed[0] != printed[1]

    def test_what_has_no_effect_is_refused(self, folder, capsys, tmp_path):
        for flags in (["--top_k", "2"], ["--threshold", "0.5"], ["--level", "word"], ["--dtype", "bfloat16"]):
            assert "is for models that label texts, and" in refusal(["predict", folder, "ant", *flags], capsys)
        assert "no form for the texts of" in refusal(
            ["predict", folder, "ant", "--output", str(tmp_path / "x.parquet")], capsys
        )
        assert "--num_beams must be at least 1" in refusal(["predict", folder, "ant", "--num_beams", "0"], capsys)
        classifier = save_model(tmp_path / "classifier")
        capsys.readouterr()
        for flags in (["--num_beams", "2"], ["--copy_unknown"]):
            sentence = refusal(["predict", classifier, "ant", *flags], capsys)
            assert "is for models that write texts" in sentence and "labels texts" in sentence


class TestExplain:
    """Where the model looked."""

    def test_printed_drawn_and_written(self, folder, expected, capsys, tmp_path):
        assert main(["explain", folder, "ant bee"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == expected[0]["generated_text"]
        assert len(lines) == 1 + len(expected[0]["alignment"]) and "  <-  " in lines[1]
        picture, page = tmp_path / "map.png", tmp_path / "map.html"
        assert main(["explain", folder, "ant bee", "--output", str(picture)]) == 0
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert main(["explain", folder, "ant bee", "dog <b>", "--output", str(page)]) == 0
        assert page.read_text().count('<table class="alignment">') == 2
        assert capsys.readouterr().out.splitlines()[-1] == f"Wrote {page}: 2 texts"

    def test_what_has_no_effect_is_refused(self, folder, capsys, tmp_path):
        assert "--method has no effect with" in refusal(["explain", folder, "ant", "--method", "occlusion"], capsys)
        picture = str(tmp_path / "map.png")
        assert "A picture shows one text" in refusal(["explain", folder, "ant", "bee", "--output", picture], capsys)
        lines = str(tmp_path / "map.jsonl")
        assert "hfattnlstm predict writes the alignment" in refusal(
            ["explain", folder, "a", "--output", lines], capsys
        )


class TestEvaluate:
    """Scores on pairs."""

    def test_of_a_table(self, folder, capsys, tmp_path):
        path = write_pairs(tmp_path / "pairs.tsv", reversed_pairs(12))
        output = tmp_path / "scores.json"
        assert main(["evaluate", folder, path, "--output", str(output), "--num_beams", "1"]) == 0
        found = json.loads(output.read_text())
        assert {"bleu", "chrf", "exact_match", "bleu_low", "signatures"} <= found.keys()
        assert len(found["texts"]) == 12
        capsys.readouterr()
        assert main(["evaluate", folder, path, "--mistakes", "2"]) == 0
        printed = capsys.readouterr().out
        assert "BLEU" in printed and "nrefs:1" in printed and printed.count("should be") == 2

    def test_as_it_is_asked_to_cut_texts(self, folder, capsys, tmp_path):
        path = write_pairs(tmp_path / "pairs.tsv", [("ant bee", "bee Ant"), ("ant", "ant")])
        assert main(["evaluate", folder, path, "--bleu_tokenize", "char", "--bleu_lowercase"]) == 0
        printed = capsys.readouterr().out
        assert "tok:char" in printed and "case:lc" in printed

    def test_texts_of_another_kind(self, folder, caplog, tmp_path):
        path = write_pairs(tmp_path / "pairs.tsv", [("xxx yyy", "ant"), ("zzz", "bee")])
        assert main(["evaluate", folder, path]) == 0
        assert "60% of the tokens that are read are unknown to the model" in caplog.text

    def test_targets_without_four_words(self, folder, capsys, tmp_path):
        path = write_pairs(tmp_path / "pairs.tsv", [("ant bee", "gnu"), ("ant", "gnu")])
        assert main(["evaluate", folder, path]) == 0
        assert "no reference has so many" in capsys.readouterr().out

    def test_the_data_stay_as_they_are(self, folder, capsys, tmp_path):
        for name in ("a.x", "a.y"):
            (tmp_path / name).write_text("ant\nbee\n")
        source, target = str(tmp_path / "a.x"), str(tmp_path / "a.y")
        sentence = refusal(["evaluate", folder, source, "--target_file", target, "--output", target], capsys)
        assert "is the file with the texts" in sentence and (tmp_path / "a.y").read_text() == "ant\nbee\n"
        sentence = refusal(["evaluate", folder, source, "--target_column", "x"], capsys)
        assert "--source_column is missing" in sentence

    def test_of_two_files(self, folder, capsys, tmp_path):
        for name, side in (("a.x", 0), ("a.y", 1)):
            (tmp_path / name).write_text("\n".join(pair[side] for pair in reversed_pairs(6)))
        files = [str(tmp_path / "a.x"), "--target_file", str(tmp_path / "a.y")]
        assert main(["evaluate", folder, *files]) == 0
        assert "6 texts" in capsys.readouterr().out

    def test_what_has_no_effect_is_refused(self, folder, capsys, tmp_path):
        path = write_pairs(tmp_path / "pairs.tsv", reversed_pairs(4))
        sentence = refusal(["evaluate", folder, path, "--text_column", "source"], capsys)
        assert "name the columns with --source_column and --target_column" in sentence
        assert "--threshold is for models that label texts" in refusal(
            ["evaluate", folder, path, "--threshold", "0.4"], capsys
        )


def test_the_script_trains(tmp_path, monkeypatch, capsys):
    path = write_pairs(tmp_path / "pairs.tsv", reversed_pairs(40))
    flags = ["--train_file", path, "--output_dir", str(tmp_path / "model"), "--max_steps", "1", *SMALL]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *flags])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert stop.value.code == 0
    assert "eval_bleu" in capsys.readouterr().out and (tmp_path / "model" / "model.safetensors").exists()
