"""What lava-dl's NetX and Lava's Dense make of weight matrices: python THIS JOB.npz RESULT.npy

JOB holds matrices a0, b0, a1, b1, ...: b joins a as recurrent weights do, or is empty.  RESULT
says for each pair whether the synapses that Lava runs are the ones that were given.
"""

import sys

import numpy as np
from netx_runner import install_stand_ins


def survive(matrices):
    from lava.lib.dl.netx.utils import optimize_weight_bits
    from lava.utils.weightutils import clip_weights, determine_sign_mode, truncate_weights

    joined = np.hstack(matrices)
    if not joined.any():
        return False  # optimize_weight_bits divides by zero
    shifted, bits, exponent, _ = optimize_weight_bits(joined.copy())
    if exponent > 0:
        return False
    start = 0
    for matrix in matrices:
        part = shifted[:, start : start + matrix.shape[1]]
        start += matrix.shape[1]
        sign = determine_sign_mode(part)
        run = truncate_weights(clip_weights(part, sign, num_bits=8), sign, bits)
        if not np.array_equal(run, matrix << -exponent):
            return False
    return True


if __name__ == "__main__":
    install_stand_ins()
    with np.load(sys.argv[1]) as job:
        pairs = [(job[f"a{i}"], job[f"b{i}"]) for i in range(len(job.files) // 2)]
    np.save(sys.argv[2], [survive([m for m in pair if m.size]) for pair in pairs])
