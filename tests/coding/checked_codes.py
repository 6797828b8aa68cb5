"""Independent checks of codes, and codes that break them."""

import dataclasses

import numpy as np

from jaxcogc.coding.verification import verify_code


def spans_ones(rows, tolerance=1e-9):
    """An independent check: the least-squares residual of 1."""
    weights = np.linalg.lstsq(rows.T, np.ones(rows.shape[1]), rcond=None)[0]
    return np.abs(weights @ rows - 1).max() < tolerance


def verify(code):
    verify_code(
        code.matrix,
        code.field_matrix,
        num_stragglers=int(code.num_stragglers),
        family=code.family,
        modulus=code.modulus,
    )


def support(num_clients, num_stragglers):
    offset = (np.arange(num_clients) - np.arange(num_clients)[:, None]) % num_clients
    return offset <= num_stragglers


def with_matrix(code, m, k, value):
    matrix = np.array(code.matrix)
    matrix[m, k] = value
    return dataclasses.replace(code, matrix=matrix)
