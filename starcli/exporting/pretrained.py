"""An exported model as a model hub has it: saved, opened and shared by the hub's method names.

The interface of `huggingface_hub.ModelHubMixin` without its class, which writes a config and a card
of its own where ours are.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from starcli import files
from starcli.errors import RemoteError
from starcli.exporting.config import NAMES, read_config
from starcli.exporting.folder import require_folder
from starcli.prediction.model import TrainedModel

OFFLINE = "without a network, copy the folder and use starcli.load(FOLDER)"


@dataclass(frozen=True, kw_only=True)
class PretrainedModel(TrainedModel):
    """A trained model and the exported folder that it was opened from.

    Args:
        folder: The folder.
    """

    folder: Path = field(compare=False)

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        revision: str | None = None,
        token: str | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        device: str = "auto",
    ) -> PretrainedModel:
        """The model of a folder, or of a repository on the hub.

        Args:
            name: A folder that `export` or `save_pretrained` wrote, or `user/model`.
            revision: Branch, tag or commit of the repository.
            token: What opens a private one; None for that of `hf auth login`.
            cache_dir: Where the hub's files are kept; None for the usual place.
            local_files_only: Use what is kept there, and ask no network.
            device: Where to compute.

        Raises:
            RemoteError: The hub does not give it.
            DataError: A file is missing or damaged, or of a newer version.
            MissingError: A plugin that the model was made with is not installed.
        """
        from starcli.exporting.load import open_exported

        if os.path.isdir(name):
            return open_exported(Path(name), device)
        from huggingface_hub import snapshot_download

        with _asking(str(name)):
            folder = snapshot_download(
                str(name),
                revision=revision,
                token=token,
                cache_dir=cache_dir,
                local_files_only=local_files_only,
                allow_patterns=[*NAMES],
            )
        return open_exported(Path(folder), device)

    def save_pretrained(self, folder: str | Path, *, overwrite: bool = False) -> list[Path]:
        """Write the model as a folder, whole or not at all; its files.

        Args:
            folder: The folder.
            overwrite: Replace an exported model that is there.

        Raises:
            UsageError: The folder is there.
            DataError: The files that the model was opened from have changed.
            OutputError: It cannot be written.
        """
        folder = Path(folder)
        require_folder(folder, overwrite=overwrite)
        read_config(self.folder)
        names = [name for name in NAMES if (self.folder / name).is_file()]

        def write(draft: Path) -> None:
            for name in names:
                shutil.copyfile(self.folder / name, draft / name)

        files.save_folder(folder, write, "another folder", replace=overwrite)
        return [folder / name for name in names]

    def push_to_hub(
        self,
        repo_id: str,
        *,
        commit_message: str = "Add a model of starcli",
        private: bool | None = None,
        token: str | None = None,
        revision: str | None = None,
    ) -> str:
        """Put the model's files into a repository on the hub, which is made; the commit's address.

        Args:
            repo_id: `user/model`.
            commit_message: What the commit is called.
            private: Whether nobody else is to see it; None for what the account does usually.
            token: What allows it; None for that of `hf auth login`.
            revision: Branch; None for the main one.

        Raises:
            DataError: The files that the model was opened from have changed.
            RemoteError: The hub does not take it.
        """
        from huggingface_hub import HfApi

        read_config(self.folder)
        with _asking(repo_id):
            api = HfApi(token=token)
            repository = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
            commit = api.upload_folder(
                repo_id=repository,
                folder_path=self.folder,
                commit_message=commit_message,
                revision=revision,
                allow_patterns=[*NAMES],
            )
        return str(commit.commit_url)


@contextmanager
def _asking(repository: str) -> Iterator[None]:
    """Turn what the hub's library raises, of names, access and networks, into our error."""
    try:
        yield
    except Exception as error:  # also those of the HTTP library that the hub's is built on
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise RemoteError(
            f"'{repository}' is no folder, and the hub says: {reason}",
            f"check the name, and log in with: hf auth login; {OFFLINE}",
        ) from error
