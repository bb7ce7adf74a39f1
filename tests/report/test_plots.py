"""Pictures: the same bytes each time, gaps where there is no number, nothing left behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from tests.report.conftest import ALICE, round_row, trainer

from ostrom.report import contributions, curves, digits, save
from ostrom.report.plots import TRAINERS_MAX

PNG = b"\x89PNG\r\n\x1a\n"


def sample(n: int = 5, *shape: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, size=(n, *(shape or (8, 8)))).astype(np.uint8)
    probabilities = rng.dirichlet(np.ones(10), size=n).astype(np.float32)
    labels = probabilities.argmax(1)
    labels[:1] = (labels[:1] + 1) % 10
    return images, labels, probabilities


def lines(summary: dict[str, Any]) -> dict[str, Any]:
    return {line.get_label(): line for line in curves(summary).axes[0].get_lines()}


def test_a_picture_has_the_same_bytes_every_time(summary: dict[str, Any]) -> None:
    assert save(curves(summary)) == save(curves(summary))
    assert save(contributions(summary)) == save(contributions(summary))
    assert save(digits(*sample())) == save(digits(*sample()))


def test_a_picture_does_not_depend_on_the_users_own_settings(summary: dict[str, Any]) -> None:
    plain = save(curves(summary))
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "savefig.dpi": 10}):
        assert save(curves(summary)) == plain
        assert mpl.rcParams["font.size"] == 30


def test_a_picture_is_written_whole_and_names_no_date(
    summary: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "curves.png"
    written = save(curves(summary), path)
    assert path.read_bytes() == written
    assert list(tmp_path.iterdir()) == [path]
    assert written.startswith(PNG)
    assert b"tEXt" not in written
    assert b"tIME" not in written


def test_drawing_neither_uses_pyplot_nor_changes_the_backend() -> None:
    program = (
        "import sys, matplotlib; matplotlib.use('svg'); import numpy as np;"
        "from ostrom.report import digits, save;"
        "save(digits(np.zeros((1, 8, 8), np.uint8), np.zeros(1, int), np.eye(10)[:1]));"
        "assert matplotlib.get_backend() == 'svg';"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_void_round_is_a_gap(summary: dict[str, Any]) -> None:
    summary["rounds"][0] = round_row(1, void=True, trainers={})
    values = lines(summary)["global model"].get_ydata()
    assert np.isnan(values).tolist() == [False, True, False]
    save(contributions(summary))


@pytest.mark.parametrize("rounds", [[], [round_row(1)], [round_row(1, void=True, trainers={})]])
def test_any_number_of_rounds_can_be_drawn(
    summary: dict[str, Any], rounds: list[dict[str, Any]]
) -> None:
    summary |= {"rounds": rounds, "initial": None}
    for figure in (curves(summary), contributions(summary)):
        assert save(figure).startswith(PNG)


def test_clients_without_a_local_model_have_no_line(summary: dict[str, Any]) -> None:
    summary |= {"rounds": [round_row(1, client_accuracy=None, client_loss=None)], "initial": None}
    assert np.isnan(lines(summary)["clients, own data"].get_ydata()).all()


def test_the_papers_series_stand_beside(summary: dict[str, Any]) -> None:
    drawn = lines(summary)
    assert drawn["paper: clients (MNIST)"].get_ydata()[0] == 0.9128
    assert set(drawn["paper: global model (MNIST)"].get_ydata()) == {0.101}


def test_a_wrong_digit_is_marked_in_words() -> None:
    images, labels, probabilities = sample()
    titles = [axes.get_title(loc="left") for axes in digits(images, labels, probabilities).axes]
    guess = int(probabilities[0].argmax())
    assert titles[0] == f"✗ {guess}, is {labels[0]}"
    assert titles[1] == str(labels[1])


@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (4, 9), (8, 8, 3)])
def test_grey_and_colour_images_of_any_size_are_drawn(shape: tuple[int, ...]) -> None:
    assert save(digits(*sample(3, *shape))).startswith(PNG)


def test_no_digits_are_still_a_picture() -> None:
    assert save(digits(*sample(0))).startswith(PNG)


def test_a_misbehaving_trainer_is_named(summary: dict[str, Any]) -> None:
    labels = [text.get_text() for text in contributions(summary).axes[0].get_yticklabels()]
    assert labels == ["trainer-0", "trainer-1 · garbage"]


def test_many_trainers_are_shown_by_the_best_and_the_worst(summary: dict[str, Any]) -> None:
    many = [trainer(f"trainer-{i}", ALICE) | {"payout": str(i)} for i in range(TRAINERS_MAX + 9)]
    figure = contributions(summary | {"trainers": many})
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert len(labels) == TRAINERS_MAX
    assert labels[0] == f"trainer-{TRAINERS_MAX + 8}"
    assert labels[-1] == "trainer-0"
    assert "9 trainers between them" in str(figure.get_supxlabel())
