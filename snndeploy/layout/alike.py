"""Numbering the distinct rows of a sparse table."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sparse


def alike(table: sparse.csr_array, *, with_values: bool) -> tuple[np.ndarray, np.ndarray]:
    """Number the distinct rows: (number of each row, a row of each number).

    Rows are told apart by a 64-bit hash, and equality with the row that stands for the number is
    then checked entry by entry, so the result is exact.
    """
    random = np.random.default_rng(0)
    code = random.integers(1, 2**63, size=table.shape[1], dtype=np.uint64)[table.indices]
    if with_values:
        code = code * table.data.astype(np.uint64) + (code >> np.uint64(32))
    total = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(code, dtype=np.uint64)])
    hashes = total[table.indptr[1:]] - total[table.indptr[:-1]]  # modulo 2^64
    _, row_of, number = np.unique(hashes, return_index=True, return_inverse=True)
    length = np.diff(table.indptr)
    stands_for = row_of[number]
    assert (length == length[stands_for]).all(), "two different rows share a hash"
    shift = np.repeat(table.indptr[:-1][stands_for] - table.indptr[:-1], length)
    twin = np.arange(len(table.indices)) + shift
    same = table.indices == table.indices[twin]
    if with_values:
        same &= table.data == table.data[twin]
    assert same.all(), "two different rows share a hash"
    return number, row_of
