"""Client of OpenAI-compatible servers: one request at a time, with retries, secrets never shown.

The retries of the `openai` package are off: they can be neither shown nor ended.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from threading import Event, Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr, ValidationError

from starcli.contracts import Progress
from starcli.errors import MissingError, RemoteError
from starcli_plugins.describers.llm.ask import Reply
from starcli_plugins.describers.llm.prompts import Message, Question, clean

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAI

    from starcli_plugins.describers.chat import Chat

FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
"""Seconds before the second try, which double with every further one, and their limit."""
SHOWN = 200
"""Characters of a server's complaint that are shown."""
RAW = 100_000
"""Characters of an answer that are kept as they came."""
AGAIN = "answers that came are kept; run the same command again"


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Completion(BaseModel):
    """What is read of an answer; servers add much of their own."""

    model: str = ""
    choices: list[_Choice]


class Endpoint:
    """Client of an OpenAI-compatible server, with retries.

    Args:
        settings: Server, model, way of asking.
        key: What it knows the user by; None where it needs none.
        progress: Told about waits.
    """

    def __init__(self, settings: Chat.Settings, key: SecretStr | None, progress: Progress) -> None:
        self.settings, self.tokens = settings, settings.max_tokens
        self._key, self._progress = key, progress
        self._lock, self._stopped = Lock(), Event()

    def request(
        self, question: Question, messages: Sequence[Message], tokens: int
    ) -> dict[str, Any]:
        """The body of a request."""
        body: dict[str, Any] = {
            "model": self.settings.model,
            "messages": list(messages),
            "temperature": self.settings.temperature,
            "seed": self.settings.seed,
            "max_tokens": tokens,
        }
        if question.structured:
            form = {"name": "part_texts", "strict": True, "schema": question.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        return body

    def ask(self, request: Mapping[str, Any]) -> Reply:
        """The server's answer; tried again where it is busy or away.

        Raises:
            RemoteError: It refuses, stays away, or answers something else than JSON.
        """
        create = self._client.chat.completions.with_raw_response.create
        from openai import APIConnectionError, APIStatusError

        for number in range(1, self.settings.tries + 1):
            if self._stopped.is_set():
                raise CancelledError
            try:
                return self._reply(create(**request).http_response.content)
            except APIStatusError as error:
                refusal = self._refusal(error)
                if refusal is not None:
                    raise refusal from None
                wait, reason = _retry_after(error), f"answered {error.status_code}"
            except APIConnectionError as error:
                wait, reason = None, _reason(error, self.settings.timeout)
            if number < self.settings.tries:
                self._wait(number, wait)
        raise RemoteError(f"{self.settings.base_url} {reason}, {number} tries", AGAIN)

    def stop(self) -> None:
        """Send nothing more, and end every wait."""
        self._stopped.set()

    def pause(self, seconds: float) -> None:
        """Wait, visibly, until it is over or `stop` is called."""
        for second in range(math.ceil(seconds)):
            with self._lock:
                self._progress.update(f"wait for {self._host}", second, math.ceil(seconds))
            if self._stopped.wait(min(1.0, seconds - second)):
                raise CancelledError

    @property
    def _host(self) -> str:
        return urlsplit(self.settings.base_url).netloc

    @cached_property
    def _client(self) -> OpenAI:
        try:
            from openai import DefaultHttpxClient, OpenAI
        except ImportError as error:
            raise MissingError(
                "the describer 'chat' needs the package openai", "pip install 'starcli[chat]'"
            ) from error
        return OpenAI(
            api_key=self._key.get_secret_value() if self._key else "none",
            base_url=self.settings.base_url,
            timeout=self.settings.timeout,
            max_retries=0,  # our own waits can be seen and interrupted, and have a limit
            http_client=DefaultHttpxClient(follow_redirects=False),
        )

    def _wait(self, number: int, wait: float | None) -> None:
        if wait is not None and wait > self.settings.max_wait:
            raise RemoteError(
                f"{self.settings.base_url} asks to wait {wait:.0f} s",
                f"raise describer.max_wait, or wait; {AGAIN}",
            )
        usual = min(FIRST_WAIT * 2 ** (number - 1), LONGEST_WAIT) * random.Random().uniform(0.75, 1)
        self.pause(usual if wait is None else wait)

    def _reply(self, data: bytes) -> Reply:
        raw = self._without_key(data.decode("utf-8", "replace"))
        try:
            completion = _Completion.model_validate_json(raw)
        except ValidationError as error:
            kind = "no JSON" if error.errors()[0]["type"] == "json_invalid" else "no chat answer"
            raise RemoteError(
                f"{self.settings.base_url} did not answer as a chat server does: {kind}",
                "check describer.base_url, which usually ends in /v1",
            ) from None
        choice = completion.choices[0] if completion.choices else _Choice(message=_Message())
        model = clean(completion.model) or self.settings.model
        return Reply(
            choice.message.content or "", choice.finish_reason == "length", model, raw[:RAW]
        )

    def _refusal(self, error: APIStatusError) -> RemoteError | None:
        """Why there is no use in trying again; None where there is."""
        url, status = self.settings.base_url, error.status_code
        if status in (401, 403):
            what = "needs a key" if self._key is None else "does not take the key"
            return RemoteError(
                f"{url} {what} ({status})", f"check the variable {self.settings.key_variable}"
            )
        if 300 <= status < 400:
            header = self._without_key(error.response.headers.get("location", ""))
            target = urlsplit(header).netloc or "elsewhere"
            return RemoteError(
                f"{url} redirects to {clean(target)[:SHOWN]}, which is not followed",
                "check describer.base_url",
            )
        if status == 404:
            return RemoteError(f"{url} has no model '{self.settings.model}' (404)", self._models())
        busy = status in (408, 409, 429) or status >= 500
        if busy and "insufficient_quota" not in error.response.text:
            return None
        hint = "check the describer's settings"
        if "response_format" in error.response.text:
            hint = "try --set describer.mode=per-part"
        return RemoteError(f"{url} answered {status}: {self._message(error)}", hint)

    def _message(self, error: APIStatusError) -> str:
        """A server's complaint, without the key."""
        text = clean(str(error.body if error.body is not None else error.response.text))
        return " ".join(self._without_key(text).split())[:SHOWN]

    def _without_key(self, text: str) -> str:
        """What a server says; some repeat what they were sent."""
        return text if self._key is None else text.replace(self._key.get_secret_value(), "***")

    def _models(self) -> str:
        """The models that there are, as far as the server says."""
        from openai import OpenAIError

        try:
            models = [
                self._without_key(clean(model.id)) for model in self._client.models.list().data
            ]
        except (OpenAIError, json.JSONDecodeError, AttributeError, TypeError):
            return "check describer.model and describer.base_url, which usually ends in /v1"
        return f"there are: {', '.join(sorted(models)[:20])}"


def _retry_after(error: APIStatusError) -> float | None:
    """Seconds that a server asks to wait, given as seconds or as a date."""
    text = error.response.headers.get("retry-after", "")
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _reason(error: Exception, timeout: float) -> str:
    if type(error).__name__ == "APITimeoutError":
        return f"did not answer within {timeout:g} s"
    return f"cannot be reached: {error.__cause__ or error}"
