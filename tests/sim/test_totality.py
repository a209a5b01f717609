"""Nothing the protocol can say or count is left that no test makes happen.

Most of it happens in a score of short simulations, which are looked into here. What they do not
reach has a test of its own, named in ``BY_TEST``: an entry that is not needed fails, and so does
one whose test is gone or does not speak of it. Checks of the simulator: ``test_judges.py``.
"""

from __future__ import annotations

import ast
import re
import typing
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gossipmm.core.values import events, stats
from gossipmm.core.values.stats import Drop
from gossipmm.core.wire import frame as wire
from gossipmm.core.wire.strict import Refused
from gossipmm.mechanisms import Mechanism
from gossipmm_sim.faults import FAULTS
from gossipmm_sim.runs.run import Run
from gossipmm_sim.runs.scenario import find, scenarios
from gossipmm_sim.search.ablation import ABLATIONS
from gossipmm_sim.search.swarm import swarm

TESTS = Path(__file__).parents[1]

#: Scenarios and what is set in them; together about five seconds of one core.
RUNS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("name_service_down_at_boot", {}),
    ("staggered_reaping", {}),
    ("corrupt_bits_without_checksum", {}),
    ("a_life_i_never_lived", {}),
    ("socket_errors", {}),
    ("a_heartbeat_i_never_issued", {"what": "max_counter"}),
    ("address_taken_over_by_another_node", {}),
    ("leave_then_stale_alive", {}),
    (
        "deleted_then_really_back",
        {"faults": ("crash at=1 on=3", "restart at=40 on=3 lose_state=true wall=-3600")},
    ),
    ("members_that_do_not_exist", {}),
    ("paused_node_does_not_accuse", {"length": 3}),
    ("join_wrong_cluster", {}),
    ("ttl_expires", {}),
    ("restart_with_the_clock_stepped_back", {}),
    ("flood", {}),
    ("a_page_in_my_name", {"what": "left"}),
    ("key_rotation_half_way_with_restarts", {}),
    ("insider_jumps_counters", {}),
    ("late_joiner_learns_small_records_first", {}),
    ("insider_accuses_everybody", {"max_accusations": 8}),
    ("every_path_drops_what_is_large", {}),
    ("a_name_is_claimed", {}),
    ("a_name_is_claimed", {"ahead": 0}),
)

