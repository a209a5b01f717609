"""``gossipmm identity`` and ``gossipmm ca``: what they write, show and refuse."""

from __future__ import annotations

import json
import stat

import pytest
from click.testing import CliRunner

from gossipmm import authority as authorities
from gossipmm import identityfile
from gossipmm.authority import Authority, Request
from gossipmm.cli.app import cli
from gossipmm.core.identity.revocations import revocations_untrusted
from gossipmm.errors import IdentityError
from gossipmm.publickeys import public_key_text

NOW = 1_800_000_000.0
NODE = bytes(range(32))


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command in a folder of its own; return its output, or what it raised."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOSSIPMM_CONFIG", "")

    def run_it(*args, status=0):
        result = CliRunner().invoke(cli, args)
        if isinstance(result.exception, IdentityError):
            assert status == 2
            return str(result.exception)
        assert result.exit_code == status, (result.output, result.exception)
        return result.output

    return run_it


def asked(run, *args):
    return json.loads(run(*args, "-o", "json"))


def test_from_nothing_to_a_certificate(run, tmp_path):
    made = asked(run, "ca", "init", "--cluster", "prod")
    assert made["cluster"] == "prod"
    (tmp_path / "b.toml").write_text(
        'name = "b"\ncluster = "prod"\nidentity = "announce"\nstate_file = "b.state"\n'
        f'authority = ["{made["authority"]}"]\ncertificate = "b.pem"\n'
    )
    key = asked(run, "identity", "new", "--config", "b.toml")
    assert key["file"] == "b.state.identity"
    issued = asked(
        run,
        *("ca", "issue", "b", "--key", key["public"], "--topics", "compute*", "--out", "b.pem"),
        *("--network", "10.0.0.0/8", "--days", "2"),
    )
    assert (issued["key"], issued["topics"]) == (key["key"], ["compute*"])
    assert issued["networks"] == ["10.0.0.0/8"]
    assert issued["expires"] - issued["not_before"] == 2 * 86400 + 300
    shown = asked(run, "identity", "show", "--config", "b.toml")
    assert (shown["certificate"], shown["trouble"]) == (issued, "")
    assert asked(run, "ca", "show", "b.pem") == issued
    assert asked(run, "ca", "show")["issued"][0]["revoked"] is False
    text = run("identity", "show", "--config", "b.toml")
    assert f"public key: {key['public']}" in text
    assert "a certificate for b in prod" in text
    assert stat.S_IMODE((tmp_path / "b.pem").stat().st_mode) == 0o644
    for secret in ("authority.pem", "ledger.json"):
        path = tmp_path / "gossipmm-authority" / secret
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "compute*" in run("ca", "show")


def test_nothing_is_overwritten(run, tmp_path):
    run("ca", "init", "--cluster", "prod", "--folder", "x")
    key = (tmp_path / "x" / "authority.pem").read_bytes()
    assert "x/authority.pem: is there already" in run(
        "ca", "init", "--cluster", "prod", "--folder", "x", status=2
    )
    (tmp_path / "x" / "authority.pem").rename(tmp_path / "kept")
    assert "ledger.json: is there already" in run(
        "ca", "init", "--cluster", "prod", "--folder", "x", status=2
    )
    assert (tmp_path / "kept").read_bytes() == key
    run("identity", "new", "--key", "k")
    assert "k: already exists" in run("identity", "new", "--key", "k", status=2)


def test_a_renewal_keeps_the_key_the_topics_and_the_networks(run):
    """A renewal without them gave a node that was bound to one topic all of them."""
    run("ca", "init", "--cluster", "prod")
    first = asked(run, "ca", "issue", "b", "--key", public_key_text(NODE), "--topics", "volume")
    again = asked(run, "ca", "issue", "b")
    assert (again["public"], again["topics"], again["networks"]) == (
        public_key_text(NODE),
        ["volume"],
        None,
    )
    assert again["issue"] > first["issue"]
    assert asked(run, "ca", "issue", "b", "--topics", "*")["topics"] == ["*"]


