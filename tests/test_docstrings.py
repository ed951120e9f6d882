"""Every example in a docstring of the package is run; what cannot be is named here, with the reason."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from transformers import PrinterCallback, ProgressCallback

from docstring_examples import Docstring, docstrings, make_files, run


NOT_RUN = {
    "hfattnlstm.commands.arriving.Arrivals": "It waits for a pipe that is written slowly; its own tests write one.",
    "hfattnlstm.commands.program.program": "It says how this very installation is called.",
    "hfattnlstm.commands.quickstart.quickstart": "It takes ten seconds, and its own tests run it.",
    "hfattnlstm.training.finishing.Finisher": "It goes on from a training, and its own tests run several.",
}
# Their figures depend on a training, or on files that are larger than those here: any number does.
FIGURES_VARY = {
    "hfattnlstm.commands.embed.embed",
    "hfattnlstm.commands.env.env",
    "hfattnlstm.commands.evaluate.evaluate",
    "hfattnlstm.commands.evaluation_report.print_evaluation",
    "hfattnlstm.commands.explained_texts.print_explanations",
    "hfattnlstm.commands.export.export",
    "hfattnlstm.commands.main.main",
    "hfattnlstm.commands.predict.predict",
    "hfattnlstm.commands.forecast.forecast",
    "hfattnlstm.commands.pretrain.pretrain",
    "hfattnlstm.commands.models.load_backbone_config",
    "hfattnlstm.commands.train.train",
    "hfattnlstm.commands.train_display.TrainDisplay",
    "hfattnlstm.data.embedding.embed_texts",
    "hfattnlstm.training.pretraining.PretrainingTask",
    "hfattnlstm.data.embedding.vector_width",
    "hfattnlstm.data.encoding.tell_unknown_tokens",
    "hfattnlstm.data.tag_rows.encode_tags",
    "hfattnlstm.data.vector_tables.read_vector_table",
    "hfattnlstm.data.word_vectors.load_word_vectors",
    "hfattnlstm.data.word_vectors.read_word_vectors",
    "hfattnlstm.deploy.onnx_export.export_onnx",
    "hfattnlstm.deploy.onnx_model.onnx_pipeline",
    "hfattnlstm.modeling.pipeline_text_classification.AttnLSTMTextClassificationPipeline",
    "hfattnlstm.modeling.pipeline_token_classification.AttnLSTMTokenClassificationPipeline",
    "hfattnlstm.modeling.word_tokens.WordEncoder",
    "hfattnlstm.modeling.word_tokens.WordEncoder.windows",
    "hfattnlstm.data.pair_rows.encode_pairs",
    "hfattnlstm.training.seq2seq.Seq2SeqTask",
    "hfattnlstm.training.seq2seq_trainer.AttnLSTMSeq2SeqTrainer",
    "hfattnlstm.data.labelled_series.load_labelled_series",
    "hfattnlstm.data.series_processor.SeriesProcessor",
    "hfattnlstm.data.series_splits.split_series",
    "hfattnlstm.data.series_windows.SeriesWindows",
    "hfattnlstm.data.series_windows.collate_windows",
    "hfattnlstm.training.classification.ClassificationTask",
    "hfattnlstm.training.forecasting.ForecastingTask",
    "hfattnlstm.training.image_text.ImageTextTask",
    "hfattnlstm.training.linear_forecasts.fit_linear",
    "hfattnlstm.training.series_classification.SeriesClassificationTask",
    "hfattnlstm.training.run.run_task",
    "hfattnlstm.training.sklearn_classifier.AttnLSTMClassifier.to_pipeline",
    "hfattnlstm.training.tagged_evaluation.evaluate_tagger",
    "hfattnlstm.training.tagging.TaggingTask",
    "hfattnlstm.training.text_evaluation.evaluate_texts",
    "hfattnlstm.training.sparse_gradients.clip_sparse_grad_norm_",
}
# What is told where a module is not installed.
WITHOUT = {"hfattnlstm._extras.needs_extra": "datasets"}
EXAMPLES = {docstring.name: docstring for docstring in docstrings()}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    make_files(folder)
    return folder


@pytest.fixture
def place(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the files of the examples, where a training logs nothing."""
    folder = tmp_path / "here"
    shutil.copytree(files, folder)
    monkeypatch.chdir(folder)
    for callback in (PrinterCallback, ProgressCallback):
        monkeypatch.setattr(callback, "on_log", lambda *_, **__: None)
    return folder


# What torch says of its own exporter, and of memory for an accelerator that is not here.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Exporting a model", "ignore:The .grad attribute")
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore:'pin_memory' argument")
@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - NOT_RUN.keys()))
def test_example(name: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if '"--output_dir", "my-model"' in EXAMPLES[name].text:
        shutil.rmtree(place / "my-model")
    if name in WITHOUT:
        monkeypatch.setitem(sys.modules, WITHOUT[name], None)
    said = run(EXAMPLES[name], name in FIGURES_VARY)
    assert not said, said


def test_what_is_listed_exists() -> None:
    assert EXAMPLES.keys() >= {*NOT_RUN, *FIGURES_VARY, *WITHOUT}
    assert len(EXAMPLES) > 100 and len(NOT_RUN) == 4
    assert not [name for name, docstring in EXAMPLES.items() if "+SKIP" in docstring.text]


def test_a_wrong_example_is_found() -> None:
    wrong = Docstring("hfattnlstm", "wrong", "Example:\n\n```python\n>>> 1 + 1\n3\n```\n")
    assert "Expected:\n    3\nGot:\n    2" in run(wrong)
    assert not run(wrong, any_number=True)
    assert run(Docstring("hfattnlstm", "wrong", ">>> 'a 1'\n'b 1'\n"), any_number=True)
