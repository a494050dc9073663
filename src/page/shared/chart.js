// A line chart of one value of all runs, on a canvas. `view` is what all charts share: the axis, the scale, the zoom,
// the runs that are shown.
'use strict';

// A run's place on the chosen axis at some steps.
function onAxis(run, steps, axis) {
  if (axis === 'step') return steps;
  const known = run.series[axis];
  return steps.map((step) => {
    const i = lastAtMost(known.steps, step);
    const next = Math.min(i + 1, known.steps.length - 1);
    const share = next > i ? Math.max(0, (step - known.steps[i]) / (known.steps[next] - known.steps[i])) : 0;
    return known.last[i] + share * (known.last[next] - known.last[i]);
  });
}

// Exponential moving average, without the pull to its start.
function smoothed(values, weight) {
  if (weight === 0) return values;
  let sum = 0, total = 0;
  return values.map((value) => {
    sum = weight * sum + (1 - weight) * value;
    total = weight * total + (1 - weight);
    return sum / total;
  });
}

class LineChart {
  constructor(parent, spec, runs, view) {
    Object.assign(this, {spec, runs, view, cursor: null, drag: null});
    this.canvas = element('canvas', {tabindex: 0, role: 'img', 'aria-label': spec.title + ', a chart over steps'});
    this.tip = element('div', {class: 'tip', role: 'status', hidden: ''});
    this.card = element('div', {class: 'card', 'data-series': spec.name}, element('h3', {}, spec.title),
      element('p', {class: 'note'}, spec.note || '\u00a0'), this.canvas, this.tip);
    parent.append(this.card);
    this.listen();
    this.prepare();
  }

  // The lines, for the axis and the smoothing that are chosen.
  prepare() {
    const {axis, shown} = this.view;
    const drawn = (run) => run.series[this.spec.name] && shown.has(run) && (axis === 'step' || run.series[axis]);
    this.lines = this.runs.filter(drawn).map((run) => {
      const series = run.series[this.spec.name];
      return {run, steps: series.steps, x: onAxis(run, series.steps, this.view.axis), raw: series.last,
        y: smoothed(series.last, this.view.smoothing), low: series.low, high: series.high,
        ends: onAxis(run, [run.first_step, run.last_step], axis),
        flagged: onAxis(run, run.series.anomaly ? run.series.anomaly.steps : [], axis),
        bad: onAxis(run, series.not_finite ? series.not_finite.steps : [], this.view.axis)};
    });
    this.draw();
  }

  // Of whole runs, the same for all charts.
  xRange() {
    if (this.view.zoom) return this.view.zoom;
    let low = Infinity, high = -Infinity;
    for (const line of this.lines) {
      for (const x of line.ends) {
        if (x < low) low = x;
        if (x > high) high = x;
      }
    }
    if (!(high >= low)) return [0, 1];
    return high > low ? [low, high] : [low - 0.5, high + 0.5];
  }

  // Of what is seen. Without outliers: of all but the lowest and highest fiftieth.
  yRange([from, to]) {
    const seen = [];
    for (const line of this.lines) {
      for (let i = 0; i < line.x.length; ++i) {
        if (line.x[i] < from || line.x[i] > to) continue;
        const banded = line.low && this.view.smoothing === 0 && !this.view.outliers;
        for (const y of banded ? [line.low[i], line.high[i]] : [line.y[i]]) {
          if (!this.view.log || y > 0) seen.push(y);
        }
      }
    }
    if (seen.length === 0) return [this.view.log ? 0.1 : 0, 1];
    seen.sort((a, b) => a - b);
    const cut = this.view.outliers ? Math.floor(seen.length / 50) : 0;
    const low = seen[cut], high = seen[seen.length - 1 - cut];
    const varies = high - low > 1e-9 * Math.max(Math.abs(low), Math.abs(high));  // by more than rounding
    if (this.view.log) return varies ? [low / 1.05, high * 1.05] : [low / 2, high * 2];
    const room = varies ? 0.05 * (high - low) : Math.abs(high) / 10 || 1;
    return [low >= 0 ? Math.max(0, low - room) : low - room, high + room];
  }

  layOut(context, width, height) {
    const x = this.xRange(), y = this.yRange(x);
    const format = formats[this.spec.format];
    const yMarks = this.view.log ? logMarks(...y) : linearMarks(...y, 5);
    const left = Math.max(...yMarks.map((mark) => context.measureText(format(mark)).width), 20) + 10;
    this.area = {left, top: 8, right: width - 12, bottom: height - 22, x, y};
    const marks = this.view.axis === 'time' ? timeMarks : linearMarks;
    return {yMarks, xMarks: marks(...x, Math.max(2, Math.floor((width - left) / 64)))};
  }
  xPixel(value) {
    const {left, right, x} = this.area;
    return left + ((value - x[0]) / (x[1] - x[0])) * (right - left);
  }
  xValue(pixel) {
    const {left, right, x} = this.area;
    return x[0] + ((pixel - left) / (right - left)) * (x[1] - x[0]);
  }
  yPixel(value) {
    const {top, bottom, y} = this.area;
    const map = this.view.log ? Math.log : (v) => v;
    return bottom - ((map(value) - map(y[0])) / (map(y[1]) - map(y[0]))) * (bottom - top);
  }