#: What no run above makes happen -> the test that does: (file, function).
BY_TEST: dict[str, tuple[str, str]] = {
    "Drop.BAD_EVENT": (
        "core/test_user_events.py",
        "test_forged_and_senseless_events_are_refused",
    ),
    "Drop.EVENT_JUMP": (
        "core/test_user_events.py",
        "test_forged_and_senseless_events_are_refused",
    ),
    "Drop.OWN_EVENT": (
        "core/test_user_events.py",
        "test_a_node_goes_on_above_a_number_used_in_its_name",
    ),
    "Drop.EVENT_RATE": (
        "core/test_user_events.py",
        "test_a_sender_without_a_door_is_held_to_its_budget_by_everybody",
    ),
    "UserEvent": (
        "core/test_user_events.py",
        "test_an_event_reaches_all_members_once_its_sender_included",
    ),
    "UserEventsLost": (
        "core/test_user_events.py",
        "test_without_exchanges_lost_events_stay_lost_and_that_is_told",
    ),
    "UserEventsRefused": (
        "core/test_user_events.py",
        "test_a_sender_without_a_door_is_held_to_its_budget_by_everybody",
    ),
    "OPT_EVENTS": (
        "core/test_user_events.py",
        "test_nothing_costs_a_byte_before_the_first_event_and_a_minute_after_the_last",
    ),
    "OPT_HELD": (
        "core/test_user_events.py",
        "test_nothing_costs_a_byte_before_the_first_event_and_a_minute_after_the_last",
    ),
    "OPT_MISSED": (
        "core/test_user_events.py",
        "test_nothing_costs_a_byte_before_the_first_event_and_a_minute_after_the_last",
    ),
    "Drop.ASKED_IN_VAIN": (
        "core/test_asked_in_vain.py",
        "test_who_was_asked_in_vain_is_asked_no_more_for_a_while",
    ),
    "Drop.CORRECTED": (
        "core/test_corrections.py",
        "test_an_older_life_is_answered_a_few_times",
    ),
    "Drop.BAD_CERTIFICATE": (
        "core/test_certified_nodes.py",
        "test_nobody_writes_the_page_of_a_certificate_for_another_one",
    ),
    "Drop.NO_CERTIFICATE": (
        "core/test_certified_nodes.py",
        "test_who_has_no_certificate_is_nobody_where_all_have_to_sign",
    ),
    "Drop.NOT_CERTIFIED": (
        "core/test_certified_nodes.py",
        "test_topics_and_addresses_outside_the_certificate_do_not_count",
    ),
    "OPT_REVOKED": (
        "core/test_revocation_lists.py",
        "test_who_holds_an_older_list_is_shown_the_newer_one",
    ),
    "Drop.BAD_SIGNATURE": (
        "core/test_signed_pages.py",
        "test_a_forgery_is_charged_ten_times_and_known_again_by_its_hash",
    ),
    "Drop.NO_STATEMENT": (
        "core/test_statements_of_life.py",
        "test_a_helper_that_lies_keeps_no_dead_host_listed",
    ),
    "Drop.OTHER_KEY": ("core/test_switches.py", "test_the_first_key_of_a_name_is_its_only_one"),
    "Drop.UNKNOWN_SIGNER": (
        "core/test_signed_pages.py",
        "test_a_page_that_comes_before_its_key_is_asked_for_again",
    ),
    "Drop.UNSIGNED": ("core/test_switches.py", "test_pages_are_judged_by_their_signatures"),
    "Equivocating": (
        "core/test_equivocation.py",
        "test_two_pages_of_one_version_are_a_proof_for_everybody",
    ),
    "IdentityConflict": (
        "core/test_signed_pages.py",
        "test_a_second_key_of_a_name_is_refused_and_said_once",
    ),
    "OPT_LIFE": (
        "core/test_statements_of_life.py",
        "test_an_honest_helper_brings_what_the_target_signed",
    ),
    "OPT_SIGN": (
        "core/test_statements_of_life.py",
        "test_exchanges_are_rarely_signed_once_all_pins_are_firm",
    ),
    "DrainAsked": (
        "core/test_questions.py",
        "test_nobody_is_drained_unless_its_configuration_says_so",
    ),
    "Drop.ANSWERS": ("core/test_bytes_of_answers.py", "test_few_bytes_do_not_bring_many"),
    "Drop.DISTANCE_FAR": (
        "core/test_distances.py",
        "test_a_member_far_from_where_it_says_to_be_moves_nobody",
    ),
    "Drop.DISTANCE_FAST": (
        "core/test_distances.py",
        "test_a_member_that_jumps_about_while_it_is_sure_of_itself_is_not_followed",
    ),
    "Drop.CHANGES": (
        "core/test_changes_of_one.py",
        "test_that_it_left_is_believed_of_who_changed_too_much",
    ),
    "Drop.MAX_ACCUSATIONS": (
        "core/test_limits.py",
        "test_one_accuser_holds_only_so_many_suspect",
    ),
    "Drop.QUESTION_RATE": (
        "core/test_questions.py",
        "test_who_asks_without_end_is_answered_that_it_does",
    ),
    "OPT_ASK": ("core/test_questions.py", "test_many_are_asked_some_at_a_time"),
    "OPT_TOLD": ("core/test_questions.py", "test_a_member_says_how_it_is"),
    "Drop.BAD_OPTION": ("core/test_strict.py", "test_known_options_have_a_type_and_a_range"),
    "Drop.BAD_PAGE": (
        "core/test_hostile.py",
        "test_bad_pages_are_counted_one_by_one_and_the_good_ones_kept",
    ),
    "Drop.BROADCAST_BUDGET": (
        "core/test_news.py",
        "test_the_budget_of_bytes_is_kept_and_what_finds_no_room_is_left_to_the_exchanges",
    ),
    "Drop.BEHIND_WINDOW": ("core/test_sessions.py", "test_the_window_does_what_a_set_would"),
    "Drop.CLOSED_FORGOTTEN": (
        "core/test_table.py",
        "test_closed_generations_are_bounded_the_oldest_goes_first_and_is_counted",
    ),
    "Drop.LATE_CHALLENGE": (
        "core/test_proving.py",
        "test_what_was_sent_to_one_node_cannot_be_played_to_another",
    ),
    "Drop.MAX_RECORD": ("core/test_limits.py", "test_a_record_has_at_most_so_many_bytes"),
    "Drop.MAX_REGISTRATIONS": (
        "core/test_table.py",
        "test_registrations_beyond_the_limit_are_refused_page_by_page",
    ),
    "Drop.MAX_TABLE": (
        "core/test_limits.py",
        "test_the_table_has_at_most_so_many_bytes_and_the_own_record_is_free",
    ),
    "Drop.NOT_ALLOWED": (
        "core/test_admission.py",
        "test_a_node_reads_nothing_from_outside_its_networks_and_no_record_that_points_there",
    ),
    "Drop.NOT_ENCRYPTED": ("core/test_envelope.py", "test_plain_and_sealed_say_so_to_each_other"),
    "Drop.OWN_LEFT": (
        "core/test_identity.py",
        "test_what_is_false_of_this_node_is_counted_and_answered_by_a_new_life",
    ),
    "Drop.PEER_RATE": ("core/test_admission.py", "test_a_member_has_a_budget_too"),
    "Drop.SEND_TOO_LARGE": (
        "core/test_small_datagrams.py",
        "test_a_datagram_above_the_link_is_counted_apart",
    ),
    "Drop.TOO_LARGE": (
        "core/test_strict.py",
        "test_what_is_larger_than_any_datagram_of_ours_is_refused_unread",
    ),
    "Drop.UNKNOWN_SENDER": (
        "core/test_slim.py",
        "test_a_fresh_life_at_that_address_is_asked_again_in_full",
    ),
    "ServiceChanged": (
        "services/test_engine.py",
        "test_every_change_is_an_event_on_the_own_agent_alone",
    ),
    "Drop.TOO_OLD": ("core/test_closing.py", "test_what_is_older_than_reap_after_is_not_accepted"),
    "Drop.UNKNOWN_KIND": ("core/test_hostile.py", "test_a_refused_datagram_changes_nothing"),
    "Drop.VERSION": ("core/test_hostile.py", "test_a_refused_datagram_changes_nothing"),
    "OPT_AHEAD": (
        "core/test_later_lives.py",
        "test_who_begins_in_the_future_is_told_that_it_is_not_admitted",
    ),
    "OPT_BRIDGE": (
        "core/test_bridges.py",
        "test_a_helper_that_reaches_the_target_by_another_one_only_says_by_whom",
    ),
    "OPT_EXPIRE": (
        "core/test_index.py",
        "test_expire_hides_a_registration_here_until_its_owner_writes_it_anew",
    ),
    "OPT_RELAY": (
        "core/test_queries.py",
        "test_nobody_passes_on_what_is_asked_in_the_name_of_others",
    ),
    "OPT_RELAYED": (
        "core/test_queries.py",
        "test_answers_that_nobody_asked_for_are_neither_taken_nor_passed_on",
    ),
    "OPT_WHERE": (
        "core/test_distances.py",
        "test_anything_but_eight_bytes_is_refused_as_an_option",
    ),
    "OPT_KEY": ("transcripts/scenes.py", "a_key_is_rotated"),
    "stats.conflicts": (
        "core/test_identity.py",
        "test_a_name_used_twice_is_an_event_on_both_sides_with_both_addresses",
    ),
    "stats.digests_truncated": (
        "core/test_reconcile.py",
        "test_what_does_not_fit_goes_with_the_next_ones_from_a_random_bucket_on",
    ),
    "stats.impaired": (
        "core/test_egress.py",
        "test_a_node_that_is_hardly_heard_is_in_no_lookup_and_comes_back_when_it_is",
    ),
    "AddressChanged": (
        "core/test_identity.py",
        "test_a_change_of_address_within_a_life_is_an_event",
    ),
    "KeyRotation": (
        "core/test_rotation.py",
        "test_one_call_changes_the_key_of_all_and_nobody_is_lost",
    ),
    "KeyWanted": (
        "core/test_rotation.py",
        "test_out_of_band_the_key_comes_from_each_file_and_never_by_gossip",
    ),
    "KeysChanged": ("transcripts/scenes.py", "a_key_is_rotated"),
    "MemberCrashLooping": (
        "core/test_crash_loops.py",
        "test_it_waits_longer_each_time_and_is_told_of_once",
    ),
    "MemberImpaired": (
        "core/test_egress.py",
        "test_a_node_that_is_hardly_heard_is_in_no_lookup_and_comes_back_when_it_is",
    ),
    "NameConflict": (
        "core/test_identity.py",
        "test_a_name_used_twice_is_an_event_on_both_sides_with_both_addresses",
    ),
    "NotAdmitted": (
        "core/test_capacity.py",
        "test_who_is_refused_is_told_why_and_both_sides_say_so_once",
    ),
    "RotationUnordered": (
        "core/test_rotation_orders.py",
        "test_a_rotation_that_one_member_begins_is_taken_part_in_by_nobody",
    ),
    "SelfSuspected": (
        "core/test_moving.py",
        "test_who_is_suspected_ten_times_in_a_minute_says_so_once_and_takes_it_back",
    ),
    "SelfImpaired": (
        "core/test_egress.py",
        "test_a_node_that_is_hardly_heard_is_in_no_lookup_and_comes_back_when_it_is",
    ),
}


