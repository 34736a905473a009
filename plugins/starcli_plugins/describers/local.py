"""Descriptions from a language model on this machine, asked as `chat` asks one on a server."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from functools import cached_property
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from starcli.contracts import DescriberContext
from starcli.errors import MissingError
from starcli_plugins.describers.llm.ask import Reply, ask_all, collect
from starcli_plugins.describers.llm.prompts import Message, Mode, Question, questions
from starcli_plugins.hub_files import LANGUAGE, ON_DISK, find, load, opening


class Local:
    """A text generation model of `transformers`, which always takes the likeliest next token.

    Args:
        settings: Which model, and the way of asking.
    """

    class Settings(BaseModel):
        """Which model, and the way of asking."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        model: str = Field(description="folder, or name on the hub that is in the local cache")
        mode: Mode = Field(
            "per-part",
            description="per-part: as the paper asks; structured: all parts in one JSON answer",
        )
        words: int = Field(25, ge=1, le=1000, description="most words of the text of a part")
        max_tokens: int = Field(500, ge=1, description="most tokens of an answer")
        device: str = Field("cpu", description="cpu, cuda or mps")

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    unkeyed: ClassVar[tuple[str, ...]] = ("device",)

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
            MissingError: The model is not there or cannot be loaded.
            RemoteError: Answers cannot be used.
        """
        s = self.settings
        requests = questions(actions, parts, s.mode, s.words)
        model = Generator(s)
        answers = ask_all(model, requests, context)
        return collect(model, requests, answers, actions, parts)


class Generator:
    """The model behind `Local`.

    Args:
        settings: Which model.
    """

    def __init__(self, settings: Local.Settings) -> None:
        self.settings, self.tokens = settings, settings.max_tokens
        self._stopped = False

    def request(
        self, question: Question, messages: Sequence[Message], tokens: int
    ) -> dict[str, Any]:
        """What determines the answer."""
        return {"model": self.settings.model, "messages": list(messages), "max_tokens": tokens}

    def ask(self, request: Mapping[str, Any]) -> Reply:
        """The likeliest continuation of the chat."""
        import torch

        if self._stopped:
            raise CancelledError
        tokenizer, model = self._loaded
        inputs = _encoded(tokenizer, request["messages"]).to(self.settings.device)
        read = inputs["input_ids"].shape[1]
        room = getattr(model.config, "max_position_embeddings", math.inf) - read
        limit = min(request["max_tokens"], room)
        if limit < 1:
            raise MissingError(
                f"language model '{self.settings.model}' is too small: the question "
                f"alone has {read} tokens",
                "use another model",
            )
        with torch.inference_mode():
            made = model.generate(
                **inputs,
                max_new_tokens=limit,
                do_sample=False,
                num_beams=1,
                pad_token_id=tokenizer.pad_token_id or tokenizer.eos_token_id,
            )
        new = made[0, read:]
        text = tokenizer.decode(new, skip_special_tokens=True)
        ended = tokenizer.eos_token_id is not None and tokenizer.eos_token_id in new.tolist()
        return Reply(text, len(new) >= limit and not ended, self.settings.model, text)

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopped = True

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """Tokenizer and model."""
        folder = find(self.settings.model, LANGUAGE)
        with opening(folder, LANGUAGE):
            from transformers import AutoModelForCausalLM, AutoTokenizer

            tokenizer = AutoTokenizer.from_pretrained(folder, **ON_DISK)
            model = load(AutoModelForCausalLM, folder, dtype="auto")
        return tokenizer, model.to(self.settings.device)


def _encoded(tokenizer: Any, messages: Sequence[Message]) -> Any:
    """A chat as the model was taught to read it, or else as plain paragraphs."""
    if tokenizer.chat_template:
        return tokenizer.apply_chat_template(
            list(messages), add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
    text = "\n\n".join(message["content"] for message in messages) + "\n\n"
    return tokenizer(text, return_tensors="pt")
