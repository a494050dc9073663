// Numbers as texts, axes' marks, and elements: what the other files share.
'use strict';

function withUnit(value, units, base, digits) {
  let power = 0;
  while (Math.abs(value) >= base && power + 1 < units.length) {
    value /= base;
    ++power;
  }
  return significant(value, digits) + units[power];
}

// 4 digits that count, without zeros at the end.
function significant(value, digits = 4) {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e7 || size < 1e-4) return scientific(value);
  return String(Number(value.toPrecision(digits)));
}

function scientific(value) {
  return value.toExponential(2).replace(/\.?0+e/, 'e').replace('e+', 'e');
}

function duration(seconds) {
  if (seconds < 60) return significant(seconds, 3) + ' s';
  if (seconds < 3600) return significant(seconds / 60, 3) + ' min';
  if (seconds < 48 * 3600) return significant(seconds / 3600, 3) + ' h';
  return significant(seconds / 86400, 3) + ' d';
}

const formats = {
  plain: (v) => significant(v),
  rate: (v) => (v === 0 ? '0' : scientific(v)),
  count: (v) => withUnit(v, ['', 'K', 'M', 'B', 'T'], 1000, 4),
  bytes: (v) => withUnit(v, [' B', ' KB', ' MB', ' GB', ' TB'], 1000, 4),
  percent: (v) => significant(100 * v, 3) + '%',
  ratio: (v) => significant(v, 3) + '\u00d7',
  time: duration,
};

function shown(value, format) {
  return Number.isFinite(value) ? formats[format](value) : '\u2013';
}

// About `count` round numbers from low to high.
function linearMarks(low, high, count) {
  const rough = (high - low) / Math.max(count, 1);
  if (!(rough > 1e-12 * Math.max(Math.abs(low), Math.abs(high)))) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= rough);
  const marks = [];
  for (let i = Math.ceil(low / step); i * step <= high * (1 + 1e-12); ++i) marks.push(i * step);
  return marks;
}

// Of a time axis: in the units that people count in.
function timeMarks(low, high, count) {
  const units = [1, 60, 3600, 86400];
  const unit = [...units].reverse().find((u) => high >= 2 * u) || 1;
  return linearMarks(low / unit, high / unit, count).map((m) => m * unit);
}

// Powers of ten, with 2 and 5 between them where there are few.
function logMarks(low, high) {
  const marks = [];
  const first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high));
  const factors = last - first <= 2 ? [1, 2, 5] : [1];
  const stride = Math.max(1, Math.round((last - first) / 6));
  for (let power = first; power <= last; power += stride) {
    for (const factor of factors) {
      const mark = factor * 10 ** power;
      if (mark >= low && mark <= high) marks.push(mark);
    }
  }
  return marks.length >= 2 ? marks : linearMarks(low, high, 4);
}

const colors = ['#3b7dd8', '#e4572e', '#2a9d5c', '#b455c4', '#c98a00', '#0fa3b1', '#d6336c', '#7a6ff0', '#7d8b00',
  '#8c6d5a'];
const colorOf = (i) => colors[i] || `hsl(${(i * 137.5) % 360} 60% 50%)`;

// An element with text, never with markup.
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

function swatch(color) {
  const made = element('span', {class: 'swatch'});
  made.style.background = color;
  return made;
}

// The first cards, and the others when they are asked for.
function appendCards(section, cards, atFirst) {
  section.append(...cards.slice(0, atFirst));
  if (cards.length <= atFirst) return;
  const more = element('button', {type: 'button'}, `Show all ${cards.length}`);
  more.addEventListener('click', () => more.replaceWith(...cards.slice(atFirst)));
  section.append(more);
}

function themeColor(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// The canvas in device pixels, cleared; coordinates are CSS pixels.
function clearedContext(canvas) {
  const scale = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext('2d');
  context.scale(scale, scale);
  context.clearRect(0, 0, width, height);
  context.font = '11px system-ui, "DejaVu Sans", sans-serif';
  return {context, width, height};
}

// Beside the point, inside the card.
function placeTip(tip, canvas, x, y) {
  const card = tip.parentElement;
  const left = canvas.offsetLeft + x, top = canvas.offsetTop + y;
  const beside = left + 14 + tip.offsetWidth < card.clientWidth ? left + 14 : left - 14 - tip.offsetWidth;
  tip.style.left = Math.max(4, Math.min(beside, card.clientWidth - tip.offsetWidth - 4)) + 'px';
  tip.style.top = Math.max(4, top - tip.offsetHeight / 2) + 'px';
}

// The last index with list[index] <= value; 0 where there is none.
function lastAtMost(list, value) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

function nearest(list, value) {
  const at = lastAtMost(list, value);
  return at + 1 < list.length && list[at + 1] - value < value - list[at] ? at + 1 : at;
}
