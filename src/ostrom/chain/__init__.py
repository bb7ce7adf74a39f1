"""The ledger: an EVM in this process or behind a URL, keys, and typed contract calls.

Import from the modules: `ostrom.chain.embedded`, `.rpc`, `.contracts`, `.wallet`, `.ledger`. The
libraries that speak Ethereum load with the module that needs them, so `import ostrom.chain` is
free.
"""

from __future__ import annotations
