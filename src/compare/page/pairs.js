// One task: every metric and average of each model, and how it differs from the baseline.
'use strict';

function pairRow(data, measure, i, baseline) {
  const value = measure.values[i], d = differenceOf(measure, baseline, i), verdict = verdictOf(measure, d);
  const number = (text) => element('td', {class: 'number'}, text);
  const cells = [number(scoreText(measure.unit, value.value)), number(intervalText(measure.unit, value))];
  if (!d) return element('tr', {}, element('td', {}, data.models[i].name), ...cells, ...Array(6).fill('').map(number));
  const counted = Number.isFinite(d.onlyBase) ? `${d.onlyOther} : ${d.onlyBase}` : '\u2013';
  const difference = element('td', {class: `number ${verdict ? (verdict.better ? 'better' : 'worse') : ''}`},
    scoreText(measure.unit, d.difference, true), verdict ? ` ${verdict.mark}` : '');
  return element('tr', {}, element('td', {}, data.models[i].name), ...cells, difference, number(intervalText(measure.unit, d)),
    number(counted), number(pText(d.p)), number(d.holm === undefined ? '\u2013' : pText(d.holm)), element('td', {}, measure.test));
}

function drawPairs(data, view, task) {
  const head = ['model', 'score', '95%', 'difference', '95%', 'better in', 'p', 'adjusted', 'test'];
  const rows = [];
  const measures = data.measures.filter((m) => m.task === task).sort((a, b) => Boolean(b.headline) - Boolean(a.headline));
  for (const measure of measures.filter((m) => !m.over.startsWith('subject '))) {
    rows.push(element('tr', {class: 'group'}, element('td', {colspan: head.length}, `${measure.metric}, ${measure.over}`,
      measure.headline ? ' (headline)' : '')));
    measure.values.forEach((value, i) => value && rows.push(pairRow(data, measure, i, view.baseline)));
  }
  document.getElementById('pairs').replaceChildren(
    element('thead', {}, element('tr', {}, ...head.map((name, k) => element('th', {class: k > 0 && k < 8 ? 'number' : ''}, name)))),
    element('tbody', {}, ...rows));
  drawTaskNote(data, task);
  drawSubjects(data, measures.filter((m) => m.over.startsWith('subject ')));
}

function drawTaskNote(data, task) {
  const own = data.tasks.find((t) => t.name === task);
  const parts = own ? [`${own.items} items`] : ['the mean of the tasks that all models have'];
  if (own?.shots !== undefined) parts.push(`${own.shots} examples before each`);
  if (own?.limit) parts.push(`the first ${own.limit} items of each file`);
  if (own?.left_out) parts.push(`${own.left_out} items are left out`);
  parts.push('\u201cbetter in\u201d: items that are right in the model alone : in the baseline alone');
  document.getElementById('task-note').textContent = parts.join('; ');
}

function drawSubjects(data, measures) {
  const details = document.getElementById('subjects');
  const metric = measures[0]?.metric, own = measures.filter((m) => m.metric === metric);
  details.hidden = own.length === 0;
  if (details.hidden) return;
  const head = element('tr', {}, element('th', {}, metric), ...data.models.map((m) => element('th', {class: 'number'}, m.name)));
  const rows = own.map((m) => element('tr', {}, element('td', {}, m.over.slice('subject '.length)),
    ...m.values.map((v) => element('td', {class: 'number'}, v ? scoreText(m.unit, v.value) : '\u2013',
      v ? element('span', {class: 'weak'}, intervalText(m.unit, v)) : ''))));
  details.querySelector('table').replaceChildren(element('thead', {}, head), element('tbody', {}, ...rows));
}
