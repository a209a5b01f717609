"""Parameters and reasons that several verbs share."""

from __future__ import annotations

from gossipmm.verbs.verb import Differs, Face

PAIR = "topic: str, host: str"
NAMED = "topic: str, host: str | None = None"
OPTIONS = (
    "metadata: Mapping[str, Any] | None = None, *, ttl: float | None = None, draining: bool = False"
)
CHOSEN = "topic: str | None = None, host: str | None = None"
REGISTRATION = "/v1/registrations/{topic}/{host}"

NO_DEFAULT = Differs("the core takes every host by its name", takes=PAIR)
CLASSICAL = Differs("names that callers use since 2012", takes="key: str, host: str")
ONE_LINE = "a line of text has no room for options"
OWN_NAME = Differs("left out: this node, as for register", takes=NAMED)

BY_STATUS = "in status"
BY_LIST = "in the list of members"
ASK_AGENT = "answers keys; its agent (mm.agent) has the rest"
ASK_MATCHMAKER = "the agent alone; MatchMakerGossip, which opens one, answers keys"
ASK_TABLE = "reads the table itself (host.table, node.table)"
ASK_CORE = "a test asks the core (host.core, host.call)"
ENTRY = "an entry of the topic; for programs that read it with each message"
OWN_CLOCK = "a face without values of the agent's clock: it shows ages"
REMOTE_ACK = "ack_alive of a registration of this agent renews it"

NOT_FOR_KEYS = {Face.NODE: ASK_TABLE, Face.THREAD: ASK_MATCHMAKER, Face.CHILD: ASK_MATCHMAKER}
IN_STATUS = {
    Face.MATCHMAKER: ASK_AGENT,
    Face.HTTP: BY_STATUS,
    Face.COMMAND: BY_STATUS,
    Face.CONSOLE: "gossipmm status, from another terminal",
    Face.SIMULATOR: ASK_CORE,
}
INSIDE_ONLY = {
    Face.MATCHMAKER: ASK_AGENT,
    Face.HTTP: OWN_CLOCK,
    Face.COMMAND: OWN_CLOCK,
    Face.CONSOLE: OWN_CLOCK,
}