  draw() {
    const {context, width, height} = clearedContext(this.canvas);
    if (width === 0) return;
    const marks = this.layOut(context, width, height);
    this.drawAxes(context, marks);
    const {left, top, right, bottom} = this.area;
    context.save();
    context.beginPath();
    context.rect(left, top - 2, right - left, bottom - top + 4);
    context.clip();
    for (const line of this.lines) this.drawLine(context, line);
    this.drawMarks(context);
    context.restore();
  }

  drawAxes(context, {xMarks, yMarks}) {
    const {left, top, right, bottom} = this.area;
    const xFormat = formats[this.view.axis === 'time' ? 'time' : 'count'];
    context.lineWidth = 1;
    context.strokeStyle = themeColor('--grid');
    context.fillStyle = themeColor('--muted');
    context.textBaseline = 'middle';
    context.textAlign = 'right';
    for (const mark of yMarks) {
      const y = Math.round(this.yPixel(mark)) + 0.5;
      context.beginPath();
      context.moveTo(left, y);
      context.lineTo(right, y);
      context.stroke();
      context.fillText(formats[this.spec.format](mark), left - 6, y);
    }
    context.textBaseline = 'top';
    for (const mark of xMarks) {
      const x = this.xPixel(mark), text = xFormat(mark), half = context.measureText(text).width / 2;
      context.textAlign = 'left';
      context.fillText(text, Math.min(Math.max(x - half, left - 4), right + 10 - 2 * half), bottom + 6);
    }
    context.strokeStyle = themeColor('--line');
    context.strokeRect(left + 0.5, top + 0.5, right - left - 1, bottom - top);
  }

  drawLine(context, line) {
    context.strokeStyle = context.fillStyle = line.run.color;
    if (line.low) this.drawBand(context, line);
    context.lineJoin = 'round';
    if (this.view.smoothing > 0) {
      context.globalAlpha = 0.25;
      this.stroke(context, line.x, line.raw, 1);
    }
    context.globalAlpha = 1;
    this.stroke(context, line.x, line.y, 1.6);
    if (line.x.length <= 40) {
      for (let i = 0; i < line.x.length; ++i) this.dot(context, line.x[i], line.y[i], 2.5);
    }
  }
  stroke(context, xs, ys, width) {
    context.lineWidth = width;
    context.beginPath();
    for (let i = 0, open = false; i < xs.length; ++i) {
      if (this.view.log && !(ys[i] > 0)) {
        open = false;
        continue;
      }
      const x = this.xPixel(xs[i]), y = this.yPixel(ys[i]);
      if (open) context.lineTo(x, y);
      else context.moveTo(x, y);
      open = true;
    }
    context.stroke();
  }
  // From the lowest to the highest value; with a stroke for each point, or a spike of one would be too thin to see.
  drawBand(context, line) {
    const floor = this.view.log ? this.area.y[0] : -Infinity;
    context.globalAlpha = 0.45;
    context.lineWidth = 1.2;
    context.beginPath();
    for (let i = 0; i < line.x.length; ++i) {
      context.moveTo(this.xPixel(line.x[i]), this.yPixel(Math.max(line.high[i], floor)));
      context.lineTo(this.xPixel(line.x[i]), this.yPixel(Math.max(line.low[i], floor)));
    }
    context.stroke();
    context.globalAlpha = 0.18;
    context.beginPath();
    for (let i = 0; i < line.x.length; ++i) {
      context.lineTo(this.xPixel(line.x[i]), this.yPixel(Math.max(line.high[i], floor)));
    }
    for (let i = line.x.length - 1; i >= 0; --i) {
      context.lineTo(this.xPixel(line.x[i]), this.yPixel(Math.max(line.low[i], floor)));
    }
    context.fill();
    context.globalAlpha = 1;
  }
  dot(context, x, y, radius) {
    context.beginPath();
    context.arc(this.xPixel(x), this.yPixel(y), radius, 0, 2 * Math.PI);
    context.fill();
  }