def everything() -> dict[str, set[str]]:
    """What there is, by kind."""
    return {
        "reasons of drops": {f"Drop.{one.name}" for one in Drop},
        "options": {name for name in vars(wire) if name.startswith("OPT_")},
        "counters": {f"stats.{name}" for name in stats._COUNTERS},
        "events": {one.__name__ for one in typing.get_args(events.Event)},
    }


@cache
def reached() -> frozenset[str]:
    """What happened in the runs."""
    by_value = {one.value: f"Drop.{one.name}" for one in Drop}
    options = {getattr(wire, name): name for name in vars(wire) if name.startswith("OPT_")}
    found: set[str] = set()

    def look(host: Any, data: bytes, _: object) -> None:
        try:
            frame = wire.decode_untrusted(data, wire.cluster_tag(host.config.cluster))
        except Refused:
            return  # sealed, or an attacker's
        found.update(options[one] for one in frame.options if one in options)

    for name, settings in RUNS:
        run = Run(find(name).with_settings(settings), 7)
        run.cluster.network.tap = look
        result = run.execute()
        assert result.ok, f"{name}: {result.failures}"
        for figure, value in result.figures.items():
            kind, _, what = figure.partition(".")
            if value and kind in ("dropped", "core", "events"):
                found.add(
                    by_value[what]
                    if kind == "dropped"
                    else f"stats.{what}"
                    if kind == "core"
                    else what
                )
    return frozenset(found)


