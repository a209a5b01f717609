"""Certificates and revocations: exact bytes, limits, and a name for each thing that is wrong."""

from __future__ import annotations

import cbor2
import pytest

from gossipmm.core.identity.certificates import (
    GRACE,
    MAX_CERTIFICATE,
    MAX_GLOBS,
    Certificate,
    Wanted,
    certificate_untrusted,
    encode_certificate,
    glob_matches,
)
from gossipmm.core.identity.keys import Ed25519Signer, key_id, verify_ed25519
from gossipmm.core.identity.revocations import (
    MAX_REVOCATIONS,
    Revocations,
    encode_revocations,
    revocations_untrusted,
)
from gossipmm.core.identity.sign1 import seal
from gossipmm.core.values.fault import Fault
from gossipmm.core.wire.pages import MAX_PAGE
from gossipmm.errors import IdentityError
from gossipmm.text.certificates import FAULTS, what_to_do

AUTHORITY = Ed25519Signer.from_seed(bytes(range(32)))
OTHER = Ed25519Signer.from_seed(bytes(range(1, 33)))
NODE = Ed25519Signer.from_seed(bytes(range(2, 34)))
AUTHORITIES = (AUTHORITY.public,)


def issue(signer=AUTHORITY, **changes):
    claims = {
        "name": "b",
        "cluster": "test",
        "public": NODE.public,
        "issue": 7,
        "not_before": 1_000_000,
        "expires": 2_000_000,
    }
    return encode_certificate(signer, Wanted(**(claims | changes)))


def read(raw):
    found = certificate_untrusted(raw)
    assert isinstance(found, Certificate), found
    return found


def test_ed25519_and_the_signed_structure_are_those_of_the_cose_working_group():
    """github.com/cose-wg/Examples, eddsa-sig-01: key, Sig_structure and signature."""
    signer = Ed25519Signer.from_seed(
        bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    )
    text = bytes.fromhex(
        "846a5369676e61747572653145a2012703004054546869732069732074686520636f6e74656e742e"
    )
    signature = bytes.fromhex(
        "7142fd2ff96d56db85bee905a76ba1d0b7321a95c8c4d3607c5781932b7afb87"
        "11497dfa751bf40b58b3bcc32300b1487f3db34085eef013bf08f4a44d6fef0d"
    )
    assert cbor2.dumps(["Signature1", b"\xa2\x01\x27\x03\x00", b"", b"This is the content."]) == (
        text
    )
    assert signer.sign(text) == signature
    assert verify_ed25519(signer.public, text, signature)


def test_the_bytes_of_a_certificate():
    """A CWT (RFC 8392) with cnf (RFC 8747) in an untagged COSE_Sign1, and nothing else [P160]."""
    made = issue(topics=["compute*"], networks=["10.0.0.0/8"])
    protected, unprotected, payload, signature = cbor2.loads(made.raw)
    assert cbor2.loads(protected) == {1: -8, 4: bytes.fromhex(key_id(AUTHORITY.public))}
    assert unprotected == {}
    assert cbor2.loads(payload) == {
        2: "b",
        3: "test",
        4: 2_000_000,
        5: 1_000_000,
        8: {1: {1: 1, -1: 6, -2: NODE.public}},
        -70001: 7,
        -70002: ["compute*"],
        -70003: ["10.0.0.0/8"],
    }
    text = cbor2.dumps(["Signature1", protected, b"", payload])
    assert verify_ed25519(AUTHORITY.public, text, signature)
    assert read(made.raw) == made
    assert len(issue().raw) == 155
    assert len(made.raw) == 155 + (5 + 1 + 9) + (5 + 1 + 11)


def test_each_thing_that_is_wrong_has_its_own_name():
    made = issue()
    assert made.why_not_authentic("test", AUTHORITIES, verify_ed25519) is None
    assert made.why_not_authentic("test", (OTHER.public, AUTHORITY.public), verify_ed25519) is None
    assert made.why_not_authentic("prod", AUTHORITIES, verify_ed25519) is Fault.FOREIGN_CLUSTER
    strangers = (OTHER.public,)
    assert made.why_not_authentic("test", strangers, verify_ed25519) is Fault.FOREIGN_AUTHORITY
    assert made.why_not_authentic("test", (), verify_ed25519) is Fault.FOREIGN_AUTHORITY
    forged = read(made.raw[:-1] + bytes((made.raw[-1] ^ 1,)))
    assert forged.why_not_authentic("test", AUTHORITIES, verify_ed25519) is Fault.BAD_SIGNATURE
    longer = read(made.raw.replace(b"\x04\x1a\x00\x1e\x84\x80", b"\x04\x1a\x00\x1e\x84\x81"))
    assert longer.expires == made.expires + 1
    assert longer.why_not_authentic("test", AUTHORITIES, verify_ed25519) is Fault.BAD_SIGNATURE


