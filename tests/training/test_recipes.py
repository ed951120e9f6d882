"""Recipes: what ships, what wins over what, and what is told of flags that do not apply."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from hfattnlstm.training import Task, parse_task, run_task
from hfattnlstm.training.recipes import FOLDER, describe_recipes, read_recipe, recipe_names
from training.test_classification import run, write_texts


def parse(*argv: str) -> Task:
    return parse_task([*argv])


def written(folder: Path, name: str = "own.yaml", text: str | None = None, **values: object) -> str:
    path = folder / name
    path.write_text(json.dumps(values) if text is None else text)
    return str(path)


class TestShipped:
    """Those in the package."""

    def test_each_can_be_named_and_has_a_line(self) -> None:
        assert {"accurate", "fast"} <= set(recipe_names())
        described = dict(describe_recipes("classification")) | dict(describe_recipes("forecasting"))
        for name in recipe_names():
            task = parse("--recipe", name)
            assert task.recipe.name == name and task.given.of_recipe and task.given.recipe == name
            assert described[name].endswith(".") and not described[name].startswith("#")
        assert sorted(path.stem for path in FOLDER.iterdir()) == recipe_names()

    def test_the_help_lists_them(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "100")
        with pytest.raises(SystemExit):
            parse_task(["--help"], "hfattnlstm train")
        page = capsys.readouterr().out
        assert "\nRecipes\n  --recipe NAME " in page
        for name, text in describe_recipes("classification"):
            assert f"\n  {name} " in page and text.split(":")[0] in page

    @pytest.mark.parametrize(
        ("name", "sentence"),
        [
            ("acurate", "There is no recipe 'acurate': did you mean 'accurate'\\? --recipe takes accurate, .*fast"),
            ("zzz", "There is no recipe 'zzz': --recipe takes accurate, .*, or the path of a YAML or JSON file"),
            ("", "There is no recipe ''"),
            ("nowhere.yaml", "The file of flags nowhere.yaml cannot be read"),
        ],
    )
    def test_unknown_names_get_the_list(self, name: str, sentence: str) -> None:
        for argv in (("--recipe", name), (f"--recipe={name}",)):
            with pytest.raises(ValueError, match=sentence):
                parse(*argv)

    def test_a_recipe_is_a_text(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"There is no recipe \['fast'\]"):
            parse(written(tmp_path, recipe=["fast"]))


class TestOrder:
    """Defaults, then the recipe, then a file, then the command line."""

    def test_each_wins_over_the_one_before(self, tmp_path: Path) -> None:
        recipe = written(tmp_path, hidden_size=32, embedding_size=32, max_length=32, seed=32)
        file = written(tmp_path, "flags.json", embedding_size=64, max_length=64, recipe=recipe)
        for argv in ((file, "--max_length", "128"), (file, "--max_length", "128", "--recipe", recipe)):
            task = parse(*argv)
            model = task.model
            assert (model.hidden_size, model.embedding_size, model.max_length) == (32, 64, 128)
            assert task.training.seed == 32 and model.vocab_size == 30_000
            assert task.given == {"hidden_size", "embedding_size", "max_length", "seed"}
            assert task.given.of_recipe == {"hidden_size", "seed"}

    def test_the_command_line_names_another_recipe(self, tmp_path: Path) -> None:
        file = written(tmp_path, "flags.json", recipe="fast")
        assert parse(file).recipe.name == "fast"
        assert parse(file, "--recipe", "accurate").recipe.name == "accurate"
        assert parse(written(tmp_path, "none.yaml", text="recipe:\n")).recipe is None

    def test_short_names(self, tmp_path: Path) -> None:
        recipe = written(tmp_path, epochs=3, lr="1e-3")
        task = parse("--recipe", recipe, "--learning_rate", "0.5")
        assert (task.training.num_train_epochs, task.training.learning_rate) == (3, 0.5)
        assert task.training.epochs_are_chosen

    def test_a_recipe_names_its_task(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="There is no task 'taging'"):
            parse("--recipe", written(tmp_path, task="taging"))
        assert parse("--recipe", written(tmp_path, task="taging"), "--task", "classification").recipe


class TestFiles:
    """Recipes of one's own."""

    @pytest.mark.parametrize(
        ("text", "description"),
        [
            ("# Small.\n# Not this.\nseed: 1\n", "Small."),
            ("seed: 1\ndescription: Tiny.\n# no\n", "Tiny."),
            ("seed: 1", ""),
        ],
    )
    def test_description(self, tmp_path: Path, monkeypatch, text: str, description: str) -> None:
        path = written(tmp_path, "small.yaml", text)
        monkeypatch.setattr("hfattnlstm.training.recipes.FOLDER", tmp_path)
        assert describe_recipes("classification") == [("small", description)]
        assert read_recipe("small").values == read_recipe(path).values == {"seed": 1}

    @pytest.mark.parametrize(
        ("values", "sentence"),
        [
            ({"hiden_size": 3}, "unknown flag 'hiden_size': did you mean 'hidden_size'"),
            ({"hidden_size": "wide"}, r"own\.yaml has hidden_size: 'wide', but it must be a whole number"),
            ({"hidden_size": -2}, "--hidden_size must be at least 1"),
            ({"recipe": "fast"}, r"own\.yaml names another recipe: copy its flags"),
        ],
    )
    def test_mistakes(self, tmp_path: Path, values: dict, sentence: str) -> None:
        with pytest.raises(ValueError, match=sentence):
            parse("--recipe", written(tmp_path, **values))


