"""Line charts and bars as SVG files."""

import math
from html import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 440, 70, 250, 40, 55
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22")


def ticks(low, high):
    """Round values from low to high, about five."""
    step = 10 ** math.floor(math.log10((high - low) / 5 or 1))
    step *= next(m for m in (1, 2, 5, 10) if (high - low) / (step * m) <= 6)
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def decades(low, high):
    """1, 2 and 5 times powers of ten from low to high."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [m * 10.0**p for p in powers for m in (1, 2, 5) if low <= m * 10.0**p <= high]


def frame(title, x_label, y_label):
    """The picture's head, with its title and the names of its axes."""
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="15">{escape(title)}</text>',
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 12}" text-anchor="middle">{escape(x_label)}</text>',
        f'<text x="16" y="{(TOP + HEIGHT - BOTTOM) / 2}" text-anchor="middle" '
        f'transform="rotate(-90 16 {(TOP + HEIGHT - BOTTOM) / 2})">{escape(y_label)}</text>',
    ]


def y_axis(values, to_y):
    parts = []
    for y in values:
        parts.append(f'<path d="M{LEFT} {to_y(y):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{to_y(y) + 4:.1f}" text-anchor="end">{y:.4g}</text>')
    return parts


def legend(index, name):
    y, colour = TOP + 14 + 18 * index, COLOURS[index % len(COLOURS)]
    return [
        f'<circle cx="{WIDTH - RIGHT + 18}" cy="{y - 4}" r="4" fill="{colour}"/>',
        f'<text x="{WIDTH - RIGHT + 28}" y="{y}">{escape(name)}</text>',
    ]


def chart(title, x_label, y_label, series, log_x=False):
    """series: (name, [(x, y), ...], joined by a line or not). Returns the SVG text."""
    xs = [x for _, points, _ in series for x, _ in points]
    ys = [y for _, points, _ in series for _, y in points]
    scale_x = math.log if log_x else float
    x0, x1, y0, y1 = scale_x(min(xs)), scale_x(max(xs)), min(ys), max(ys)
    pad_x, pad_y = (x1 - x0 or 1) * 0.04, (y1 - y0 or 1) * 0.06
    x0, x1, y0, y1 = x0 - pad_x, x1 + pad_x, y0 - pad_y, y1 + pad_y
    to_x = lambda x: LEFT + (scale_x(x) - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT)
    to_y = lambda y: HEIGHT - BOTTOM - (y - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM)
    parts = frame(title, x_label, y_label)
    for x in decades(math.exp(x0), math.exp(x1)) if log_x else ticks(x0, x1):
        parts.append(f'<path d="M{to_x(x):.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        parts.append(f'<text x="{to_x(x):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{x:.3g}</text>')
    parts += y_axis(ticks(y0, y1), to_y)
    for index, (name, points, joined) in enumerate(series):
        colour = COLOURS[index % len(COLOURS)]
        places = [(to_x(x), to_y(y)) for x, y in points]
        if joined:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places]
        parts += legend(index, name)
    return "\n".join([*parts, "</svg>"]) + "\n"


def bars(title, y_label, names, groups):
    """groups: (label, a value for each of the names), from 0. Returns the SVG text."""
    most = max(max(values) for _, values in groups) * 1.06 or 1
    to_y = lambda y: HEIGHT - BOTTOM - y / most * (HEIGHT - TOP - BOTTOM)
    parts = frame(title, "", y_label) + y_axis(ticks(0, most), to_y)
    room = (WIDTH - LEFT - RIGHT) / len(groups)
    width = 0.8 * room / len(names)
    for place, (label, values) in enumerate(groups):
        begin = LEFT + (place + 0.1) * room
        parts.append(f'<text x="{begin + 0.4 * room:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{escape(label)}</text>')
        for index, value in enumerate(values):
            colour = COLOURS[index % len(COLOURS)]
            x, y = begin + index * width, to_y(value)
            parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width - 2:.1f}" height="{HEIGHT - BOTTOM - y:.1f}" fill="{colour}"/>')
    parts += [part for index, name in enumerate(names) for part in legend(index, name)]
    return "\n".join([*parts, "</svg>"]) + "\n"
