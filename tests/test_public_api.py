"""What `import ostrom` offers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import ostrom

NAMES_MAX = 30


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        ostrom.nothing  # noqa: B018


def test_all_is_the_public_api() -> None:
    assert ostrom.__all__ == sorted(ostrom.__all__)
    assert len(ostrom.__all__) <= NAMES_MAX
    names = set()
    for name in ostrom.__all__:
        value = getattr(ostrom, name)
        names.add(getattr(value, "__name__", name))
        assert getattr(value, "__module__", "ostrom").startswith("ostrom")
    assert names == set(ostrom.__all__)
    assert set(ostrom.__all__) <= set(dir(ostrom))


def test_what_is_not_in_all_is_a_module_or_private() -> None:
    program = (
        "import ostrom, types;"
        "extra = {n for n in vars(ostrom) if not n.startswith('_')} - set(ostrom.__all__);"
        "plain = {'annotations', 'import_module', 'TYPE_CHECKING', 'Any', 'version'};"
        "assert extra <= plain, extra"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_import_is_light() -> None:
    program = (
        "import sys, ostrom;"
        "heavy = {'numpy', 'torch', 'web3', 'matplotlib', 'pydantic', 'typer'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_simulate_takes_a_config_or_fields_but_not_both(tmp_path: Path) -> None:
    with pytest.raises(ostrom.InputError, match="not both: leave out clients"):
        ostrom.simulate(ostrom.RunConfig(), out=tmp_path, clients=3)
    with pytest.raises(ostrom.InputError, match="clients"):
        ostrom.simulate(clients=0, out=tmp_path)
    with pytest.raises(ostrom.InputError, match="cleints"):
        ostrom.simulate(cleints=3, out=tmp_path)
