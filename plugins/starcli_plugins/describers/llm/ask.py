"""Asking a language model: every question once, unusable answers again, all answers kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from starcli.contracts import DescriberContext
from starcli.errors import RemoteError
from starcli_plugins.describers.llm.cache import Answers
from starcli_plugins.describers.llm.prompts import Message, Question

REASKS = 2
"""How often an unusable answer is asked for again."""
SHOWN = 3
"""Failures that a message lists before it says how many more there are."""
QUOTED = 2000
"""Characters of an unusable answer that the model is shown again."""


@dataclass(frozen=True)
class Reply:
    """An answer of a language model.

    Args:
        text: Its answer, empty where it gave none.
        cut: Whether it was stopped by the limit of tokens.
        model: What it calls itself.
        raw: All that came, as it came.
    """

    text: str
    cut: bool
    model: str
    raw: str


class Model(Protocol):
    """A language model that answers questions."""

    tokens: int
    """Most tokens of an answer."""

    def request(
        self, question: Question, messages: Sequence[Message], tokens: int
    ) -> dict[str, Any]:
        """All that determines the answer, as JSON."""

    def ask(self, request: Mapping[str, Any]) -> Reply:
        """The answer.

        Raises:
            CancelledError: `stop` was called.
        """

    def stop(self) -> None:
        """Begin nothing more, and end every wait: the run ends before its time."""


def key_of(model: Model, question: Question) -> str:
    """The name that the answer to a question is kept under: a hash of the request."""
    request = model.request(question, question.messages, model.tokens)
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:32]


def unasked(model: Model, questions: Sequence[Question], answers: Answers) -> list[Question]:
    """The questions whose answers are not kept yet."""
    return [q for q in questions if answers.get(key_of(model, q)) is None]


def ask_all(
    model: Model, questions: Sequence[Question], context: DescriberContext, workers: int = 1
) -> Answers:
    """Get an answer to every question.

    Args:
        model: Who is asked.
        questions: What is asked.
        context: Where answers are kept, and who is told.
        workers: Questions at a time.

    Raises:
        RemoteError: The model cannot be asked, or had no usable answer to some question; every
            other answer is kept.
    """
    answers = Answers(context.folder)
    waiting = unasked(model, questions, answers)
    failed: dict[Question, str] = {}
    done = len(questions) - len(waiting)
    context.progress.update("ask", done, len(questions))
    pool = ThreadPoolExecutor(workers)
    try:
        futures = {pool.submit(_first_fault_stops, model, q, answers): q for q in waiting}
        for number, future in enumerate(as_completed(futures), done + 1):
            with suppress(CancelledError):  # another one failed, which says why
                problem = future.result()
                if problem is not None:
                    failed[futures[future]] = problem
            context.progress.update("ask", number, len(questions))
    except BaseException:
        model.stop()
        raise
    finally:
        # Requests that are under way are paid for: their answers are waited for and kept.
        pool.shutdown(cancel_futures=True)
    if failed:
        raise _failure([(q, failed[q]) for q in questions if q in failed])
    return answers


def _first_fault_stops(model: Model, question: Question, answers: Answers) -> str | None:
    """As `_answer`; where it fails for good, no worker begins another question."""
    try:
        return _answer(model, question, answers)
    except BaseException:
        model.stop()
        raise


def _answer(model: Model, question: Question, answers: Answers) -> str | None:
    """Ask until an answer can be used and keep it; else what is wrong with the last one."""
    messages, tokens, problem = question.messages, model.tokens, ""
    for _ in range(1 + REASKS):
        reply = model.ask(model.request(question, messages, tokens))
        try:
            if reply.cut:
                raise ValueError(f"it was cut after {tokens} tokens")
            texts = question.read(reply.text)
        except ValueError as error:
            problem = str(error)
            tokens = 2 * model.tokens if reply.cut else tokens
            messages = [*question.messages, *_again(reply, problem)]
            continue
        date = datetime.now(UTC).isoformat(timespec="seconds")
        answers.add(
            key_of(model, question),
            {
                "action": question.action,
                "texts": texts,
                "model": reply.model,
                "date": date,
                "messages": messages,
                "raw": reply.raw,
            },
        )
        return None
    return problem


def _again(reply: Reply, problem: str) -> list[Message]:
    request = f"That cannot be used: {problem}. Answer again, as asked at first."
    answer = [{"role": "assistant", "content": reply.text[:QUOTED]}] if reply.text else []
    return [*answer, {"role": "user", "content": request}]


def _failure(failed: Sequence[tuple[Question, str]]) -> RemoteError:
    lines = [f"class '{q.action}', {' and '.join(q.parts)}: {problem}" for q, problem in failed]
    more = f"; and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    return RemoteError(
        f"no usable answer in {1 + REASKS} tries: {'; '.join(lines[:SHOWN])}{more}",
        "run the same command again to ask for these alone, or use another model",
    )


def collect(
    model: Model,
    questions: Sequence[Question],
    answers: Answers,
    actions: Sequence[str],
    parts: Sequence[str],
) -> list[dict[str, str]]:
    """The kept answers as texts: for each action, part -> text.

    Args:
        model: Who was asked.
        questions: What was asked.
        answers: The answers to all of it.
        actions: Names of the actions.
        parts: Names of the parts.
    """
    texts: dict[str, dict[str, str]] = {action: {} for action in actions}
    for question in questions:
        record = answers.get(key_of(model, question))
        assert record is not None
        texts[question.action] |= record["texts"]
    return [{part: texts[action][part] for part in parts} for action in actions]
