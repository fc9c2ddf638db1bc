"""HDF5 of a stranger, checked before anything of it is read: links, storage, sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from snndeploy.errors import DeployError, ModelError
from snndeploy.files.budget import GIB, budget_bytes

try:
    import h5py
except ModuleNotFoundError:
    raise DeployError("reading HDF5 files needs h5py: pip install h5py") from None

__all__ = ["Budget", "h5py", "member"]

LARGEST_INFLATION = 2048  # deflate reaches 1032:1; more than that is not stored data
_BUILT_IN_FILTERS = {1, 2, 3, 4, 32000}  # deflate, shuffle, fletcher32, szip, lzf

Refusal = Callable[[str], DeployError]


@dataclass
class Budget:
    """How many bytes may still be read of a file."""

    bytes_left: int = field(default_factory=budget_bytes)

    def check(self, dataset: h5py.Dataset, refuse: Refusal) -> None:
        """Refuse what is not stored in this file or is larger than it may be; count the rest.

        Raises:
            DeployError: made by `refuse` from what is said about the data set.
        """
        if dataset.is_virtual or dataset.external:
            raise refuse("is stored outside this file; refused")
        properties = dataset.id.get_create_plist()
        for index in range(properties.get_nfilters()):
            code = properties.get_filter(index)[0]
            if code not in _BUILT_IN_FILTERS:
                raise refuse(f"uses HDF5 filter {code}; refused")
        size = dataset.size * dataset.dtype.itemsize
        if size > self.bytes_left:
            raise refuse(
                f"holds {size:,} bytes; {self.bytes_left:,} of {budget_bytes():,} are left for this"
                f" file: raise that with --memory {-(-size // GIB) + 1}"
            )
        stored = dataset.id.get_storage_size()
        if size > LARGEST_INFLATION * stored:
            raise refuse(f"declares {size} bytes, but the file stores {stored}")
        self.bytes_left -= size


def member(group: h5py.Group, name: str, where: str, error: type[DeployError] = ModelError) -> Any:
    """A direct member; None: there is none.

    Raises:
        DeployError: of the kind `error`, a soft or external link, which could name any file of
            this machine.
    """
    link = group.get(name, getlink=True)
    if link is None:
        return None
    if not isinstance(link, h5py.HardLink):
        raise error(f"{where} '{name[:40]}' is a link out of its place; refused")
    return group[name]