class TestFlagsThatDoNotApply:
    """Nobody has typed the flags of a recipe: what else was asked for wins, and that is told."""

    @pytest.mark.parametrize(
        ("values", "flags", "told"),
        [
            (
                {"warmup_steps": 0.1},
                "--lr_scheduler_type constant",
                "--warmup_steps of the recipe .* has no effect without",
            ),
            (
                {"num_train_epochs": 3},
                "--max_steps 5",
                "--num_train_epochs of the recipe .* has no effect beside --max",
            ),
            ({"adam_beta1": 0.7}, "--optim sgd", "--adam_beta1 of the recipe .* has no effect without an --optim"),
            (
                {"pooler_num_heads": 2},
                "--classifier_pooling max",
                "--pooler_num_heads of the recipe .* without attention",
            ),
        ],
    )
    def test_without_effect(self, tmp_path: Path, caplog, values: dict, flags: str, told: str) -> None:
        argv = ["--train_file", "missing.csv", "--output_dir", str(tmp_path / "out"), *flags.split()]
        with caplog.at_level("WARNING", "hfattnlstm"), pytest.raises(FileNotFoundError):
            run_task(parse("--recipe", written(tmp_path, **values), *argv))
        assert len(caplog.messages) == 1
        assert re.search(told, caplog.text)
        assert "leave it out" not in caplog.text
        # What was typed is still refused.
        typed = [word for name, value in values.items() for word in (f"--{name}", str(value))]
        with pytest.raises(ValueError, match=f"--{typed[0][2:]} has no effect"):
            run_task(parse("--recipe", written(tmp_path, **values), *argv, *typed))

    def test_a_model_that_has_decided(self, tmp_path: Path, caplog) -> None:
        values = {"hidden_size": 32, "vocab_size": 99, "word_dropout": 0.2, "max_length": 50, "ema_decay": 0.9}
        with caplog.at_level("WARNING", "hfattnlstm"):
            task = parse("--recipe", written(tmp_path, **values), "--model_name_or_path", "model")
        assert "--model_name_or_path has decided what the recipe" in caplog.text
        assert "says of --vocab_size: that is left out" in caplog.text
        assert task.given == {"model_name_or_path", "hidden_size", "word_dropout", "max_length", "ema_decay"}

    def test_a_tokenizer_that_has_decided(self, tmp_path: Path, caplog) -> None:
        with caplog.at_level("WARNING", "hfattnlstm"):
            task = parse("--recipe", written(tmp_path, lowercase=False, hidden_size=32), "--tokenizer_name", "mine")
        assert "--tokenizer_name has decided what the recipe" in caplog.text and "says of --lowercase:" in caplog.text
        assert task.model.lowercase and task.model.hidden_size == 32

    def test_a_flag_of_the_user_is_not_the_recipes(self, tmp_path: Path) -> None:
        recipe = written(tmp_path, hidden_size=32)
        task = parse("--recipe", recipe, "--model_name_or_path", "model", "--hidden_size", "64")
        assert "hidden_size" in task.given and task.model.hidden_size == 64

    def test_only_measuring(self) -> None:
        with pytest.raises(ValueError, match="--recipe has no effect beside --do_train false"):
            parse("--recipe", "fast", "--do_train", "false", "--model_name_or_path", "model")


