// How evenly a run's experts are used: a picture with a column for each step, and a row for each MoE layer (its busiest
// expert) or for each expert of one layer.
'use strict';

// What load_code() of report/load_log.h makes.
const loadRatio = (code) => (code === 0 ? 0 : 2 ** ((code - 128) / 24));

// Blue below the average, red above, over two octaves each way; never chosen has a colour of its own.
function loadColor(ratio, dark) {
  if (ratio === 0) return dark ? [255, 214, 10] : [20, 20, 20];
  const t = Math.max(-1, Math.min(1, Math.log2(ratio) / 2));
  const middle = dark ? [38, 45, 54] : [244, 244, 242];
  const end = t < 0 ? (dark ? [88, 166, 255] : [5, 80, 174]) : dark ? [255, 99, 71] : [190, 24, 30];
  return middle.map((m, i) => Math.round(m + Math.abs(t) * (end[i] - m)));
}

class HeatMap {
  constructor(parent, runs) {
    this.runs = runs;
    this.cell = null;
    this.runSelect = element('select', {}, ...runs.map((run, i) => element('option', {value: i}, run.name)));
    this.rowSelect = element('select');
    this.canvas = element('canvas', {tabindex: 0, role: 'img', 'aria-label': 'Load of experts over steps'});
    this.tip = element('div', {class: 'tip', role: 'status', hidden: ''});
    this.scale = element('canvas', {'aria-hidden': 'true'});
    const bar = element('div', {class: 'bar'});
    if (runs.length > 1) bar.append(element('label', {}, 'Run ', this.runSelect));
    bar.append(element('label', {}, 'Rows ', this.rowSelect), this.legend());
    this.note = element('p', {class: 'note'});
    this.card = element('div', {class: 'card heat'}, bar, this.note, this.canvas, this.tip);
    parent.append(this.card);
    this.listen();
    this.chooseRun();
  }

  legend() {
    return element('span', {class: 'scale'}, '\u00bc\u00d7', this.scale, '4\u00d7 the average;',
      this.never = element('span', {class: 'swatch'}), 'never chosen');
  }

  chooseRun() {
    this.load = this.runs[Number(this.runSelect.value)].load;
    if (typeof this.load.codes === 'string') {
      this.load.codes = Uint8Array.from(atob(this.load.codes), (c) => c.charCodeAt(0));
    }
    this.rowSelect.replaceChildren(element('option', {value: -1}, 'layers: the busiest expert of each'),
      ...this.load.layers.map((layer, i) => element('option', {value: i}, `experts of layer ${layer}`)));
    this.chooseRows();
  }

  chooseRows() {
    this.layer = Number(this.rowSelect.value);
    this.rows = this.layer < 0 ? this.load.layers.length : this.load.experts;
    this.cell = null;
    this.tip.hidden = true;
    this.note.textContent = this.layer < 0
      ? 'Choices of the busiest expert over the average one\u2019s, of each MoE layer, in single steps'
      : 'Choices of each expert over the average one\u2019s, in single steps';
    this.draw();
  }

  code(column, layer, expert) {
    const {layers, experts, codes} = this.load;
    return codes[(column * layers.length + layer) * experts + expert];
  }
  // Of a cell of the picture: the ratio, and the expert it is of.
  at(column, row) {
    if (this.layer >= 0) return {ratio: loadRatio(this.code(column, this.layer, row)), layer: this.layer, expert: row};
    let busiest = 0;
    for (let expert = 1; expert < this.load.experts; ++expert) {
      if (this.code(column, row, expert) > this.code(column, row, busiest)) busiest = expert;
    }
    return {ratio: loadRatio(this.code(column, row, busiest)), layer: row, expert: busiest};
  }

  picture(dark) {
    const columns = this.load.steps.length;
    const image = new ImageData(columns, this.rows);
    for (let row = 0; row < this.rows; ++row) {
      for (let column = 0; column < columns; ++column) {
        image.data.set([...loadColor(this.at(column, row).ratio, dark), 255], 4 * (row * columns + column));
      }
    }
    const canvas = element('canvas', {width: columns, height: this.rows});
    canvas.getContext('2d').putImageData(image, 0, 0);
    return canvas;
  }