def test_a_certificate_counts_from_five_minutes_before_to_five_minutes_after_its_time():
    """[P161]."""
    made = issue()
    assert made.why_not_now(made.not_before - GRACE - 1) is Fault.NOT_YET_VALID
    assert made.why_not_now(made.not_before - GRACE) is None
    assert made.why_not_now(made.expires + GRACE - 1) is None
    assert made.why_not_now(made.expires + GRACE) is Fault.EXPIRED
    assert made.why_not_now(made.expires, grace=0) is Fault.EXPIRED


def test_all_that_is_cut_off_is_called_so():
    raw = issue(topics=["x" * 90, "y" * 90, "z" * 90]).raw
    assert len(raw) > 256  # both sizes of heads
    for size in range(len(raw)):
        assert certificate_untrusted(raw[:size]) is Fault.TRUNCATED, size


def test_a_certificate_has_one_encoding():
    """Any holder can repeat it, so no liar may be able to write it another way [P160].

    Two digests of one version would look as if its owner had said two things.
    """
    raw = issue().raw
    head = raw.index(b"\xa0")
    size = raw[head + 2]
    longer_head = raw[: head + 1] + b"\x59\x00" + bytes((size,)) + raw[head + 3 :]
    unprotected = raw[:head] + b"\xa1\x04\x41\x31" + raw[head + 1 :]
    for written in (longer_head, unprotected, raw + b"\x00", b"\xd2" + raw, b"\x85" + raw[1:]):
        assert certificate_untrusted(written) is Fault.MALFORMED


@pytest.mark.parametrize(
    "changes",
    [
        {2: ""},
        {2: b"b"},
        {2: "b\n"},
        {2: "b" * 65},
        {3: None},
        {4: 1_000_000},
        {4: 2_000_000.0},
        {4: 1 << 60},
        {5: -1},
        {5: True},
        {8: None},
        {8: {1: {1: 1, -1: 6, -2: bytes(31)}}},
        {8: {1: {1: 2, -1: 6, -2: bytes(32)}}},
        {8: {1: {1: 1, -1: 4, -2: bytes(32)}}},
        {-70001: 0},
        {-70001: 1 << 32},
        {-70002: "compute"},
        {-70002: [""]},
        {-70002: [1]},
        {-70002: ["x"] * (MAX_GLOBS + 1)},
        {-70003: ["10.0.0.1/8"]},
        {-70003: [10]},
        {-70003: ["::/0"] * 17},
    ],
)
def test_claims_of_another_form_are_refused(changes):
    claims = cbor2.loads(cbor2.loads(issue().raw)[2])
    assert isinstance(certificate_untrusted(seal(claims, AUTHORITY)), Certificate)
    assert certificate_untrusted(seal(claims | changes, AUTHORITY)) is Fault.MALFORMED
    for claim in (2, 3, 4, 5, 8, -70001):
        less = {key: value for key, value in claims.items() if key != claim}
        assert certificate_untrusted(seal(less, AUTHORITY)) is Fault.MALFORMED
    assert certificate_untrusted(seal(claims | {99: "later"}, AUTHORITY)) != Fault.MALFORMED


def test_what_cannot_be_issued_is_refused_in_words():
    for changes, words in (
        ({"name": ""}, "node name must not be empty"),
        ({"cluster": "x" * 65}, "takes 65 bytes"),
        ({"topics": [""]}, "write it like 'compute\\*'"),
        ({"topics": [f"t{index}" for index in range(17)]}, "17 globs"),
        ({"networks": ["10.0.0.1/8"]}, "write it like 10.0.0.0/8"),
        ({"networks": [f"10.{index}.0.0/16" for index in range(17)]}, "17 networks"),
        ({"topics": [f"{index:090}" for index in range(9)]}, "name fewer topics or networks"),
        ({"expires": 1_000_000}, "is none that could be read"),
        ({"public": b"short"}, "key of 5 bytes"),
    ):
        with pytest.raises(IdentityError, match=words):
            issue(**changes)


def test_the_largest_certificate_fits_into_its_page():
    name = "ü" * 32
    page = [name, (1 << 60), 0xFFFF, 0xFFFE_FFFF, bytes(MAX_CERTIFICATE)]
    assert len(cbor2.dumps(page)) <= MAX_PAGE
    assert certificate_untrusted(bytes(MAX_CERTIFICATE + 1)) is Fault.TOO_LARGE


