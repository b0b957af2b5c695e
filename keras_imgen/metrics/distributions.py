"""Distances between two sets of features: Frechet, kernel, and precision with recall."""

import numpy as np

from keras_imgen import checks
from keras_imgen.checks import whole_number

BLOCK = 2**22  # distances held at a time, 32 MB


def frechet_distance(real, made) -> float:
    """Squared Fréchet distance of two normal distributions fitted to two sets of features.

    `|mean_r - mean_m|^2 + trace(C_r + C_m - 2 sqrt(C_r C_m))`, with unbiased covariances `C`: 0 for
    equal sets. The figure grows as sets get smaller, so compare only figures of equally many
    pictures.

    Args:
        real: features of real pictures, float array `(number, features)`, at least 2 rows.
        made: features of made pictures, as many columns.

    Returns:
        The distance in squared units of the features, 0 or more. (With Inception features it is
        known as FID.)

    Raises:
        ValueError: for what is no such pair of arrays.

    Source: Heusel et al. 2017 (arXiv 1706.08500), equation 6.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.metrics import frechet_distance
        >>> real = np.random.default_rng(0).normal(size=(100, 2))
        >>> round(frechet_distance(real, real + [3.0, 4.0]), 6)  # a shift alone: 9 + 16
        25.0
    """
    real, made = _checked_pair(real, made, least=2)
    return moments_distance(moments(real), moments(made))


def moments(features) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and a root `R` of the covariance `R^T R` of checked features."""
    mean = features.mean(axis=0)
    root = np.linalg.qr(features - mean, mode="r") / np.sqrt(len(features) - 1)
    return mean, root


def moments_distance(real, made) -> float:
    """Return the squared Fréchet distance of two pairs `(mean, root of the covariance)`."""
    (real_mean, real_root), (made_mean, made_root) = real, made
    shift = np.sum(np.square(real_mean - made_mean))
    spread = np.sum(np.square(real_root)) + np.sum(np.square(made_root))
    # trace sqrt(A B) is the sum of the singular values of R_a R_b^T, because the eigenvalues of A B
    # are those of R_b A R_b^T. No root of a rounding error is taken, as it would be of the
    # eigenvalues of A B where features depend on each other.
    overlap = np.sum(np.linalg.svd(real_root @ made_root.T, compute_uv=False))
    return float(max(0.0, shift + spread - 2.0 * overlap))


def kernel_distance(
    real, made, *, subset_size: int | None = None, seed: int = 0
) -> tuple[float, float]:
    """Squared maximum mean discrepancy of two sets of features, without bias.

    Both sets are shuffled and dealt into subsets of `subset_size`, of which no two share a picture.
    Each pair of subsets gives one estimate; the value is their mean. Its expectation does not
    depend on how many pictures there are, and is 0 for equal distributions: then about half of all
    values are negative.

    Args:
        real: features of real pictures, float array `(number, features)`.
        made: features of made pictures, as many columns.
        subset_size: pictures of each kind in a subset, by default a tenth of the smaller set. There
            must be enough for two subsets. Larger subsets make the value vary less, more of them
            make the standard error vary less.
        seed: integer that fixes how pictures are dealt.

    Returns:
        The value and its standard error: how far, as a root mean square, the value would vary if
        real and made pictures were all drawn anew. It is the standard deviation of the estimates,
        which are independent as no picture is in two, over the root of their number.

    Raises:
        ValueError: for what is no such pair of arrays, or too few rows for two subsets.

    Source: Bińkowski et al. 2018 (arXiv 1801.01401), equation 4 and the kernel of section 3.1,
        `(x y / features + 1)^3`. Their subsets may share pictures, which says nothing about the
        error for pictures drawn anew.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.metrics import kernel_distance
        >>> real, made = np.zeros((200, 2)), np.ones((200, 2))
        >>> kernel_distance(real, made)  # k(0, 0) + k(1, 1) - 2 k(0, 1): 1 + 8 - 2
        (7.0, 0.0)
    """
    real, made, seed = checked("real", real), checked("made", made), checks.seed(seed)
    subset_size = size_of_subsets(len(real), len(made), subset_size)
    real, made = _checked_pair(real, made, 2 * subset_size, f"for two subsets of {subset_size:,}")
    rng = np.random.default_rng(seed)
    dealt = [rng.permutation(len(features)) for features in (real, made)]
    estimates = []
    for start in range(0, min(len(real), len(made)) - subset_size + 1, subset_size):
        chosen = slice(start, start + subset_size)
        estimates.append(_unbiased_mmd(real[dealt[0][chosen]], made[dealt[1][chosen]]))
    return float(np.mean(estimates)), float(np.std(estimates, ddof=1) / np.sqrt(len(estimates)))


def size_of_subsets(num_real: int, num_made: int, subset_size: int | None) -> int:
    """Return how many pictures of each kind a subset of the kernel distance holds."""
    if subset_size is None:
        return max(2, min(num_real, num_made) // 10)
    return whole_number("subset_size", subset_size, 2)


def _unbiased_mmd(real, made):
    """Return the squared discrepancy of two sets of equal size; a picture never meets itself."""
    count = len(real)
    within = sum(np.sum(k) - np.trace(k) for k in (_kernel(real, real), _kernel(made, made)))
    return within / (count * (count - 1)) - 2.0 * np.mean(_kernel(real, made))


def _kernel(left, right):
    return (left @ right.T / left.shape[1] + 1.0) ** 3


def precision_recall(real, made, neighbors: int = 3) -> tuple[float, float]:
    """How many made pictures look real, and how many kinds of real pictures are made.

    Each set covers a region: balls around its points, as large as the distance to their
    `neighbors`-th nearest neighbor in the set. Both figures depend on how many pictures there
    are, so compare only figures of equally many.

    Args:
        real: features of real pictures, float array `(number, features)`.
        made: features of made pictures, as many columns.
        neighbors: which neighbor a ball reaches to.

    Returns:
        Precision, the share of made features in the region of the real ones, and recall, the share
        of real features in the region of the made ones.

    Raises:
        ValueError: for what is no such pair of arrays, or no more rows than `neighbors`.

    Source: Kynkaanniemi et al. 2019 (arXiv 1904.06991), equations 1 and 2.

    Example:
        >>> import numpy as np
        >>> from keras_imgen.metrics import precision_recall
        >>> real = np.arange(10.0)[:, None]
        >>> precision_recall(real, real[:4])  # the balls of 0 to 3 reach up to 6
        (1.0, 0.7)
    """
    neighbors = whole_number("neighbors", neighbors, 1)
    real, made = _checked_pair(
        real, made, neighbors + 1, f"for a neighbor number {neighbors}; pass fewer `neighbors`"
    )
    return coverage(real, made, radii(real, neighbors), radii(made, neighbors))


def radii(features, neighbors: int) -> np.ndarray:
    """Return each point's squared distance to its `neighbors`-th nearest other point."""
    found = np.empty(len(features))
    for rows in _blocks(len(features), len(features)):
        distances = _squared_distances(features[rows], features)
        numbers = np.arange(len(features))[rows]
        distances[np.arange(len(numbers)), numbers] = np.inf  # a point is no neighbor of itself
        found[rows] = np.partition(distances, neighbors - 1, axis=1)[:, neighbors - 1]
    return found