  draw() {
    this.canvas.style.height = `${Math.min(520, Math.max(120, 14 * this.rows) + 30)}px`;
    const {context, width, height} = clearedContext(this.canvas);
    if (width === 0) return;
    const dark = matchMedia('(prefers-color-scheme: dark)').matches;
    this.area = {left: 44, top: 4, right: width - 12, bottom: height - 24};
    const {left, top, right, bottom} = this.area;
    context.imageSmoothingEnabled = false;
    context.drawImage(this.picture(dark), left, top, right - left, bottom - top);
    this.drawAxes(context);
    this.drawScale(dark);
    if (!this.cell) return;
    const {x, y, w, h} = this.box(this.cell);
    context.strokeStyle = themeColor('--text');
    context.lineWidth = 1.5;
    context.strokeRect(x, y, w, h);
  }
  drawAxes(context) {
    const {left, right, bottom} = this.area;
    context.fillStyle = themeColor('--muted');
    context.textAlign = 'right';
    context.textBaseline = 'middle';
    const every = Math.ceil(this.rows / Math.max(1, Math.floor((bottom - this.area.top) / 14)));
    for (let row = 0; row < this.rows; row += every) {
      const {y, h} = this.box({column: 0, row});
      context.fillText(this.layer < 0 ? this.load.layers[row] : row, left - 6, y + h / 2);
    }
    context.textBaseline = 'top';
    const count = Math.max(1, Math.min(this.load.steps.length, Math.floor((right - left) / 80)));
    for (let i = 0; i < count; ++i) {
      const column = count === 1 ? 0 : Math.round((i * (this.load.steps.length - 1)) / (count - 1));
      const {x, w} = this.box({column, row: 0});
      context.textAlign = i === 0 ? 'left' : i + 1 === count ? 'right' : 'center';
      context.fillText(formats.count(this.load.steps[column]), i === 0 ? x : i + 1 === count ? x + w : x + w / 2, bottom + 6);
    }
  }
  drawScale(dark) {
    const {context, width, height} = clearedContext(this.scale);
    for (let x = 0; x < width; ++x) {
      context.fillStyle = `rgb(${loadColor(2 ** ((4 * x) / width - 2), dark).join()})`;
      context.fillRect(x, 0, 1, height);
    }
    this.never.style.background = `rgb(${loadColor(0, dark).join()})`;
  }
  box({column, row}) {
    const {left, top, right, bottom} = this.area;
    const w = (right - left) / this.load.steps.length, h = (bottom - top) / this.rows;
    return {x: left + column * w, y: top + row * h, w, h};
  }

  show(column, row) {
    const clamp = (value, count) => Math.min(Math.max(value, 0), count - 1);
    this.cell = {column: clamp(column, this.load.steps.length), row: clamp(row, this.rows)};
    this.draw();
    const {ratio, layer, expert} = this.at(this.cell.column, this.cell.row);
    this.tip.hidden = false;
    this.tip.replaceChildren(element('b', {}, ratio === 0 ? 'never' : formats.ratio(ratio)),
      ` expert ${expert} of layer ${this.load.layers[layer]}, step ${this.load.steps[this.cell.column]}`);
    const {x, y, w, h} = this.box(this.cell);
    placeTip(this.tip, this.canvas, x + w / 2, y + h / 2);
  }
  leave() {
    this.cell = null;
    this.tip.hidden = true;
    this.draw();
  }

  listen() {
    const canvas = this.canvas;
    this.runSelect.addEventListener('change', () => this.chooseRun());
    this.rowSelect.addEventListener('change', () => this.chooseRows());
    canvas.addEventListener('pointermove', (event) => {
      const {left, top, right, bottom} = this.area;
      this.show(Math.floor(((event.offsetX - left) / (right - left)) * this.load.steps.length),
        Math.floor(((event.offsetY - top) / (bottom - top)) * this.rows));
    });
    canvas.addEventListener('pointerleave', () => this.leave());
    canvas.addEventListener('blur', () => this.leave());
    canvas.addEventListener('keydown', (event) => {
      const moves = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
      const move = moves[event.key];
      if (!move) return;
      event.preventDefault();
      const {column, row} = this.cell || {column: 0, row: 0};
      this.show(column + move[0], row + move[1]);
    });
    new ResizeObserver(() => this.draw()).observe(canvas);
  }
}
