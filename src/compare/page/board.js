// The table of models and tasks, and what is said of one of its cells.
'use strict';

const units = {
  share: {scale: 100, digits: 2, format: 'percent'},
  bits: {scale: 1, digits: 4, format: 'plain'},
  rating: {scale: 1, digits: 3, format: 'plain'},
};

function scoreText(unit, value, sign = false) {
  const {scale, digits} = units[unit];
  const text = (scale * value).toFixed(digits);
  return sign && !text.startsWith('-') ? '+' + text : text;
}

const hasInterval = (value) => Number.isFinite(value.low) && Number.isFinite(value.high);
const intervalText = (unit, value) => (hasInterval(value)
  ? `[${scoreText(unit, value.low)}, ${scoreText(unit, value.high)}]` : '');
const pText = (p) => (p < 0.0001 ? '<0.0001' : p.toFixed(4));

// Of `other` less `base`; nothing where they have no item in common. Pairs are stored once, second less first.
function differenceOf(measure, base, other) {
  const pair = (measure.pairs || []).find(([a, b]) => a === Math.min(base, other) && b === Math.max(base, other));
  if (!pair || base === other) return null;
  const d = pair[2], turned = base > other, negated = (x) => (Number.isFinite(x) ? 0 - x : x);
  return {
    difference: turned ? negated(d.difference) : d.difference,
    low: turned ? negated(d.high) : d.low,
    high: turned ? negated(d.low) : d.high,
    p: d.p,
    holm: d.holm ? d.holm[turned ? 1 : 0] : undefined,
    onlyBase: turned ? d.only_second : d.only_first,
    onlyOther: turned ? d.only_first : d.only_second,
  };
}

// Whether `other` is better than the baseline, and how sure that is.
function verdictOf(measure, d) {
  if (!d || d.difference === 0 || !(d.p < 0.05)) return null;
  const better = measure.unit === 'bits' ? d.difference < 0 : d.difference > 0;
  const sure = d.holm !== undefined && d.holm < 0.05;
  return {better, sure, mark: better ? (sure ? '\u25b2' : '\u25b3') : (sure ? '\u25bc' : '\u25bd'),
    words: `${better ? 'better' : 'worse'} than the baseline, p < 0.05 ${sure ? 'after Holm\u2019s adjustment' : 'not adjusted'}`};
}

class Board {
  // `view`: {baseline, metric, over, published}; `onItems(task, model)` shows the items of a cell.
  constructor(table, detail, data, view, onItems) {
    Object.assign(this, {table, detail, data, view, onItems, sort: null});
  }

  // A column for each task: its headlines, or the metric and the average that are chosen.
  columns() {
    const {metric, over} = this.view;
    const whole = this.data.measures.filter((m) => !/^(subject|category) /.test(m.over));
    if (metric === '' && over === '') return whole.filter((m) => m.headline);
    return whole.filter((m) => (metric === '' ? this.isHeadlineMetric(m) : m.metric === metric) &&
      (over === '' ? this.isFirst(m) : m.over.startsWith(over)));
  }
  isHeadlineMetric(measure) {
    return this.data.measures.some((m) => m.headline && m.task === measure.task && m.metric === measure.metric);
  }
  isFirst(measure) {
    return this.data.measures.find((m) => m.task === measure.task && m.metric === measure.metric) === measure;
  }

  draw() {
    const columns = this.columns();
    if (this.sort && !columns.includes(this.sort.column)) this.sort = null;
    const head = element('tr', {}, element('th', {scope: 'col'}, 'model'), ...columns.map((m) => this.head(m)));
    const models = this.data.models.map((model, i) => ({model, i}));
    const rows = this.sorted(models).map(({model, i}) => this.row(model, i, columns));
    if (this.view.published) {
      this.data.published_models.forEach((model, i) => {
        const cells = columns.map((m) => (m.published || []).find((p) => p.model === i));
        if (cells.some(Boolean)) rows.push(this.publishedRow(model, columns, cells));
      });
    }
    this.table.replaceChildren(element('thead', {}, head), element('tbody', {}, ...rows));
  }

  head(measure) {
    const here = this.sort && this.sort.column === measure;
    const button = element('button', {type: 'button', title: 'Sort by this column'}, measure.task,
      here ? (this.sort.up ? ' \u2191' : ' \u2193') : '', element('small', {}, `${measure.metric}, ${measure.over}`));
    button.addEventListener('click', () => {
      const up = here ? !this.sort.up : measure.unit === 'bits';
      this.sort = {column: measure, up};
      this.draw();
      this.table.querySelectorAll('thead button')[this.columns().indexOf(measure)].focus();
    });
    return element('th', {scope: 'col', 'aria-sort': here ? (this.sort.up ? 'ascending' : 'descending') : 'none'}, button);
  }

