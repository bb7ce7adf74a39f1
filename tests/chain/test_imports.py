from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["ostrom", "ostrom.chain", "ostrom.chain.hashes"])
def test_light_modules_do_not_load_the_libraries_of_ethereum(module: str) -> None:
    heavy = "{'web3', 'eth', 'eth_account', 'eth_abi', 'eth_tester', 'coincurve', 'requests'}"
    code = f"import sys, {module}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