def coverage(real, made, real_radii, made_radii) -> tuple[float, float]:
    """Return the share of made points within real balls, and of real points within made balls."""
    covered_made, covered_real = np.zeros(len(made), bool), np.zeros(len(real), bool)
    for rows in _blocks(len(real), len(made)):
        distances = _squared_distances(real[rows], made)
        covered_made |= np.any(distances <= real_radii[rows, None], axis=0)
        covered_real[rows] = np.any(distances <= made_radii, axis=1)
    return float(np.mean(covered_made)), float(np.mean(covered_real))


def _blocks(rows, columns):
    step = max(1, BLOCK // columns)
    return [slice(start, min(start + step, rows)) for start in range(0, rows, step)]


def _squared_distances(left, right):
    left_squares, right_squares = (np.sum(np.square(x), axis=1) for x in (left, right))
    distances = -2.0 * left @ right.T
    distances += right_squares
    distances += left_squares[:, None]
    # What is left of equal points is a rounding error, of either sign: they are at distance 0.
    distances[distances < 1e-13 * (left_squares[:, None] + np.max(right_squares))] = 0.0
    return distances


def _checked_pair(real, made, least: int, purpose: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Return both as float64, or raise for what are no features of two sets of pictures."""
    real, made = checked("real", real), checked("made", made)
    if real.shape[1] != made.shape[1]:
        raise ValueError(
            "Real and made pictures must have equally many features. Received: "
            f"{real.shape[1]} and {made.shape[1]}. Take both from one extractor."
        )
    for name, features in (("real", real), ("made", made)):
        if len(features) < least:
            raise ValueError(
                f"`{name}` must hold the features of at least {least:,} pictures {purpose}".rstrip()
                + f". Received: {len(features):,}."
            )
    return real, made


def checked(name: str, features) -> np.ndarray:
    """Return features as float64 `(number, features)`, or raise if they are none.

    Args:
        name: what the error calls them.
        features: what was passed.

    Raises:
        ValueError: for another shape or dtype, and for values that are not finite.
    """
    dtype = checks.dtype_name(features)
    shape = tuple(getattr(features, "shape", ()))
    if dtype not in checks.FLOATS or len(shape) != 2 or 0 in shape:
        raise ValueError(
            f"`{name}` must be a floating-point array of features, (pictures, features). Received: "
            f"a {type(features).__name__} of shape {shape} and dtype {dtype}. Pictures become "
            "features by an extractor, such as keras_imgen.metrics.DigitFeatures()."
        )
    features = np.asarray(features).astype("float64")
    if not np.isfinite(features).all():
        raise ValueError(
            f"`{name}` must be finite. Received: {int(np.sum(~np.isfinite(features)))} features "
            "that are NaN or infinite. Look at the pictures or the network that they come from."
        )
    return features
