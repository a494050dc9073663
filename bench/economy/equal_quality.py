"""What a dense model of equal loss, or of an equal score, would cost, from dense models of several sizes trained on the same data."""

import math
from dataclasses import dataclass


@dataclass
class Equal:
    cost: float
    within: bool  # False: the loss is beyond the dense models', and the cost is that of the nearest one


def loss_of(run):
    return run.loss


def cost_at(value, dense, cost, measure=loss_of):
    """The cost at which the dense runs reach this value, of which lower is better: between two runs on a line of log cost over it."""
    points = sorted((measure(run), cost(run)) for run in dense)  # best first, which cost most
    for (low, dear), (high, cheap) in zip(points, points[1:]):
        if low <= value <= high:
            part = (value - low) / (high - low) if high > low else 0.0
            return Equal(math.exp(math.log(dear) * (1 - part) + math.log(cheap) * part), True)
    return Equal(points[0][1] if value < points[0][0] else points[-1][1], False)


def saving(run, dense, cost, measure=loss_of):
    """(share of the cost of an equally good dense model that is saved, whether the dense models reach this)."""
    equal = cost_at(measure(run), dense, cost, measure)
    return 1 - cost(run) / equal.cost, equal.within


def nearest(run, dense):
    """The dense run whose loss is nearest."""
    return min(dense, key=lambda other: abs(other.loss - run.loss))