class TestCommand:
    """The command of the card gives the run again."""

    def test_what_differs_from_the_recipe(self, tmp_path: Path) -> None:
        recipe = written(tmp_path, hidden_size=32, ema_decay=0.9, seed=7, max_length=9)
        flags = ("--hidden_size", "256", "--seed", "42", "--train_file", "x.csv", "--max_length", "9", "--lr", "0.25")
        command = parse("--recipe", recipe, *flags).command()
        expected = "--recipe own.yaml --train_file x.csv --hidden_size 256 --seed 42 --learning_rate 0.25"
        assert sorted(command.split()[2:]) == sorted(expected.split())

    def test_in_the_card_and_on_from_a_checkpoint(self, tmp_path: Path) -> None:
        recipe = written(
            tmp_path, text="# Mine.\nema_decay: 0.5\nclassifier_pooling: [mean]\nlabel_smoothing_factor: 0.1\n"
        )
        texts = write_texts(tmp_path / "texts.csv")
        flags = ("--recipe", recipe, "--num_train_epochs", "2")
        done = run(tmp_path / "model", texts, *flags)
        config = done.model.config
        assert (config.classifier_pooling, config.label_smoothing) == ("mean", 0.1)
        card = (tmp_path / "model" / "README.md").read_text()
        assert "## Recipe\n\n- name: `own.yaml`\n" in card
        (command,) = (line for line in card.splitlines() if line.startswith("hfattnlstm train"))
        assert "--recipe own.yaml" in command and "--classifier_pooling" not in command
        words = shlex.split(command)[2:]
        words[words.index("own.yaml")] = recipe
        again = parse_task(words)
        assert again.given == parse("--recipe", recipe, *command.split()[4:]).given
        resumed = run(
            tmp_path / "model", texts, *flags, "--resume_from_checkpoint", str(tmp_path / "model/checkpoint-5")
        )
        for name, weight in done.model.state_dict().items():
            assert (weight == resumed.model.state_dict()[name]).all(), name

    def test_a_checkpoint_that_contradicts_the_recipe(self, tmp_path: Path) -> None:
        texts = write_texts(tmp_path / "texts.csv")
        run(tmp_path / "model", texts, "--num_train_epochs", "1")
        recipe = written(tmp_path, classifier_pooling=["mean"])
        with pytest.raises(ValueError, match="--classifier_pooling contradicts the checkpoint"):
            run(tmp_path / "model", texts, "--recipe", recipe, "--resume_from_checkpoint", "true")

    def test_the_weights_of_a_model_with_what_a_recipe_may_change(self, tmp_path: Path, caplog) -> None:
        texts = write_texts(tmp_path / "texts.csv")
        run(tmp_path / "model", texts, "--num_train_epochs", "1")
        recipe = written(tmp_path, word_dropout=0.25, classifier_pooling=["mean"])
        argv = ["--recipe", recipe, "--train_file", str(texts), "--model_name_or_path", str(tmp_path / "model")]
        argv += ["--output_dir", str(tmp_path / "more"), "--max_steps", "1", "--report_to", "none"]
        config = run_task(parse_task([*argv, "--use_cpu", "--disable_tqdm", "true"])).model.config
        assert (config.word_dropout, config.classifier_pooling) == (0.25, ["attention", "max"])
        told = "--model_name_or_path has decided what the recipe says of --classifier_pooling: that is left out."
        assert told in caplog.text

    def test_a_training_from_a_model_goes_on_with_the_same_recipe(self, tmp_path: Path) -> None:
        texts = write_texts(tmp_path / "texts.csv")
        run(tmp_path / "model", texts, "--num_train_epochs", "1")
        recipe = written(tmp_path, hidden_size=64)
        argv = ["--recipe", recipe, "--train_file", str(texts), "--model_name_or_path", str(tmp_path / "model")]
        argv += ["--output_dir", str(tmp_path / "more"), "--num_train_epochs", "1", "--use_cpu"]
        argv += ["--disable_tqdm", "true"]
        run_task(parse_task(argv))
        again = run_task(parse_task([*argv, "--resume_from_checkpoint", "true"]))
        assert again.model.config.hidden_size == 16
