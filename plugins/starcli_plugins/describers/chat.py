"""Descriptions from any OpenAI-compatible server, asked as STAR asks GPT-3.5 (section 3.2 (2))."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from starcli.contracts import DescriberContext
from starcli.errors import MissingError
from starcli_plugins.describers.llm.ask import ask_all, collect, unasked
from starcli_plugins.describers.llm.cache import Answers
from starcli_plugins.describers.llm.client import Endpoint
from starcli_plugins.describers.llm.prompts import Mode, questions

OPENAI = "https://api.openai.com/v1"
LETTERS_PER_TOKEN, TOKENS_PER_WORD = 4, 1.5
"""Rules of thumb for English, for estimates only."""


class Chat:
    """A language model on a server: OpenAI, vLLM, Ollama, llama.cpp and others.

    Differs from the paper: the model is told to answer in one line and how long it may be, and
    answers are checked.

    Args:
        settings: Which server, model and way of asking.
    """

    class Settings(BaseModel):
        """Which server, model and way of asking."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        model: str = Field(description="name of the model on the server")
        base_url: str = Field(OPENAI, description="the server; usually ends in /v1")
        key_variable: str = Field("OPENAI_API_KEY", description="variable that has the key")
        mode: Mode = Field(
            "per-part",
            description="per-part: as the paper asks; structured: all parts in one JSON answer",
        )
        temperature: float = Field(0.0, ge=0, le=2, description="0: the likeliest answer")
        seed: int = Field(0, ge=0, description="seed of the server's draws, where it has one")
        words: int = Field(25, ge=1, le=1000, description="most words of the text of a part")
        max_tokens: int = Field(1000, ge=1, description="most tokens of an answer")
        concurrency: int = Field(4, ge=1, le=64, description="requests at a time")
        timeout: float = Field(60.0, gt=0, description="seconds to wait for an answer")
        tries: int = Field(4, ge=1, le=20, description="tries where a server is busy or away")
        max_wait: float = Field(
            120.0, ge=0, description="longest wait that a server may ask for, seconds"
        )
        price_in: float | None = Field(None, ge=0, description="price of a million tokens sent")
        price_out: float | None = Field(None, ge=0, description="price of a million answered")

        @field_validator("base_url")
        @classmethod
        def _address(cls, value: str) -> str:
            parts = urlsplit(value)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("expected an address such as http://localhost:11434/v1")
            if parts.username or parts.password or parts.query or parts.fragment:
                raise ValueError("expected no user, password or query; a key goes into a variable")
            return value.rstrip("/")

        @field_validator("key_variable")
        @classmethod
        def _variable(cls, value: str) -> str:
            if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", value):  # such as the key itself
                raise ValueError("expected the name of a variable, not a key")
            return value

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    unkeyed: ClassVar[tuple[str, ...]] = (
        "key_variable",
        "concurrency",
        "timeout",
        "tries",
        "max_wait",
        "price_in",
        "price_out",
    )

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def describe(
        self, actions: Sequence[str], parts: Sequence[str], context: DescriberContext
    ) -> list[dict[str, str]]:
        """What the model says of each part of each action.

        Args:
            actions: Names of the actions.
            parts: Names of the parts.
            context: Where answers are kept, with model, date, prompt and all that came.

        Raises:
            DataError: A name is too long for one, or has control characters.
            MissingError: There is no key, or the extra `chat` is not installed.
            RemoteError: The server refuses or does not answer, or answers cannot be used.
        """
        s = self.settings
        requests = questions(actions, parts, s.mode, s.words)
        server = Endpoint(s, self._key(), context.progress)
        answers = ask_all(server, requests, context, s.concurrency)
        return collect(server, requests, answers, actions, parts)

    def estimate(
        self, actions: Sequence[str], parts: Sequence[str], context: DescriberContext
    ) -> dict[str, float]:
        """What asking for all that is not kept yet would take: requests, tokens, cost.

        Args:
            actions: Names of the actions.
            parts: Names of the parts.
            context: Where answers of an interrupted run are.
        """
        s = self.settings
        server = Endpoint(s, None, context.progress)
        missing = unasked(
            server, questions(actions, parts, s.mode, s.words), Answers(context.folder)
        )
        letters = sum(len(message["content"]) for q in missing for message in q.messages)
        sent = letters // LETTERS_PER_TOKEN
        back = round(sum(len(q.parts) for q in missing) * s.words * TOKENS_PER_WORD)
        costs: dict[str, float] = {"requests": len(missing), "tokens_in": sent, "tokens_out": back}
        if s.price_in is not None and s.price_out is not None:
            costs["cost"] = round((sent * s.price_in + back * s.price_out) / 1e6, 4)
        return costs

    def _key(self) -> SecretStr | None:
        key = os.environ.get(self.settings.key_variable, "").strip()
        if not key and self.settings.base_url == OPENAI:
            raise MissingError(
                f"no key: the variable {self.settings.key_variable} is not set",
                "set it, name another with --set describer.key_variable=NAME, or use "
                "`--describer bundled`, which asks nobody",
            )
        if not key.isascii() or not key.isprintable():
            raise MissingError(
                f"the variable {self.settings.key_variable} holds no key", "set it to the key alone"
            )
        return SecretStr(key) if key else None