def test_a_lost_ledger_does_not_issue_lower_numbers(tmp_path):
    folder = str(tmp_path / "x")
    authority = Authority(folder)
    authority.init("prod")
    first, _ = authority.issue(Request("b", NODE, 30), NOW)
    (tmp_path / "x" / "ledger.json").unlink()
    with pytest.raises(IdentityError, match=r"ledger.json: cannot be read"):
        authority.issued()
    state = {"cluster": "prod", "revocations": {"number": 9, "least": {}}, "issued": []}
    authorities.secretfile.create(
        str(tmp_path / "x" / "ledger.json"), json.dumps(state), authorities._LEDGER
    )
    again, _ = authority.issue(Request("b", NODE, 30), NOW + 60)
    assert again.issue == first.issue + 1


def test_whoever_is_revoked_leaves_the_list_once_that_certificate_has_ended(tmp_path):
    authority = Authority(str(tmp_path / "x"))
    authority.init("prod")
    made, _ = authority.issue(Request("b", NODE, 10), NOW)
    authority.issue(Request("c", NODE, 10), NOW)
    number, path = authority.revoke(["b"], NOW)
    found = identityfile.load_revocations(path)
    assert (number, dict(found.least)) == (1, {"b": made.issue + 1})
    assert found.revokes(made)
    assert revocations_untrusted(found.raw) == found
    again, _ = authority.issue(Request("b", None, 30), NOW)
    assert not found.revokes(again)
    assert authority.revoke(["c"], NOW + 13 * 86400)[0] == 2
    assert list(authority.revoked()) == []  # c has ended as well
    with pytest.raises(IdentityError, match="d: no certificate of it was issued here"):
        authority.revoke(["b", "d"], NOW)
    assert authority.revoke(["b"], NOW + 13 * 86400)[0] == 3
    assert authority.revoked() == {"b": again.issue + 1}


def test_names_of_any_form_have_a_file_of_their_own(tmp_path):
    authority = Authority(str(tmp_path / "x"))
    authority.init("prod")
    _, path = authority.issue(Request("../b/ü", NODE, 1), NOW)
    assert path == str(tmp_path / "x" / "certificates" / "..%2Fb%2F%C3%BC.pem")
    assert identityfile.load_certificate(path).name == "../b/ü"


def test_show_says_what_is_wrong_with_a_certificate_and_ends_with_1(run, tmp_path):
    made = asked(run, "ca", "init", "--cluster", "prod")
    (tmp_path / "b.toml").write_text(
        'name = "b"\ncluster = "prod"\nidentity = "announce"\nidentity_key = "k"\n'
        f'authority = ["{made["authority"]}"]\n'
    )
    key = asked(run, "identity", "new", "--key", "k")
    text = run("identity", "show", "--config", "b.toml", status=1)
    assert f"there is no certificate: gossipmm ca issue b --key {key['public']}" in text
    with (tmp_path / "b.toml").open("a") as file:
        file.write('certificate = "c.pem"\n')
    run("ca", "issue", "c", "--key", key["public"], "--out", "c.pem")
    text = run("identity", "show", "--config", "b.toml", status=1)
    assert "c.pem: is for another name: for c, and this node is called b" in text
    run("ca", "issue", "b", "--key", key["public"], "--days", "1e-9", "--out", "c.pem")
    assert "trouble" in run("identity", "show", "--config", "b.toml", "-o", "json")


def test_a_private_key_is_never_repeated(run, tmp_path):
    """``--key`` with the file of the private key printed the beginning of that file."""
    run("ca", "init", "--cluster", "prod")
    run("identity", "new", "--key", "k")
    text = run("ca", "issue", "b", "--key", "k", status=2)
    assert "k: is a private key, which never leaves its host: give what gossipmm identity" in text
    secret = (tmp_path / "k").read_text().splitlines()[1]
    for content, words in (
        (secret, "k: has no public key"),
        (f"ed25519:{secret[:20]}", "k: the public key in it is cut off"),
    ):
        (tmp_path / "k").write_text(content)
        text = run("ca", "issue", "b", "--key", "k", status=2)
        assert words in text
        assert secret[:12] not in text


def test_a_file_that_has_a_public_key_is_taken(run, tmp_path):
    run("ca", "init", "--cluster", "prod")
    (tmp_path / "k.public").write_text(run("identity", "new", "--key", "k"))
    made = asked(run, "ca", "issue", "b", "--key", "k.public")
    assert made["key"] == asked(run, "identity", "show", "--key", "k")["key"]


