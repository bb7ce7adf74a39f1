"""The relay: signed messages over HTTP, one transaction for many, so that trainers need no ether.

`desk` decides, `book` remembers, `lanes` and `admission` know each kind of message, `messages`
fixes their bytes, `timing` says when. None of them does I/O besides the book's file. `http` and
`client` need the extra `node` and are imported by whoever uses them.
"""

from ostrom.node.relay.book import IN_MEMORY, Book
from ostrom.node.relay.desk import Batch, Relay, admissions, lanes_of
from ostrom.node.relay.messages import (
    Place,
    commit_message,
    join_message,
    registration_message,
    reveal_message,
)
from ostrom.node.relay.receipts import Carrier, Receipt
from ostrom.node.relay.timing import must_send_directly

__all__ = [
    "IN_MEMORY",
    "Batch",
    "Book",
    "Carrier",
    "Place",
    "Receipt",
    "Relay",
    "admissions",
    "commit_message",
    "join_message",
    "lanes_of",
    "must_send_directly",
    "registration_message",
    "reveal_message",
]