@pytest.mark.parametrize(
    ("glob", "matching", "others"),
    [
        ("compute", ["compute"], ["compute1", "Compute", ""]),
        ("compute*", ["compute", "compute_az1"], ["comput", "xcompute"]),
        ("*", ["", "anything"], []),
        ("*_az1", ["_az1", "x_az1"], ["_az2", "az1"]),
        ("a*b*c", ["abc", "aXbXc", "abbcc"], ["acb", "ac", "abcd"]),
        ("a*a", ["aa", "aba"], ["a"]),
        ("a?[b]", ["a?[b]"], ["axb", "a?b"]),
    ],
)
def test_a_star_is_any_run_of_characters_and_nothing_else_is_special(glob, matching, others):
    assert all(glob_matches(glob, text) for text in matching)
    assert not any(glob_matches(glob, text) for text in others)


def test_no_glob_takes_long():
    """``fnmatch`` makes a regular expression of it, some of which take years."""
    assert not glob_matches("*a" * 50 + "b", "a" * 10_000)


def test_topics_and_networks_that_a_certificate_names_and_no_others():
    anything = issue()
    assert anything.allows_topic("compute")
    assert anything.allows_host("192.0.2.1")
    narrow = issue(topics=["compute*", "volume"], networks=["10.0.0.0/8", "2001:db8::/32"])
    assert narrow.allows_topic("compute_az1")
    assert not narrow.allows_topic("network")
    assert narrow.allows_host("10.1.2.3")
    assert narrow.allows_host("2001:db8::7")
    assert not narrow.allows_host("11.1.2.3")
    assert not narrow.allows_host("no address")
    assert not issue(topics=[]).allows_topic("compute")
    assert not issue(networks=[]).allows_host("10.1.2.3")


# -- revocations -----------------------------------------------------------------------------


def test_the_bytes_of_a_list_of_revocations():
    """[P162]."""
    made = encode_revocations(AUTHORITY, cluster="test", number=3, least={"b": 8})
    protected, _, payload, _ = cbor2.loads(made.raw)
    assert cbor2.loads(protected) == {
        1: -8,
        3: "gossipmm-revocations",
        4: bytes.fromhex(key_id(AUTHORITY.public)),
    }
    assert cbor2.loads(payload) == {3: "test", -70004: 3, -70005: {"b": 8}}
    assert revocations_untrusted(made.raw) == made
    assert made.why_not_authentic("test", AUTHORITIES, verify_ed25519) is None
    assert made.why_not_authentic("prod", AUTHORITIES, verify_ed25519) is Fault.FOREIGN_CLUSTER
    strangers = (OTHER.public,)
    assert made.why_not_authentic("test", strangers, verify_ed25519) is Fault.FOREIGN_AUTHORITY


def test_a_list_revokes_certificates_below_the_least_issue_of_their_name():
    made = encode_revocations(AUTHORITY, cluster="test", number=3, least={"b": 8})
    assert made.revokes(issue(issue=7))
    assert not made.revokes(issue(issue=8))
    assert not made.revokes(issue(issue=1, name="c"))


def test_neither_can_be_taken_for_the_other():
    certificate = issue()
    revocations = encode_revocations(AUTHORITY, cluster="test", number=3, least={})
    assert revocations_untrusted(certificate.raw) is Fault.MALFORMED
    assert certificate_untrusted(revocations.raw) is Fault.MALFORMED


@pytest.mark.parametrize(
    "changes",
    [
        {3: 1},
        {3: ""},
        {-70004: 0},
        {-70004: 1 << 32},
        {-70005: []},
        {-70005: {"": 1}},
        {-70005: {"b": 0}},
        {-70005: {b"b": 1}},
    ],
)
def test_lists_of_another_form_are_refused(changes):
    claims = {3: "test", -70004: 3, -70005: {"b": 8}}
    content = "gossipmm-revocations"
    assert isinstance(revocations_untrusted(seal(claims, AUTHORITY, content)), Revocations)
    assert revocations_untrusted(seal(claims | changes, AUTHORITY, content)) is Fault.MALFORMED


def test_a_list_that_is_too_long_says_what_to_do():
    least = {f"host-{number:015}": number for number in range(1, 60)}
    with pytest.raises(IdentityError, match="let some of their certificates end first"):
        encode_revocations(AUTHORITY, cluster="test", number=1, least=least)
    few = dict(list(least.items())[:35])
    made = encode_revocations(AUTHORITY, cluster="test", number=1, least=few)
    assert len(made.raw) <= MAX_REVOCATIONS


def test_the_table_of_faults_is_total():
    assert set(FAULTS) == set(Fault)
    assert all("gossipmm" in what_to_do(fault) or "clock" in what_to_do(fault) for fault in Fault)
