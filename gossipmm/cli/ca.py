"""``gossipmm ca``: an authority, which says by certificates which key speaks for which name."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from gossipmm.cli.base import number, output_option, say, show_json, table
from gossipmm.text.durations import duration

if TYPE_CHECKING:
    from gossipmm.authority import Issued
    from gossipmm.core.identity.certificates import Certificate

__all__ = ("as_facts", "as_lines", "ca")

_folder_option = click.option(
    "--folder",
    type=click.Path(),
    default="gossipmm-authority",
    show_default=True,
    help="The folder of the authority.",
)


@click.group()
def ca() -> None:
    """Say by certificates which key speaks for which name.

    An authority is a folder on one machine, best one that runs no agent: whoever has the key in it
    (a file of mode 0600, without a passphrase) can speak in every name of the cluster.
    """


@ca.command()
@click.option("--cluster", required=True, help="The cluster that it issues for.")
@_folder_option
@output_option
def init(cluster: str, folder: str, as_json: bool) -> None:
    """Make an authority: a folder, and a key in it. Nothing is overwritten."""
    from gossipmm.authority import Authority
    from gossipmm.publickeys import public_key_text

    text = public_key_text(Authority(folder).init(cluster))
    if as_json:
        show_json({"folder": folder, "cluster": cluster, "authority": text})
        return
    say(f"{folder}: an authority for the cluster {cluster}; nobody else may read its key")
    say("in the configuration of every agent:")
    say(f'authority = ["{text}"]')


def _days(_context: click.Context, _parameter: click.Parameter, days: float) -> float:
    if not 0 < days <= 36_500:  # also refuses nan
        raise click.BadParameter(f"{days:g} is not between 0 and 36500 days")
    return days


@ca.command()
@click.argument("name")
@click.option(
    "--key",
    help="The node's public key, as gossipmm identity show prints it, or a file that has it.  "
    "[that of its last certificate]",
)
@click.option(
    "--topics",
    multiple=True,
    metavar="GLOB",
    help="Topics that it may register hosts for, as 'compute*'. Again for more.  "
    "[as in its last certificate, else all]",
)
@click.option(
    "--network",
    "networks",
    multiple=True,
    metavar="NETWORK",
    help="Networks that its addresses are in, as 10.0.0.0/8. Again for more.  "
    "[as in its last certificate, else all]",
)
@click.option("--days", type=float, default=30.0, callback=_days, help="How long it counts.  [30]")
@click.option("--out", type=click.Path(), default="", help="The file to write.  [in the folder]")
@_folder_option
@output_option
def issue(name: str, folder: str, as_json: bool, **given: Any) -> None:
    """Issue a certificate for the node NAME, or renew it.

    A later one of a name replaces all earlier ones, also those for another key. Copy it to the
    node and let its agent read it: systemctl reload, or SIGHUP.
    """
    from gossipmm.authority import Authority, Request
    from gossipmm.identityfile import read_public

    public = read_public(given["key"]) if given["key"] else None
    request = Request(
        name, public, given["days"], given["topics"] or None, given["networks"] or None
    )
    made, path = Authority(folder).issue(request, time.time(), given["out"])
    if as_json:
        show_json(as_facts(path, made))
        return
    for line in as_lines(path, made):
        say(line)


@ca.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@_folder_option
@output_option
def revoke(names: tuple[str, ...], folder: str, as_json: bool) -> None:
    """Revoke the certificates of nodes before their time is over.

    Prints the file of all that is revoked: name it as ``revocations`` on one agent, and reload it;
    it tells the others.
    """
    from gossipmm.authority import Authority

    authority = Authority(folder)
    count, path = authority.revoke(names, time.time())
    revoked = authority.revoked()
    if as_json:
        show_json({"file": path, "number": count, "least": revoked})
        return
    say(f"{path}: list {count}, with {number(len(revoked), 'name')}: {', '.join(revoked)}")
    say(f'in the configuration of one agent: revocations = "{path}"; it tells the others')


@ca.command()
@click.argument("word")
@_folder_option
@output_option
def rotate(word: str, folder: str, as_json: bool) -> None:
    """Order a rotation of the gossip key: without that none begins where there is an authority.

    WORD is what gossipmm keys rotate (or keys rotate --cancel) asks for on an agent. Prints the
    file of all that is revoked and ordered: name it as ``revocations`` on that agent, reload that,
    and repeat the command there.
    """
    from gossipmm.authority import Authority
    from gossipmm.core.values.rotation_order import order_of_text

    try:
        order = order_of_text(word)
    except ValueError:
        raise click.BadParameter(
            f"{word!r} orders no rotation: copy the word that gossipmm keys rotate prints on an "
            "agent, as 0.5.12.3600.1a2b3c4d.any",
            param_hint="WORD",
        ) from None
    count, path = Authority(folder).order(order, time.time())
    if as_json:
        show_json({"file": path, "number": count, "order": order.text()})
        return
    what = f"to key {order.new.hex()}, out of band" if order.new else "to a new key"
    say(f"{path}: list {count} orders rotation {order.epoch}, from key {order.old.hex()} {what}")
    say(f'in the configuration of that agent: revocations = "{path}"; reload it, and repeat')


@ca.command()
@click.argument("file", type=click.Path(), required=False)
@_folder_option
@output_option
def show(file: str | None, folder: str, as_json: bool) -> None:
    """Show an authority and what it issued, or the certificate in FILE."""
    from gossipmm import identityfile
    from gossipmm.authority import Authority
    from gossipmm.publickeys import public_key_text

    if file is not None:
        made = identityfile.load_certificate(file)
        if as_json:
            show_json(as_facts(file, made))
            return
        for line in as_lines(file, made):
            say(line)
        return
    authority = Authority(folder)
    cluster, text = authority.cluster, public_key_text(authority.signer().public)
    issued, revoked, order = authority.issued(), authority.revoked(), authority.ordered()
    if as_json:
        rows = [{**one.row(), "revoked": _is_revoked(one, revoked)} for one in issued]
        facts = {"folder": folder, "cluster": cluster, "authority": text}
        word = None if order is None else order.text()
        show_json({**facts, "issued": rows, "revoked": revoked, "rotation": word})
        return
    say(f"{folder}: an authority for the cluster {cluster}")
    say(f'authority = ["{text}"]')
    if order is not None:
        say(f"the last rotation of the gossip key that it ordered: {order.text()}")
    if issued:
        click.echo()
        head = ("NAME", "KEY", "ISSUE", "ENDS", "TOPICS", "NETWORKS")
        table(head, [_row(one, revoked) for one in issued])


def _is_revoked(one: Issued, revoked: dict[str, int]) -> bool:
    return one.issue < revoked.get(one.name, 0)


def _row(one: Issued, revoked: dict[str, int]) -> tuple[str, ...]:
    from gossipmm.core.identity.keys import key_id

    ends = "revoked" if _is_revoked(one, revoked) else _ends(one.expires)
    return (
        *(one.name, key_id(one.public), str(one.issue), ends),
        *(_some(one.topics), _some(one.networks)),
    )


def _some(values: tuple[str, ...] | None) -> str:
    return "any" if values is None else " ".join(values) or "none"


def _ends(expires: float) -> str:
    left = expires - time.time()
    return f"in {duration(left)}" if left > 0 else f"{duration(-left)} ago"


def as_facts(path: str, made: Certificate) -> dict[str, Any]:
    """Return what a certificate says, as JSON has it."""
    from gossipmm.core.identity.keys import key_id
    from gossipmm.publickeys import public_key_text

    return {
        "file": path,
        "name": made.name,
        "cluster": made.cluster,
        "key": key_id(made.public),
        "public": public_key_text(made.public),
        "issue": made.issue,
        "not_before": made.not_before,
        "expires": made.expires,
        "topics": None if made.topics is None else list(made.topics),
        "networks": None if made.networks is None else list(map(str, made.networks)),
        "authority": made.signed.authority.hex(),
    }


def as_lines(path: str, made: Certificate) -> list[str]:
    """Return what a certificate says, in words."""
    from gossipmm.core.identity.keys import key_id
    from gossipmm.identityfile import moment

    networks = None if made.networks is None else tuple(map(str, made.networks))
    by = made.signed.authority.hex()
    return [
        f"{path}: a certificate for {made.name} in {made.cluster}, by {by}",
        f"  key {key_id(made.public)}, issue {made.issue}, until {moment(made.expires)}",
        f"  topics: {_some(made.topics)}; networks: {_some(networks)}",
    ]
