"""What was given and has no effect is refused, before anything is loaded."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from hfattnlstm.training import parse_task, run_task
from hfattnlstm.training.arguments import RunArguments
from hfattnlstm.training.classification_arguments import DataArguments, ModelArguments
from hfattnlstm.training.classification_flags import MODEL_EFFECTS, data_effects
from hfattnlstm.training.flag_effects import RUN_EFFECTS
from hfattnlstm.training.task import Task


_OFF = ("--eval_strategy", "no", "--save_strategy", "no")


def task_of(*flags: str) -> Task:
    """Its files do not exist: whoever reads them is too late."""
    return parse_task(["--train_file", "missing.csv", "--output_dir", "missing", *flags])


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ("--eval_steps 5", "--eval_steps has no effect without --eval_strategy steps: add that, or leave it out"),
        ("--save_steps 5", "--save_steps has no effect without --save_strategy steps"),
        ("--logging_steps 5 --logging_strategy epoch", "--logging_steps has no effect without --logging_strategy st"),
        ("--save_total_limit 3 --save_strategy no", "--save_total_limit has no effect without --save_strategy"),
        ("--save_only_model --save_strategy no", "--save_only_model has no effect"),
        ("--metric_for_best_model f1_macro --eval_strategy no", "--metric_for_best_model has no effect without eval"),
        ("--greater_is_better true --eval_strategy no", "--greater_is_better has no effect"),
        ("--load_best_model_at_end --eval_strategy no", "--load_best_model_at_end has no effect without the same"),
        ("--early_stopping_patience 2 --save_strategy no", "--early_stopping_patience has no effect without --load"),
        ("--hub_model_id me/model", "--hub_model_id has no effect without --push_to_hub"),
        ("--hub_strategy end", "--hub_strategy has no effect without --push_to_hub"),
        ("--num_train_epochs 2 --max_steps 5", "--num_train_epochs has no effect beside --max_steps"),
        (
            "--warmup_steps 5 --lr_scheduler_type constant",
            "--warmup_steps has no effect without an --lr_sched",
        ),
        ("--adam_beta1 0.8 --optim sgd", "--adam_beta1 has no effect without an --optim of Adam's kind"),
        ("--optim_args nesterov=true", "--optim_args has no effect without an --optim that takes"),
        ("--run_name mine", "--run_name has no effect without --report_to"),
        ("--data_seed 3 --train_sampling_strategy sequential", "--data_seed has no effect beside --train_sampling"),
        (
            "--dataloader_persistent_workers",
            "--dataloader_persistent_workers has no effect without --data",
        ),
        ("--ignore_data_skip", "--ignore_data_skip has no effect without --resume_from_checkpoint"),
        ("--prediction_loss_only", "--prediction_loss_only has no effect in this task: leave it out"),
        ("--label_names target", "--label_names has no effect in this task"),
        ("--use_liger_kernel", "--use_liger_kernel has no effect in this task"),
        ("--batch_eval_metrics", "--batch_eval_metrics has no effect in this task"),
        ("--average_tokens_across_devices false", "--average_tokens_across_devices has no effect in this task"),
        ("--embedding_updates lazy --optim sgd", "--embedding_updates lazy cannot work beside --optim sgd"),
        ("--embedding_updates lazy --neftune_noise_alpha 5", "lazy cannot work beside --neftune_noise_alpha"),
        ("--embedding_updates lazy --adam_beta1 0.9999", "lazy cannot work beside --adam_beta1"),
        ("--do_eval false --eval_strategy epoch", "--eval_strategy epoch contradicts --do_eval false: leave one out"),
        ("--do_eval false --eval_delay 1", "--eval_delay has no effect without --eval_strategy"),
        ("--do_eval false --validation_file v.csv", "--validation_file has no effect beside --do_eval false"),
        (
            "--do_eval false --per_device_eval_batch_size 3",
            "--per_device_eval_batch_size has no effect without",
        ),
        ("--test_file t.csv --do_predict false", "--test_file has no effect beside --do_predict false"),
        ("--validation_file v.csv --validation_size 0.2", "--validation_size has no effect beside --validation_file"),
        ("--validation_file v.csv --split_seed 3", "--split_seed has no effect beside --validation_file"),
        ("--dataset_config en", "--dataset_config has no effect without --dataset"),
        ("--do_train false --do_eval false --model_name_or_path m", "There is nothing to do without --do_train"),
        (
            "--do_train false --model_name_or_path m --learning_rate 1",
            "--learning_rate has no effect beside --do_",
        ),
        ("--do_train false --model_name_or_path m --ema_decay 0.9", "--ema_decay has no effect beside --do_train"),
        ("--do_train false --model_name_or_path m --rdrop_alpha 1", "--rdrop_alpha has no effect beside --do_train"),
        (
            "--do_train false --model_name_or_path m --adversarial_epsilon 1",
            "--adversarial_epsilon has no effect beside --do_train",
        ),
        ("--do_train false --model_name_or_path m --vat_epsilon 5", "--vat_epsilon has no effect beside --do_train"),
        (
            "--do_train false --model_name_or_path m --unlabelled_file u.txt",
            "--unlabelled_file has no effect beside --do_train",
        ),
        (
            "--unlabelled_file u.txt",
            "--unlabelled_file has no effect without --vat_epsilon or --teacher: add that, or leave it out",
        ),
        ("--unlabelled_file u.txt --vat_epsilon 0", "--unlabelled_file has no effect without --vat_epsilon"),
        (
            "--do_train false --model_name_or_path m --word_dropout 0.2",
            "--word_dropout has no effect beside --do_",
        ),
        (
            "--pooler_score dot --classifier_pooling max",
            "--pooler_score has no effect without attention in --cl",
        ),
        ("--pooler_num_heads 2 --classifier_pooling max mean", "--pooler_num_heads has no effect without attention"),
        ("--pooler_size 8 --pooler_score dot", "--pooler_size has no effect with a --pooler_score that has no inner"),
        ("--direction_merge sum --no_bidirectional", "--direction_merge has no effect beside --no_bidirectional"),
        ("--hidden_dropout_prob 0.2", "--hidden_dropout_prob has no effect with one layer"),
        ("--residual", "--residual has no effect with one layer that is wider or narrower"),
        ("--locked_dropout true --embedding_dropout 0", "--locked_dropout has no effect without --embedding_dropout"),
        ("--dataset x", "Give either --dataset or --train_file"),
        ("--hidden_size 7", "hidden_size .* must be even"),
    ],
)
def test_flags_without_effect_are_refused(flags: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        run_task(task_of(*flags.split()))


@pytest.mark.parametrize(
    "flags",
    [
        "",
        "--eval_strategy steps --eval_steps 5 --save_strategy steps --save_steps 5 --save_total_limit 3",
        "--eval_strategy steps --logging_steps 5 --logging_strategy steps --save_strategy steps --save_steps 5",
        "--metric_for_best_model f1_macro --greater_is_better true --early_stopping_patience 2",
        "--load_best_model_at_end false --eval_strategy no",
        "--lr_scheduler_type reduce_lr_on_plateau --metric_for_best_model loss --save_strategy no",
        "--num_layers 2 --hidden_dropout_prob 0.2 --residual",
        "--embedding_size 64 --hidden_size 64 --residual",
        "--pooler_size 8 --pooler_score diagonal_dot",
        "--max_steps 5 --warmup_steps 0.1 --weight_decay 0.1 --adam_beta2 0.99",
        "--validation_file v.csv --max_train_samples 5 --split_seed 3",
        "--embedding_updates lazy",
        "--do_eval false",
        "--unlabelled_file u.txt --vat_epsilon 5",
    ],
)
def test_flags_with_an_effect_pass(flags: str) -> None:
    """As far as the file that does not exist."""
    words = flags.replace("--num_layers", "--num_hidden_layers").split()
    with pytest.raises(FileNotFoundError, match=r"There is no file missing\.csv|There is no file v\.csv"):
        run_task(task_of(*words))


def test_the_tables_name_flags_that_exist() -> None:
    known = {item.name for kind in (DataArguments, ModelArguments, RunArguments) for item in fields(kind)}
    effects = (*RUN_EFFECTS, *MODEL_EFFECTS, *data_effects(DataArguments(), ModelArguments(), RunArguments("out")))
    assert {flag for effect in effects for flag in effect.flags} <= known


def test_flags_made_in_python_are_known(tmp_path: Path) -> None:
    training = RunArguments(str(tmp_path), eval_strategy="no", eval_steps=5)
    assert training.chosen == {"eval_strategy", "eval_steps"}
    assert RunArguments("elsewhere").chosen == frozenset()


def test_no_evaluation_at_all() -> None:
    training = task_of("--do_eval", "false").training
    assert not training.do_eval and training.eval_strategy == "no" and not training.load_best_model_at_end
