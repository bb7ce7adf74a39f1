"""What an account registers: its roles, and the digest of its contact."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ostrom.errors import InputError

if TYPE_CHECKING:
    from ostrom.cli.connection import Session
    from ostrom.storage.contacts import Contact
    from ostrom.types import Digest, Role

Urls = Annotated[
    list[str] | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="Where others reach the account's node (its announce); again for another.",
        show_default=False,
    ),
]
ContactStore = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="DIR",
        help="Put the contact there too: a node with one URL makes it by itself.",
        show_default=False,
    ),
]


def contact_of(urls: Sequence[str], store: Path | None) -> Contact | None:
    """The contact with these addresses, put into a store if one is named.

    Raises:
        InputError: an address cannot be a peer's, or a store is named for nothing.
    """
    from ostrom.storage import DirectoryStore
    from ostrom.storage.contacts import Contact

    if not urls:
        if store is not None:
            raise InputError("--store is for the contact that --url makes: give --url")
        return None
    made = Contact.of(urls)
    if store is not None:
        DirectoryStore(store).put(made.encode())
    return made


def declare(session: Session, wanted: Sequence[Role], contact: Contact | None = None) -> None:
    """Declare roles, and where the node is, with what the account has: the last one counts.

    Raises:
        InputError: the contract refuses, or the account cannot pay.
        LedgerError: the chain cannot be reached.
    """
    has = session.at.registry.roles_of(session.ledger, session.account)
    roles = has
    for role in wanted:
        roles |= role
    if roles == has and contact is None:
        return
    before = _metadata(session)
    metadata = before if contact is None else contact.digest
    if (roles, metadata) != (has, before):
        session.send(session.at.registry.register(roles, metadata))


def _metadata(session: Session) -> Digest:
    """The digest that the account registered last."""
    from ostrom.chain.registered import NOTHING, Registrations

    deployed = session.connection.deployed
    found = Registrations(session.at.registry.address, deployed.block)
    last = session.ledger.block_number
    return found.read(session.ledger, last).get(session.account, NOTHING)
