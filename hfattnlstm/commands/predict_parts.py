"""`hfattnlstm predict` with a folder of files, each of which is answered by a file of its own."""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import functools
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm
from transformers import PretrainedConfig

from .._extras import needs_extra
from .._files import written_beside
from ..data.progress import no_progress_bars
from .models import load_classifier


LOCAL, RAY = ENGINES = ("local", "ray")
# In the folder of the answers: what they were made by.
NOTE_FILE = "_answers.json"
_TIMEOUT = 3_600.0


def add_parts(parser: argparse.ArgumentParser) -> None:
    """Let the subcommand say by what folders are answered."""
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        help="of a folder as --file, by what its files are answered: local, one after the other, or ray, on a cluster",
    )
    parser.add_argument("--workers", type=int, help="with --engine ray, how many; as many as processors without")
    parser.add_argument(
        "--timeout", type=float, help="with --engine ray, seconds without a finished file after which it ends; 3600"
    )


def reads_parts(parsed: argparse.Namespace) -> bool:
    """Whether `--file` is a folder."""
    return bool(parsed.file) and Path(parsed.file).expanduser().is_dir()


def check_parts(parsed: argparse.Namespace) -> None:
    """Refuse flags that do not go together.

    Raises:
        ValueError: Names the flag.
    """
    is_folder = reads_parts(parsed)
    for name, needed in (("engine", is_folder), ("workers", parsed.engine == RAY), ("timeout", parsed.engine == RAY)):
        if getattr(parsed, name) is not None and not needed:
            what = "a folder as --file" if name == "engine" else "--engine ray"
            raise ValueError(f"--{name} has no effect without {what}: leave it out.")
    if not is_folder:
        return
    if parsed.texts:
        raise ValueError("Give texts or --file, not both.")
    for name in ("format", "level", "tokens_column", "num_beams", "copy_unknown"):
        if getattr(parsed, name) is not None:
            raise ValueError(
                f"--{name} is not for a folder of files, whose answers are labels in parquet: leave it out."
            )
    if parsed.output is None or Path(parsed.output).suffix in (".csv", ".tsv", ".json", ".jsonl", ".parquet", ".txt"):
        raise ValueError(f"{parsed.file} is a folder: name another folder with --output, for a file of answers each.")
    if Path(parsed.output).expanduser().is_file():
        raise ValueError(f"--output {parsed.output} is a file, and {parsed.file} a folder: name a folder.")
    if Path(parsed.output).expanduser().resolve() == Path(parsed.file).expanduser().resolve():
        raise ValueError("--output is the folder of --file: name another.")
    if parsed.timeout is not None and not parsed.timeout > 0:
        raise ValueError(f"--timeout must be above 0, got {parsed.timeout:g}.")


def answer_parts(
    parsed: argparse.Namespace,
    config: PretrainedConfig,
    columns: Sequence[str] | None,
    parameters: Mapping[str, Any],
    thresholds: Mapping[str, float] | None,
) -> int:
    """Answer all files of a folder that have not been answered, and say how many there were.

    Args:
        parsed: The command line.
        config: Of the model.
        columns: Of the texts; found by their name without.
        parameters: With which the pipeline is called.
        thresholds: Of the labels, where a text can have several.

    Returns:
        The exit status.

    Raises:
        ImportError: Without the extra that reads tables, or Ray.
        ValueError: The answers that are there are of another run, or a file cannot be read: the others are answered.
    """
    with needs_extra(f"--file {parsed.file}"):
        from ..deploy.parts import PartPredictor, find_parts
    output = Path(parsed.output).expanduser()
    parts = find_parts(parsed.file, output)
    asked = {"columns": columns, "parameters": dict(parameters), "thresholds": thresholds}
    _note(output, {"model": _digest(parsed.model), **asked})
    _clear(output)
    waiting = [part for part in parts if not Path(part.target).exists()]
    if len(waiting) < len(parts):
        print(f"{len(parts) - len(waiting):,} of {len(parts):,} files are answered already.", file=sys.stderr)
    load = functools.partial(load_classifier, parsed.model, config, parsed.trust_remote_code)
    predictor = PartPredictor(load, columns, parameters, thresholds)
    with no_progress_bars():
        rows, errors = _all(_answers(parsed, waiting, predictor), len(waiting))
    _clear(output)
    files = _counted(len(waiting) - len(errors), "file")
    print(f"Answered {files} with {_counted(rows, 'text')}, in {parsed.output}.")
    if errors:
        more = "" if len(errors) == 1 else f" {_counted(len(errors) - 1, 'other file')} cannot be read, either."
        raise ValueError(f"{errors[0]}{more} The same command answers what was not.")
    return 0


def _clear(output: Path) -> None:
    """Remove what workers that died have left."""
    for left in output.rglob(".*.unfinished"):
        left.unlink(missing_ok=True)


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def _answers(parsed: argparse.Namespace, parts: Sequence[Any], predictor: Any) -> Iterator[Any]:
    if not parts:
        return iter(())
    if parsed.engine != RAY:
        return map(predictor.answer, parts)
    with needs_extra("--engine ray"):
        import ray  # noqa: F401

        from ..deploy.ray_engine import answer_with_ray
    timeout = _TIMEOUT if parsed.timeout is None else parsed.timeout
    return answer_with_ray(parts, predictor, workers=parsed.workers, timeout=timeout)


def _all(answers: Iterable[Any], count: int) -> tuple[int, list[str]]:
    """The rows of all answers, and what could not be read."""
    rows, errors = 0, []
    # None hides it where standard error is no terminal.
    for answered in tqdm(answers, total=count, disable=None, unit="file"):
        rows += answered.rows
        errors += [answered.error] if answered.error else []
    return rows, errors


def _digest(model: str) -> str:
    """What tells a model from another of the same name: its files, or the name, where it is none of a folder."""
    folder = Path(model).expanduser()
    files = [folder] if folder.is_file() else sorted(folder.glob("*.safetensors")) + sorted(folder.glob("config.json"))
    digest = hashlib.sha256(b"" if files else model.encode())
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _note(output: Path, made_by: Mapping[str, Any]) -> None:
    """Write down by what the answers are made, or refuse a folder with answers of something else."""
    path, own = output / NOTE_FILE, json.loads(json.dumps(made_by))
    if path.is_file():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if found != own:
            raise ValueError(
                f"--output {output} has answers of another model, or with other flags: name another folder."
            )
        return
    if output.is_dir() and any(output.iterdir()):
        raise ValueError(f"--output {output} has files that no such run has written: name another folder.")
    output.mkdir(parents=True, exist_ok=True)
    with written_beside(path) as unfinished:
        unfinished.write_text(json.dumps(own, indent=1), encoding="utf-8")