  sorted(models) {
    if (!this.sort) return models;
    const value = ({i}) => this.sort.column.values[i]?.value;
    const sign = this.sort.up ? 1 : -1;
    return [...models].sort((a, b) => {
      const x = value(a), y = value(b);
      if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
      return sign * (x - y);
    });
  }

  row(model, i, columns) {
    const name = element('td', {title: model.path}, model.name);
    if (i === this.view.baseline) name.append(element('span', {class: 'weak'}, 'baseline'));
    return element('tr', {}, name, ...columns.map((m) => this.cell(m, i)));
  }

  cell(measure, i) {
    const value = measure.values[i];
    if (!value) return element('td', {class: 'number', title: 'no results'}, '\u2013');
    const verdict = verdictOf(measure, differenceOf(measure, this.view.baseline, i));
    const mark = verdict ? element('span', {class: verdict.better ? 'better' : 'worse', title: verdict.words}, ` ${verdict.mark}`) : '';
    const button = element('button', {type: 'button', 'aria-label': this.words(measure, i, verdict)},
      element('b', {}, scoreText(measure.unit, value.value)), mark, element('small', {}, intervalText(measure.unit, value) || '\u00a0'));
    button.addEventListener('click', () => this.show(measure, i));
    return element('td', {class: this.isBest(measure, value) ? 'best' : ''}, button);
  }
  words(measure, i, verdict) {
    const value = measure.values[i];
    return `${this.data.models[i].name}, ${measure.task}: ${scoreText(measure.unit, value.value)} ` +
      `${intervalText(measure.unit, value)}${verdict ? ', ' + verdict.words : ''}`;
  }
  isBest(measure, value) {
    const all = measure.values.filter(Boolean).map((v) => v.value);
    return all.length > 1 && value.value === (measure.unit === 'bits' ? Math.min(...all) : Math.max(...all));
  }

  publishedRow(model, columns, cells) {
    const name = element('td', {title: model.source}, model.name, element('span', {class: 'weak'}, 'published'));
    return element('tr', {class: 'published'}, name, ...cells.map((cell, k) => {
      if (!cell) return element('td', {class: 'number'}, '\u2013');
      const button = element('button', {type: 'button'}, scoreText(columns[k].unit, cell.value),
        element('small', {}, cell.note ? 'see note' : '\u00a0'));
      button.addEventListener('click', () => this.fill(`${model.name}, ${columns[k].task}`, [
        ['score', scoreText(columns[k].unit, cell.value)], ['source', model.source],
        ['interval', 'none is published, so nothing is said of its significance'], ...(cell.note ? [['note', cell.note]] : [])]));
      return element('td', {}, button);
    }));
  }

  show(measure, i) {
    const value = measure.values[i], unit = measure.unit, model = this.data.models[i];
    const base = this.data.models[this.view.baseline].name, d = differenceOf(measure, this.view.baseline, i);
    const facts = [['score', `${scoreText(unit, value.value)} ${intervalText(unit, value)}`],
      ['of', `${measure.metric}, over ${measure.over}, ${value.items} items`]];
    if (Number.isFinite(value.error)) facts.push(['standard error', scoreText(unit, value.error)]);
    if (d) facts.push(...differenceFacts(measure, d, base));
    else if (i !== this.view.baseline) facts.push(['difference', `${base} has no scores of these items`]);
    for (const remark of this.data.remarks) {
      if (remark.startsWith(`${measure.task}, ${model.name}:`)) facts.push(['note', remark.slice(remark.indexOf(':') + 2)]);
    }
    this.fill(`${model.name}, ${measure.task}`, facts, measure, i);
  }
  fill(title, facts, measure = null, i = -1) {
    const list = element('dl', {}, ...facts.flatMap(([name, text]) => [element('dt', {}, name), element('dd', {}, text)]));
    const close = element('button', {type: 'button'}, 'Close');
    close.addEventListener('click', () => { this.detail.hidden = true; });
    const more = element('button', {type: 'button'}, 'Items that differ');
    more.addEventListener('click', () => this.onItems(measure.task, i));
    const shows = measure && Object.hasOwn(this.data.differing, measure.task) && i !== this.view.baseline;
    this.detail.replaceChildren(element('h3', {}, title), list, ...(shows ? [more, ' '] : []), close);
    this.detail.hidden = false;
    this.detail.scrollIntoView({block: 'nearest'});
  }
}

function differenceFacts(measure, d, base) {
  const facts = [[`less ${base}`, `${scoreText(measure.unit, d.difference, true)} ${intervalText(measure.unit, d)}, paired bootstrap over ` +
    `${measure.paired_clusters} clusters`]];
  if (Number.isFinite(d.onlyBase)) facts.push(['right in one alone', `${d.onlyOther} here, ${d.onlyBase} in ${base}`]);
  facts.push(['p', `${pText(d.p)}, ${measure.test}`]);
  if (d.holm !== undefined) facts.push(['p, adjusted', `${pText(d.holm)}, by Holm over all headlines and models`]);
  return facts;
}
