"""A client of nodes that fail, lag, lack methods or are of another chain: real ones, worsened."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.chain.anvil import Anvil
from tests.chain.fault_proxy import FaultProxy

from ostrom.chain import endpoints
from ostrom.chain.client import Fees
from ostrom.chain.contracts import Token
from ostrom.chain.ledger import CONSTRUCTOR, NOWHERE, Call
from ostrom.chain.refusals import NonceTooLow, Underpriced, Unreachable
from ostrom.chain.rpc import RpcLedger
from ostrom.chain.rpc_client import TIP_MIN, RpcClient
from ostrom.chain.wallet import Key, simulation_key
from ostrom.codec import checksum_address
from ostrom.errors import InputError, LedgerError

BOB = simulation_key(0, "bob").address
SECONDS = 1.5
DEAD = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def anvil() -> Iterator[Anvil]:
    with Anvil() as node:
        yield node


@pytest.fixture
def proxy(anvil: Anvil) -> Iterator[FaultProxy]:
    with FaultProxy(anvil.url, slow_seconds=2 * SECONDS) as one:
        yield one


@pytest.fixture
def client(proxy: FaultProxy) -> RpcClient:
    return RpcClient([proxy.url], seconds_max=SECONDS)


@pytest.fixture
def token(anvil: Anvil) -> tuple[Token, Key]:
    """A token, and the key that holds it all."""
    ledger, alice = RpcLedger(anvil.url), Key.generate()
    ledger.request("anvil_setBalance", alice.address, hex(10**20))
    created = ledger.send(Call("Token", NOWHERE, CONSTRUCTOR, (alice.address, 100)), alice).created
    assert created is not None
    return Token(created), alice


def test_no_url_is_an_error_of_the_user() -> None:
    with pytest.raises(InputError, match="at least one URL"):
        RpcClient([])


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("gone", "RemoteDisconnected"),
        ("slow", "[Tt]imeout"),
        ("dripping", "[Tt]imeout"),
        ("broken off", "broke off"),
        ("truncated", "no JSON"),
        ("unavailable", "HTTP status 503"),
        ("redirected", "HTTP status 307"),
        ("html", "no JSON"),
        ("wrong id", "not the answer to this question"),
        ("internal error", "Internal error"),
        ("null", "where a number belongs"),
    ],
)
def test_an_answer_that_is_none_is_one_line_and_the_next_may_be_good(
    client: RpcClient, proxy: FaultProxy, fault: str, words: str
) -> None:
    proxy.plan(fault)
    with pytest.raises(Unreachable, match=words) as caught:
        client.balance(BOB)
    assert "\n" not in str(caught.value)
    assert client.balance(BOB) == 0


def test_another_url_takes_over_and_is_kept(proxy: FaultProxy, anvil: Anvil) -> None:
    client = RpcClient([DEAD, proxy.url, anvil.url])
    assert client.url == proxy.url
    proxy.plan("gone")
    assert client.balance(BOB) == 0
    assert client.url == anvil.url
    asked = proxy.asked.total()
    client.head()
    assert proxy.asked.total() == asked


def test_when_all_urls_fail_the_error_names_all(proxy: FaultProxy) -> None:
    client = RpcClient([proxy.url, DEAD])
    proxy.plan("unavailable")
    with pytest.raises(Unreachable, match=rf"{proxy.url}.* 503.*; cannot reach .*{DEAD}"):
        client.head()


def test_a_url_of_another_chain_is_never_used(anvil: Anvil) -> None:
    with Anvil(chain_id=5) as other:
        with pytest.raises(LedgerError, match=f"{other.url} serves chain 5, not 31337"):
            RpcClient([other.url], chain_id=31337)
        client = RpcClient([other.url, anvil.url], chain_id=31337)
        assert client.url == anvil.url
        alone = RpcClient([DEAD, other.url])
        assert alone.chain_id == 5


def test_a_url_of_the_same_number_and_another_first_block_is_never_used(proxy: FaultProxy) -> None:
    with Anvil(options=["--timestamp", "1000"]) as other:
        client = RpcClient([proxy.url, other.url])
        proxy.plan("unavailable")
        with pytest.raises(LedgerError, match=f"{other.url} serves another chain of the number"):
            client.head()
        assert client.head().number >= 0
        assert client.url == proxy.url


def test_a_node_that_changes_its_chain_is_left(client: RpcClient, proxy: FaultProxy) -> None:
    proxy.plan("unavailable", "wrong chain")
    with pytest.raises(Unreachable):
        client.head()
    with pytest.raises(Unreachable, match="serves chain 5, not 31337"):
        client.head()
    assert client.head().number >= 0


def test_a_node_far_behind_is_left_for_another(anvil: Anvil, proxy: FaultProxy) -> None:
    direct = RpcClient([anvil.url])
    for _ in range(endpoints.STALE_BLOCKS + 2):
        direct.request("evm_mine")
    client = RpcClient([proxy.url, anvil.url])
    assert client.head() == direct.head()
    proxy.limits.head_max = 1
    assert client.head() == direct.head()
    assert client.url == anvil.url
    alone = RpcClient([proxy.url])
    assert alone.head().number == 1


def test_a_node_that_stands_still_is_compared_with_the_others(
    anvil: Anvil, proxy: FaultProxy
) -> None:
    direct = RpcClient([anvil.url])
    direct.request("evm_mine")
    direct.request("evm_mine")
    proxy.limits.head_max = direct.head().number - 1
    client = RpcClient([proxy.url, DEAD, anvil.url])
    looks = [client.head().number for _ in range(endpoints.STUCK_LOOKS + 1)]
    assert looks == [direct.head().number - 1] * endpoints.STUCK_LOOKS + [direct.head().number]
    assert client.url == anvil.url


def test_events_that_are_left_out_of_a_block_are_noticed(
    client: RpcClient, proxy: FaultProxy, token: tuple[Token, Key]
) -> None:
    client.watch({token[0].address: "Token"})
    proxy.plan("missing logs")
    with pytest.raises(LedgerError, match=f"incomplete logs: .*{token[0].address}"):
        client.logs_of(client.head())
    assert len(client.logs_of(client.head())) == 1


@pytest.mark.parametrize("lacks", [frozenset(), frozenset({"eth_getBlockReceipts"})])
def test_a_busy_block_without_our_events_is_told_from_one_that_lacks_them(
    client: RpcClient, proxy: FaultProxy, token: tuple[Token, Key], lacks: frozenset[str]
) -> None:
    proxy.limits.full_blooms = True
    proxy.limits.lacks = lacks
    silent = checksum_address(bytes(19) + b"\x07")
    client.watch({silent: "Registry"})
    assert client.logs_of(client.head()) == []
    client.watch({token[0].address: "Token"})
    assert len(client.logs_of(client.head())) == 1
    proxy.plan("missing logs")
    with pytest.raises(LedgerError, match=f"incomplete logs: .*{token[0].address}"):
        client.logs_of(client.head())


def test_a_block_that_the_node_has_not_executed_yet_is_no_empty_block(
    client: RpcClient, proxy: FaultProxy, token: tuple[Token, Key]
) -> None:
    client.watch({token[0].address: "Token"})
    proxy.limits.behind = True
    with pytest.raises(LedgerError, match="has not executed block"):
        client.logs_of(client.head())


def test_a_node_without_views_by_hash_is_asked_by_number(
    client: RpcClient, proxy: FaultProxy, token: tuple[Token, Key], anvil: Anvil
) -> None:
    proxy.limits.numbers_only = True
    contract, alice = token
    view = Call("Token", contract.address, "balanceOf", (BOB,))
    before = client.head()
    RpcLedger(anvil.url).send(contract.transfer(BOB, 5), alice)
    assert client.call(view, block=before) == 0
    after = client.head()
    assert client.call(view, block=after) == 5
    client.request("anvil_reorg", 1, [])
    with pytest.raises(LedgerError, match="is not known any more"):
        client.call(view, block=after)


def test_a_long_range_is_halved_where_a_node_finds_it_too_long(
    client: RpcClient, proxy: FaultProxy, token: tuple[Token, Key], anvil: Anvil
) -> None:
    contract, alice = token
    client.watch({contract.address: "Token"})
    ledger = RpcLedger(anvil.url)
    for amount in (1, 2, 3):
        ledger.send(contract.transfer(BOB, amount), alice)
    proxy.limits.log_blocks_max = 2
    told = client.logs(0, client.head().number)
    assert [logged.event.arguments["value"] for logged in told] == [100, 1, 2, 3]
    proxy.plan("unavailable")
    with pytest.raises(Unreachable, match="503"):
        client.logs(0, client.head().number)


def test_a_node_that_names_no_tip_gets_one_that_peers_pass_on(
    client: RpcClient, proxy: FaultProxy
) -> None:
    proxy.limits.lacks = frozenset({"eth_maxPriorityFeePerGas"})
    fees = client.fees()
    assert fees.tip >= TIP_MIN
    assert fees.most > fees.tip


def test_a_chain_without_base_fee_gets_a_gas_price() -> None:
    with Anvil(options=["--hardfork", "berlin", "--gas-price", "7"]) as node:
        ledger, alice = RpcLedger(node.url), Key.generate()
        ledger.request("anvil_setBalance", alice.address, hex(10**20))
        assert ledger.client.fees() == Fees(7, 7, legacy=True)
        receipt = ledger.send(Call("Token", NOWHERE, CONSTRUCTOR, (BOB, 1)), alice)
        assert (
            ledger.request("eth_getTransactionByHash", f"0x{receipt.transaction.hex()}")["type"]
            == "0x0"
        )


def test_what_a_node_says_of_a_transaction_has_a_class_of_its_own() -> None:
    with Anvil(mining=False) as node:
        client, alice = RpcClient([node.url]), Key.generate()
        client.request("anvil_setBalance", alice.address, hex(10**20))
        client.submit(transaction(alice, nonce=0, value=1))
        with pytest.raises(Underpriced):
            client.submit(transaction(alice, nonce=0, value=2))
        client.request("evm_mine")
        with pytest.raises(NonceTooLow):
            client.submit(transaction(alice, nonce=0, value=3))
        client.submit(transaction(alice, nonce=0, value=1))
        with pytest.raises(Underpriced):
            client.submit(transaction(alice, nonce=1, value=1, price=1))
        with pytest.raises(LedgerError, match="nsufficient funds"):
            client.submit(transaction(alice, nonce=1, value=10**30))


def test_passwords_and_keys_in_a_url_are_sent_and_not_told(proxy: FaultProxy) -> None:
    host = proxy.url.removeprefix("http://")
    client = RpcClient([f"http://me:pass%20word@{host}/v3/key?token=key"])
    assert client.url == proxy.url
    proxy.plan("unavailable")
    with pytest.raises(Unreachable) as caught:
        client.head()
    assert not any(secret in str(caught.value) for secret in ("pass", "me:", "key"))
    path, authorization = proxy.headers
    assert path == "/v3/key?token=key"
    assert authorization == "Basic bWU6cGFzcyB3b3Jk"


@pytest.mark.parametrize(
    "url", ["http://me:secret@", "http://127.0.0.1/\nsecret", "me:secret@host"]
)
def test_a_damaged_url_tells_no_secret_either(url: str) -> None:
    with pytest.raises(Unreachable) as caught:
        RpcClient([url])
    assert "secret" not in str(caught.value)


def transaction(key: Key, *, nonce: int, value: int, price: int = 10**10) -> bytes:
    return key.sign_transaction(
        {
            "chainId": 31337,
            "nonce": nonce,
            "gas": 21_000,
            "maxFeePerGas": price,
            "maxPriorityFeePerGas": min(price, 10**9),
            "to": BOB,
            "value": value,
            "data": b"",
        }
    )
