"""Answers out of bytes, cut anywhere."""

import pytest

from gossipmm.client.http11 import AnswerReader, request
from gossipmm.errors import ControlError

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Type: x\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    b"3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n"
)


@pytest.mark.parametrize("answer", [LENGTH, CHUNKED, b"HTTP/1.1 100 Continue\r\n\r\n" + LENGTH])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 1000])
def test_an_answer_in_pieces(answer, size):
    reader = AnswerReader()
    body = b""
    for start in range(0, len(answer), size):
        assert not reader.complete
        reader.feed(answer[start : start + size])
        body += b"".join(reader.body())
    assert (reader.status, body, reader.complete) == (200, b"hello", True)
    assert reader.keeps is (answer is not CHUNKED)


def test_an_answer_without_content():
    reader = AnswerReader()
    reader.feed(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert (list(reader.body()), reader.complete, reader.keeps) == ([], True, True)


@pytest.mark.parametrize(
    "nonsense",
    [
        *(b"SSH-2.0-OpenSSH_9\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"x" * 70_000),
        *(b"HTTP/1.1 \xb2\xb2\xb2 x\r\n\r\n", b"HTTP/1.1 2\r\n\r\n", b"HTTP/1.1 200x\r\n\r\n"),
        *(
            b"HTTP/1.1 200 x\r\ncontent-length: " + size + b"\r\n\r\n"
            for size in (b"-5", b"x", b"+5")
        ),
    ],
)
def test_what_is_no_answer(nonsense):
    """A superscript two is a digit to str.isdigit(): ValueError, not what programs catch."""
    with pytest.raises(ControlError, match="not an agent"):
        AnswerReader().feed(nonsense)


@pytest.mark.parametrize("size", [b"x", b"-5", b"+5", b"0x5", b"1_0", b"", b" "])
def test_a_chunk_of_no_size_is_no_answer(size):
    """ValueError for the first; for the second a body that went on for ever."""
    reader = AnswerReader()
    reader.feed(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + size + b"\r\nhello\r\n")
    with pytest.raises(ControlError, match="not an agent"):
        list(reader.body())


def test_however_many_interim_answers_come_first():
    """Each took a level of recursion: a thousand in one piece ended the program."""
    reader = AnswerReader()
    reader.feed(b"HTTP/1.1 100 Continue\r\n\r\n" * 3000 + LENGTH)
    assert (reader.status, list(reader.body())) == (200, [b"hello"])


def test_requests():
    assert request("GET", "/x", None) == b"GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n"
    assert request("POST", "/x", None).endswith(b"content-length: 0\r\n\r\n")
    assert request("PUT", "/x", b"{}").endswith(b"content-length: 2\r\n\r\n{}")
