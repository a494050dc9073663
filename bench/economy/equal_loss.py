"""What a dense model of equal loss would cost, from dense models of several sizes trained on the same data."""

import math
from dataclasses import dataclass


@dataclass
class Equal:
    cost: float
    within: bool  # False: the loss is beyond the dense models', and the cost is that of the nearest one


def cost_at(loss, dense, cost):
    """The cost at which the dense runs reach this loss: between two runs on a line of log cost over loss."""
    points = sorted((run.loss, cost(run)) for run in dense)  # best first, which cost most
    for (low, dear), (high, cheap) in zip(points, points[1:]):
        if low <= loss <= high:
            part = (loss - low) / (high - low) if high > low else 0.0
            return Equal(math.exp(math.log(dear) * (1 - part) + math.log(cheap) * part), True)
    return Equal(points[0][1] if loss < points[0][0] else points[-1][1], False)


def saving(run, dense, cost):
    """(share of the cost of a dense model of equal loss that is saved, whether the dense models reach this loss)."""
    equal = cost_at(run.loss, dense, cost)
    return 1 - cost(run) / equal.cost, equal.within


def nearest(run, dense):
    """The dense run whose loss is nearest."""
    return min(dense, key=lambda other: abs(other.loss - run.loss))
