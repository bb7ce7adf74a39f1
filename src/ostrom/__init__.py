"""Ostrom: parties who do not trust one another train one model together.

>>> import ostrom
>>> ostrom.cid_of(b"a model")[:8]
'bafkreie'

Each name is imported when it is first used: `import ostrom` alone loads next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ostrom.version import VERSION as __version__

if TYPE_CHECKING:
    from ostrom.api import simulate
    from ostrom.audit import AuditLine, AuditReport, audit_run
    from ostrom.errors import (
        AuditError,
        CodecError,
        ContractError,
        DatasetError,
        InputError,
        LedgerError,
        OstromError,
        StoreError,
        TensorError,
    )
    from ostrom.sim import (
        Prediction,
        Progress,
        Run,
        RunConfig,
        load_run,
        predict,
        resume,
        roll_back,
    )
    from ostrom.storage import cid_of

__all__ = [
    "AuditError",
    "AuditLine",
    "AuditReport",
    "CodecError",
    "ContractError",
    "DatasetError",
    "InputError",
    "LedgerError",
    "OstromError",
    "Prediction",
    "Progress",
    "Run",
    "RunConfig",
    "StoreError",
    "TensorError",
    "__version__",
    "audit_run",
    "cid_of",
    "load_run",
    "predict",
    "resume",
    "roll_back",
    "simulate",
]

_HOMES = {
    "simulate": "api",
    "audit_run": "audit",
    "AuditLine": "audit",
    "AuditReport": "audit",
    "cid_of": "storage",
    **dict.fromkeys(["Prediction", "Progress", "Run", "RunConfig"], "sim"),
    **dict.fromkeys(["load_run", "predict", "resume", "roll_back"], "sim"),
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'ostrom' has no attribute {name!r}")
    value = getattr(import_module(f"ostrom.{_HOMES.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
