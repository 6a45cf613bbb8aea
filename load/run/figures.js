/** Arithmetic: quantiles, the straight line through points with how sure one can be of it, and when two samples differ. */
'use strict';

/** For a sorted list; between two values it is between them, as k6 has it. */
function quantile(sorted, share) {
    const at = (sorted.length - 1) * share;
    const below = Math.floor(at);
    const above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (sorted[above] - sorted[below]) * (at - below);
}

function meanOf(values) {
    return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Student's t for a two-sided interval of 95 %, by degrees of freedom; between two that are listed it is the larger one. */
const T95 = [
    [1, 12.706], [2, 4.303], [3, 3.182], [4, 2.776], [5, 2.571], [6, 2.447], [7, 2.365], [8, 2.306], [9, 2.262], [10, 2.228],
    [12, 2.179], [15, 2.131], [20, 2.086], [25, 2.06], [30, 2.042], [40, 2.021], [60, 2.0], [120, 1.98], [Infinity, 1.96],
];

function t95(freedom) {
    return T95.filter(([least]) => least <= freedom).at(-1)[1];
}

/** The same for 99 % and the nine degrees of freedom of ten values, or fewer. */
const T99 = [63.657, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355, 3.25];

/** The mean of at most ten values and the half-width of its 99 % interval. */
function meanWithin(values) {
    const mean = meanOf(values);
    if (values.length < 2) {
        return { mean, within: Infinity };
    }
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
    return { mean, within: T99[values.length - 2] * Math.sqrt(variance / values.length) };
}

/** The line through [[x, y]] by least squares: {slope, offset, within}: the slope's 95 % interval is slope ± within. */
function lineThrough(points) {
    const xMean = meanOf(points.map(([x]) => x));
    const yMean = meanOf(points.map(([, y]) => y));
    const spread = points.reduce((sum, [x]) => sum + (x - xMean) ** 2, 0);
    const slope = points.reduce((sum, [x, y]) => sum + (x - xMean) * (y - yMean), 0) / spread;
    const offset = yMean - slope * xMean;
    const rest = points.reduce((sum, [x, y]) => sum + (y - offset - slope * x) ** 2, 0);
    const freedom = points.length - 2;
    return { slope, offset, within: freedom < 1 ? Infinity : t95(freedom) * Math.sqrt(rest / freedom / spread) };
}

module.exports = { lineThrough, meanOf, meanWithin, quantile, t95 };
