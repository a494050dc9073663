// Items that two models score differently, side by side.
'use strict';

class DifferingItems {
  constructor(section, data, view) {
    Object.assign(this, {section, data, view});
    const byId = (id) => document.getElementById(id);
    this.inputs = Object.fromEntries(['task', 'metric', 'first', 'second', 'better', 'text'].map((n) => [n, byId('item-' + n)]));
    this.count = byId('item-count');
    this.cards = byId('item-cards');
    const tasks = Object.keys(data.differing);
    section.hidden = tasks.length === 0;
    if (section.hidden) return;
    this.inputs.task.replaceChildren(...tasks.map((task) => element('option', {}, task)));
    section.querySelector('form').addEventListener('submit', (event) => event.preventDefault());
    section.querySelector('form').addEventListener('input', (event) => {
      if (event.target === this.inputs.task) this.chooseTask();
      else this.draw();
    });
    this.chooseTask();
  }

  chooseTask(second = -1) {
    this.task = this.data.differing[this.inputs.task.value];
    const runs = [...new Set(this.task.pairs.flatMap(([a, b]) => [a, b]))].sort((a, b) => a - b);
    const {first, second: other, metric} = this.inputs;
    for (const select of [first, other]) {
      select.replaceChildren(...runs.map((i) => element('option', {value: i}, this.data.models[i].name)));
    }
    first.value = runs.includes(this.view.baseline) ? this.view.baseline : runs[0];
    other.value = runs.includes(second) ? second : runs.find((i) => i !== Number(first.value));
    const headline = this.data.measures.find((m) => m.headline && m.task === this.inputs.task.value).metric;
    metric.replaceChildren(...this.task.metrics.map((name) => element('option', {}, name)));
    metric.value = headline;
    this.draw();
  }

  // From a cell of the leaderboard.
  show(task, model) {
    this.inputs.task.value = task;
    this.chooseTask(model);
    this.section.scrollIntoView();
    this.inputs.task.focus({preventScroll: true});
  }

  draw() {
    const a = Number(this.inputs.first.value), b = Number(this.inputs.second.value);
    const metric = this.task.metrics.indexOf(this.inputs.metric.value);
    const scored = this.task.items.map((item) => {
      const of = (model) => item.runs.find((run) => run.model === model);
      return {item, runs: [of(a), of(b)], scores: [of(a).scores[metric], of(b).scores[metric]]};
    });
    const better = this.inputs.better.value, text = this.inputs.text.value.toLowerCase();
    const unit = this.data.measures.find((m) => m.task === this.inputs.task.value).unit;
    const wins = ([x, y]) => (unit === 'bits' ? x < y : x > y);
    const differ = scored.filter(({scores: [x, y]}) => x !== y);
    const found = differ.filter(({item, scores}) => (better === '' || wins(scores) === (better === 'first')) &&
      (text === '' || JSON.stringify(item).toLowerCase().includes(text)));
    this.drawCount(a, b, metric, differ.length, found.length, unit);
    this.cards.replaceChildren();
    appendCards(this.cards, found.map((one) => this.card(one, [a, b], metric, wins, unit)), 6);
  }

  drawCount(a, b, metric, here, found, unit) {
    const pair = this.task.pairs.find(([x, y]) => x === Math.min(a, b) && y === Math.max(a, b));
    if (!pair) {
      this.count.textContent = 'Two different models are to be chosen.';
      return;
    }
    const counts = pair[2][metric], all = counts[0] + counts[1];
    const ofA = counts[(a < b) === (unit !== 'bits') ? 0 : 1];
    const names = [this.data.models[a].name, this.data.models[b].name];
    this.count.textContent = `They differ in ${all} items: ${names[0]} is better in ${ofA}, ${names[1]} in ${all - ofA}. ` +
      `${here} of them are in this page, which has about ${this.task.cap} for two models; ${found} are shown.`;
  }

  card({item, runs, scores}, models, metric, wins, unit) {
    const card = element('div', {class: 'card item'}, element('h3', {}, item.id));
    for (const prompt of item.prompts || []) card.append(element('div', {class: 'text asked', tabindex: 0}, prompt));
    if (item.keys.length > 0) card.append(element('p', {class: 'note'}, 'right: ' + item.keys.join(' | ')));
    if (runs[0].options || runs[1].options) card.append(this.options(item, runs, models, metric));
    const sides = runs.map((run, k) => this.side(run, models[k], scores, k, metric, wins, unit));
    card.append(element('div', {class: 'sides'}, ...sides));
    return card;
  }

  // The log-probabilities of the answers.
  options(item, runs, models, metric) {
    const name = this.task.metrics[metric];
    const head = element('tr', {}, element('th', {}, 'answer'), ...models.map((i) => element('th', {class: 'number'}, `log P, ${this.data.models[i].name}`)));
    const count = Math.max(...runs.map((run) => (run.options || []).length));
    const rows = Array.from({length: count}, (_, k) => {
      const right = k === item.gold;
      const label = [item.labels[k], item.texts?.[k]].filter(Boolean).join('. ');
      return element('tr', {}, element('td', {class: 'option'}, label || String(k), right ? element('span', {class: 'better'}, ' \u2713 right') : ''),
        ...runs.map((run) => element('td', {class: 'number'}, run.options ? run.options[k].toFixed(3) : '\u2013',
          run.picked?.[name] === k ? element('span', {class: right ? 'better' : 'worse'}, ` \u25c0 chosen${name === 'sum' ? '' : ' by ' + name}`) : '')));
    });
    return element('div', {class: 'table'}, element('table', {}, element('thead', {}, head), element('tbody', {}, ...rows)));
  }

  verdict(unit, score) {
    if (unit === 'share' && (score === 0 || score === 1)) return score === 1 ? 'right' : 'wrong';
    return scoreText(unit, score);
  }

  side(run, model, scores, k, metric, wins, unit) {
    const better = k === 0 ? wins(scores) : !wins(scores);
    const side = element('div', {class: `side ${better ? 'better' : 'worse'}`},
      element('b', {}, this.data.models[model].name), ` ${this.verdict(unit, scores[k])}`);
    if (run.not_run) side.append(element('p', {class: 'note'}, run.not_run));
    (run.outputs || []).forEach(([text, finish], s) => {
      side.append(element('div', {class: 'text', tabindex: 0}, text));
      const found = run.answers?.[this.task.metrics[metric]];
      const answer = found ? `found: ${found[s] || 'no answer'}; ` : '';
      side.append(element('p', {class: 'note'}, `${answer}ended by ${finish}`));
    });
    return side;
  }
}
