"""The released models, which come with the package: each is a folder laid out as its repository on the Hub."""

from __future__ import annotations

from pathlib import Path


# In a clone they lie beside the package, under the name of the Hub's habit; a wheel carries them inside it.
_PLACES = (Path(__file__).parents[1] / "model_cards", Path(__file__).parent / "released")
_MARKER = "config.json"


def released_models() -> dict[str, Path]:
    """The folder of each released model, by its name.

    Example:

    ```python
    >>> list(released_models())
    ['attnlstm-base-reviews', 'attnlstm-imdb']
    ```
    """
    # Those of a clone come first: where both are, the package was installed from it.
    found = (sorted(place.glob(f"*/{_MARKER}")) for place in _PLACES)
    return {path.parent.name: path.parent for path in next(filter(None, found), [])}


def released_folder(name: str) -> Path | None:
    """The folder of the released model that a name leads to; None where it is none, or a model here has the name.

    Example:

    ```python
    >>> released_folder("attnlstm-imdb").name
    'attnlstm-imdb'
    ```
    """
    # What is no model hides none: a file, or a folder with something else.
    hidden = (Path(name).expanduser() / _MARKER).is_file()
    return None if hidden else released_models().get(name)


def released_model(name: str) -> str:
    """Where a released model lies: what `from_pretrained` and `pipeline` take, without the network.

    The commands take its name itself, such as `hfattnlstm predict attnlstm-imdb "A fine film"`.

    Args:
        name: Such as `"attnlstm-imdb"`, a classifier of reviews, or `"attnlstm-base-reviews"`, the language model that
            it began with.

    Returns:
        Its folder.

    Raises:
        ValueError: There is none of that name.

    Example:

    ```python
    >>> pipeline("attention-text-classification", model=released_model("attnlstm-imdb"))("A fine film")[0]["label"]
    'pos'
    ```
    """
    folders = released_models()
    if name not in folders:
        known = ", ".join(folders) or "none here, for the package was installed without its models"
        raise ValueError(f"There is no released model {name!r}: there are {known}.")
    return str(folders[name])