def test_the_key_is_shown_before_its_certificate_is_there(run, tmp_path):
    """``show`` failed for want of the certificate that needs the very key it should show."""
    made = asked(run, "ca", "init", "--cluster", "prod")
    (tmp_path / "b.toml").write_text(
        'name = "b"\ncluster = "prod"\nidentity = "announce"\nstate_file = "s"\n'
        f'authority = ["{made["authority"]}"]\ncertificate = "b.pem"\n'
    )
    key = asked(run, "identity", "new", "--config", "b.toml")["public"]
    text = run("identity", "show", "--config", "b.toml", status=1)
    assert f"public key: {key}" in text
    assert f"b.pem: is not there: gossipmm ca issue makes one: gossipmm ca issue b --key {key}" in (
        text
    )


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("ca", "issue"), "Missing argument 'NAME'"),
        (("ca", "init"), "Missing option '--cluster'"),
        (("ca", "init", "--cluster", ""), "cluster name must not be empty"),
        (("ca", "revoke"), "Missing argument 'NAME...'"),
        (("ca", "issue", "b", "--days", "0"), "0 is not between 0 and 36500 days"),
        (("ca", "issue", "b", "--days", "nan"), "nan is not between"),
        (("ca", "issue", "b"), "b: no certificate of it was issued yet"),
        (("ca", "issue", "b", "--key", "no/file"), "there is no file 'no/file', and it is not a"),
        (("ca", "issue", "b", "--key", "GOOD", "--network", "10.0.0.1/8"), "has host bits set"),
        (("ca", "issue", "", "--key", "GOOD"), "node name must not be empty"),
        (("ca", "show", "--folder", "none"), "gossipmm ca init --cluster NAME --folder none"),
        (("ca", "show", "no-file"), "no-file: is not there"),
        (("ca", "show", "gossipmm-authority/ledger.json"), "is not a certificate of gossipmm"),
        (("identity", "show"), "neither identity_key nor state_file: give --key FILE"),
        (("identity", "show", "--key", "none"), "none: cannot be read: No such file"),
        (("identity", "new", "--key", "no/folder/k"), "no/folder/k: cannot be written"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_words(run, args, words):
    if args[:2] != ("ca", "init"):
        run("ca", "init", "--cluster", "prod")
    given = [public_key_text(NODE) if arg == "GOOD" else arg for arg in args]
    assert words in run(*given, status=2)


def test_a_damaged_ledger_says_how_to_go_on(run, tmp_path):
    run("ca", "init", "--cluster", "prod")
    ledger = tmp_path / "gossipmm-authority" / "ledger.json"
    for text in ("", "[]", '{"cluster": 1}', '{"cluster": "x", "revocations": {}, "issued": []}'):
        ledger.write_text(text)
        assert "ledger.json: is damaged: put a copy of it back" in run("ca", "show", status=2)


def test_a_rotation_is_ordered_beside_what_was_revoked_and_never_an_earlier_one(run, tmp_path):
    """Each list has the last order as well: a later revocation takes it away from nobody."""
    asked(run, "ca", "init", "--cluster", "prod")
    asked(run, "ca", "issue", "b", "--key", public_key_text(NODE))
    first = asked(run, "ca", "rotate", "0.4.12.3600.1a2b.any")
    assert (first["number"], first["order"]) == (1, "0.4.12.3600.1a2b.any")
    text = run("ca", "rotate", "1.5.12.3600.1a2b.3c4d")
    assert "list 2 orders rotation 5, from key 1a2b to key 3c4d, out of band" in text
    assert "reload it, and repeat" in text
    asked(run, "ca", "revoke", "b")
    raw = identityfile.load_revocations(str(tmp_path / "gossipmm-authority" / "revocations.pem"))
    read = revocations_untrusted(getattr(raw, "raw", raw))
    assert (read.number, set(read.least), read.order.text()) == (3, {"b"}, "1.5.12.3600.1a2b.3c4d")
    assert "an earlier rotation than the last" in run(
        "ca", "rotate", "0.4.12.3600.1a2b.any", status=2
    )
    assert asked(run, "ca", "show")["rotation"] == "1.5.12.3600.1a2b.3c4d"
    assert "ordered: 1.5.12.3600.1a2b.3c4d" in run("ca", "show")


def test_a_word_that_orders_nothing_is_refused_where_it_was_typed(run):
    asked(run, "ca", "init", "--cluster", "prod")
    assert "'0.4.12' orders no rotation: copy the word" in run("ca", "rotate", "0.4.12", status=2)
    assert not authorities.Authority("gossipmm-authority").ordered()