@pytest.mark.parametrize("kind", everything())
def test_all_of_it_happens_in_a_run_or_in_a_test(kind):
    missing = everything()[kind] - reached() - BY_TEST.keys()
    assert not missing, f"{kind} that no test makes happen: {sorted(missing)}"


def test_no_entry_is_for_what_happens_anyway_or_is_gone():
    known = set().union(*everything().values())
    assert not {one for one in BY_TEST if one in reached() or one not in known}


@pytest.mark.parametrize("what", BY_TEST)
def test_the_test_that_is_named_is_there_and_speaks_of_it(what):
    file, function = BY_TEST[what]
    text = (TESTS / file).read_text()
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    defined = {one.name for one in ast.walk(ast.parse(text)) if isinstance(one, kinds)}
    assert function in defined
    assert what in text


def test_each_mechanism_can_be_switched_off_and_is_missed():
    by_switch = (TESTS / "core/test_switches.py").read_text()
    by_distance = (TESTS / "core/test_distances.py").read_text()
    missing = [
        one
        for one in Mechanism
        if one not in ABLATIONS
        and f"mesh(Mechanism.{one.name}" not in by_switch
        and f"frozenset({{Mechanism.{one.name}}})" not in by_distance
    ]
    # Of a late node the other hold is switched off as well, so it builds its own.
    assert missing == [Mechanism.LATE_HOLD]
    assert "{Mechanism.LATE_HOLD}" in by_switch


def test_each_kind_of_fault_is_used():
    """By a scenario, the swarm or an ablation; or a test of the simulator has it as text."""
    texts = [text for one in (*scenarios().values(), *variants()) for text in one.faults]
    texts += [text for one in ABLATIONS.values() for text in one.scenario.faults]
    texts += [text for seed in range(200) for text in swarm(seed).faults]
    used = {text.split()[0] for text in texts}
    sources = "".join(path.read_text() for path in (TESTS / "sim").glob("test_*.py"))
    used |= {kind for kind in FAULTS if re.search(rf"""["']{kind}[ "']""", sources)}
    assert set(FAULTS) - used == set()


def variants():
    return [
        one.with_settings(settings) for one in scenarios().values() for settings in one.variants
    ]