  // Values that were not finite, steps that were flagged, the cursor, and what is being selected.
  drawMarks(context) {
    const {top, bottom} = this.area;
    context.fillStyle = themeColor('--bad');
    context.textAlign = 'center';
    context.textBaseline = 'top';
    for (const line of this.lines) {
      for (const x of line.bad) context.fillText('\u2715', this.xPixel(x), top);
      for (const x of line.flagged) context.fillText('\u25b4', this.xPixel(x), bottom - 12);
    }
    if (this.drag && this.drag.to !== this.drag.from) {
      context.fillStyle = themeColor('--focus');
      context.globalAlpha = 0.15;
      context.fillRect(Math.min(this.drag.from, this.drag.to), top, Math.abs(this.drag.to - this.drag.from), bottom - top);
      context.globalAlpha = 1;
    }
    if (this.cursor === null) return;
    const x = this.xPixel(this.cursor);
    context.strokeStyle = themeColor('--muted');
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x, top);
    context.lineTo(x, bottom);
    context.stroke();
    for (const {line, i} of this.underCursor()) {
      context.fillStyle = line.run.color;
      this.dot(context, line.x[i], line.y[i], 3.5);
    }
  }

  underCursor() {
    return this.lines.filter((line) => line.x.length > 0).map((line) => ({line, i: nearest(line.x, this.cursor)}))
      .filter(({line, i}) => Math.abs(this.xPixel(line.x[i]) - this.xPixel(this.cursor)) < 40);
  }

  moveTo(value, y = this.area.top + 40) {
    this.cursor = value;
    this.draw();
    const found = this.underCursor();
    this.tip.hidden = found.length === 0;
    if (this.tip.hidden) return;
    this.tip.replaceChildren(...found.map(({line, i}) => this.tipLine(line, i)));
    placeTip(this.tip, this.canvas, this.xPixel(value), y);
  }
  tipLine(line, i) {
    const format = formats[this.spec.format];
    const range = line.low && line.low[i] !== line.high[i]
      ? ` (${format(line.low[i])} to ${format(line.high[i])})` : '';
    const where = this.view.axis === 'step' ? '' : `, ${formats[this.view.axis === 'time' ? 'time' : 'count'](line.x[i])}`;
    const raw = this.view.smoothing > 0 ? `, smoothed ${format(line.y[i])}` : '';
    return element('div', {}, swatch(line.run.color), element('b', {}, format(line.raw[i])),
      `${range}${raw} at step ${line.steps[i]}${where}  ${line.run.name}`);
  }
  leave() {
    this.cursor = this.drag = null;
    this.tip.hidden = true;
    this.draw();
  }

  listen() {
    const canvas = this.canvas;
    canvas.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      this.drag = {from: event.offsetX, to: event.offsetX};
    });
    canvas.addEventListener('pointermove', (event) => {
      if (this.drag) this.drag.to = event.offsetX;
      this.moveTo(this.xValue(event.offsetX), event.offsetY);
    });
    canvas.addEventListener('pointerup', () => {
      const drag = this.drag;
      this.drag = null;
      if (drag && Math.abs(drag.to - drag.from) > 8) {
        this.view.zoomTo([drag.from, drag.to].sort((a, b) => a - b).map((pixel) => this.xValue(pixel)));
      }
    });
    canvas.addEventListener('pointercancel', () => this.leave());
    canvas.addEventListener('pointerleave', () => this.leave());
    canvas.addEventListener('blur', () => this.leave());
    canvas.addEventListener('dblclick', () => this.view.zoomTo(null));
    canvas.addEventListener('keydown', (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  key(event) {
    const {x} = this.area, span = x[1] - x[0], at = this.cursor === null ? (x[0] + x[1]) / 2 : this.cursor;
    const zoomBy = (factor) => this.view.zoomTo([at - (at - x[0]) * factor, at + (x[1] - at) * factor]);
    const actions = {
      ArrowLeft: () => this.step(-1, at), ArrowRight: () => this.step(1, at),
      Home: () => this.moveTo(x[0]), End: () => this.moveTo(x[1]),
      '+': () => zoomBy(0.5), '=': () => zoomBy(0.5), '-': () => zoomBy(2),
      Escape: () => this.view.zoomTo(null),
    };
    if (!actions[event.key] || !(span > 0) || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    actions[event.key]();
  }
  // To the next point of the first line, or a hundredth of the chart where points are dense.
  step(sign, at) {
    const line = this.lines[0], {x} = this.area;
    if (!line || line.x.length === 0) return;
    const least = (x[1] - x[0]) / 100;
    let i = nearest(line.x, at);
    do i += sign; while (line.x[i] !== undefined && Math.abs(line.x[i] - at) < least);
    i = Math.min(Math.max(i, 0), line.x.length - 1);
    this.moveTo(Math.min(Math.max(line.x[i], x[0]), x[1]));
  }
}
