"""Labels that a simple model would give otherwise."""

from __future__ import annotations

import numpy as np

from hfattnlstm.data.label_noise import find_label_noise


GOOD, BAD = ("great", "lovely", "wonderful", "kind"), ("awful", "rude", "broken", "dirty")


def corpus(count: int = 240) -> tuple[list[str], np.ndarray]:
    generator = np.random.default_rng(0)
    labels = np.arange(count) % 2
    texts = [
        f"{generator.choice(GOOD if label else BAD)} {generator.choice(GOOD if label else BAD)} place {number % 7}"
        for number, label in enumerate(labels)
    ]
    return texts, labels


def test_wrong_labels_are_found_with_their_rows() -> None:
    texts, labels = corpus()
    wrong = [5, 90, 151]
    labels[wrong] = 1 - labels[wrong]
    candidates, looked_at = find_label_noise(texts, labels, 1_000_000)
    assert looked_at == len(texts)
    assert {found.row - 1 for found in candidates} == set(wrong)
    assert all(found.label == labels[found.row - 1] != found.suggested for found in candidates)
    assert all(0.5 < found.probability <= 1 for found in candidates)


def test_right_labels_are_left_alone() -> None:
    assert find_label_noise(*corpus(), 1_000_000)[0] == []


def test_only_so_many_characters_are_read() -> None:
    texts, labels = corpus()
    looked_at = find_label_noise(texts, labels, 2_000)[1]
    assert 0 < looked_at <= 2_000 / min(map(len, texts))


def test_classes_with_few_texts_are_left_out() -> None:
    texts, labels = corpus()
    labels[:5] = 2
    candidates, looked_at = find_label_noise(texts, labels, 1_000_000)
    assert looked_at == len(texts) - 5 and not candidates
    assert find_label_noise(texts[:8], labels[:8], 1_000_000) == ([], 0)


def test_scripts_without_spaces() -> None:
    texts = [f"这家店{'很好' if number % 2 else '太差'}吃{number % 5}" for number in range(60)]
    labels = np.arange(60) % 2
    labels[7] = 0
    assert [found.row for found in find_label_noise(texts, labels, 1_000_000)[0]] == [8]


def test_texts_that_share_no_word_are_left_alone() -> None:
    labels = np.arange(40) % 2
    assert find_label_noise([f"a{number}x b{number}y" for number in range(40)], labels, 10_000) == ([], 0)
    assert find_label_noise(["?!"] * 40, labels, 10_000)[0] == []


def test_a_wrong_label_among_many_classes() -> None:
    texts = [f"topic{number % 12} story{number % 5} topic{number % 12}" for number in range(240)]
    labels = np.arange(240) % 12
    labels[30] = 7
    (found,) = find_label_noise(texts, labels, 100_000)[0]
    assert (found.row, found.label, found.suggested) == (31, 7, 30 % 12) and found.probability <= 1
