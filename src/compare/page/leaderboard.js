// The page: the leaderboard, one task, checkpoints, items that differ. The data is what compare/comparison_json.cpp and
// compare/differing_items.cpp make.
'use strict';

function fillSelect(select, options) {
  select.replaceChildren(...options.map(([value, text]) => element('option', {value}, text)));
}

function summaryOf(data) {
  const count = (n, noun) => `${n} ${noun}${n === 1 ? '' : 's'}`;
  return `${count(data.models.length, 'model')}, ${count(data.tasks.length, 'task')}. Scores are in percent, but for bits per byte (less is ` +
    'better) and ratings; below each is its 95% interval.';
}

function legendOf(data, view) {
  if (data.models.length < 2) return 'Select a score to see more of it.';
  return `Marks compare with the baseline, ${data.models[view.baseline].name}, on the same items: \u25b2 better and \u25bc worse at the level ` +
    `0.05 after Holm\u2019s adjustment over ${data.comparisons[view.baseline]} comparisons; \u25b3 and \u25bd without adjustment only. The best score ` +
    'of a column is underlined. Select a score to see its difference and its test; select a column\u2019s head to sort.';
}

function main() {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId('data').textContent);
  const view = {baseline: data.baseline, metric: '', over: '', published: true};
  const items = new DifferingItems(byId('items'), data, view);
  const board = new Board(byId('board'), byId('detail'), data, view, (task, model) => items.show(task, model));
  const unique = (all) => [...new Set(all)];
  byId('summary').textContent = summaryOf(data);
  fillSelect(byId('baseline'), data.models.map((model, i) => [i, model.name]));
  byId('baseline').value = data.baseline;
  fillSelect(byId('metric'), [['', 'headline of each task'], ...unique(data.measures.filter((m) => m.task !== 'macro average')
    .map((m) => m.metric)).map((name) => [name, name])]);
  const kinds = unique(data.measures.map((m) => m.over.split(' ')[0])).filter((kind) => ['subjects', 'categories'].includes(kind));
  fillSelect(byId('over'), [['', 'items'], ...kinds.map((kind) => [kind, kind])]);
  byId('published-label').hidden = data.published_models.length === 0;
  fillSelect(byId('task-choice'), unique(data.measures.map((m) => m.task)).map((task) => [task, task]));
  byId('remarks').hidden = data.remarks.length === 0;
  byId('remarks').querySelector('ul').replaceChildren(...data.remarks.map((text) => element('li', {}, text)));
  const charts = drawCheckpoints(byId('checkpoints'), data);

  const draw = () => {
    board.draw();
    byId('legend').textContent = legendOf(data, view);
    drawPairs(data, view, byId('task-choice').value);
  };
  byId('controls').addEventListener('submit', (event) => event.preventDefault());
  byId('controls').addEventListener('input', () => {
    Object.assign(view, {baseline: Number(byId('baseline').value), metric: byId('metric').value, over: byId('over').value,
      published: byId('published').checked});
    byId('detail').hidden = true;
    draw();
  });
  byId('task-choice').addEventListener('input', draw);
  draw();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => charts.forEach((chart) => chart.draw()));
}

main();
