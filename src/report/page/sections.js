// The parts of the page that are text: the table of runs, samples, recipes.
'use strict';

function lastOf(run, name) {
  const series = run.series[name];
  return series && series.last.length > 0 ? series.last[series.last.length - 1] : undefined;
}

function lowestOf(run, name) {
  const series = run.series[name];
  return series ? (series.low || series.last).reduce((a, b) => Math.min(a, b), Infinity) : Infinity;
}

function medianOf(run, name) {
  const series = run.series[name];
  if (!series || series.last.length === 0) return undefined;
  const sorted = [...series.last].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

const runColumns = [
  ['steps', (run) => String(run.last_step)],
  ['tokens', (run) => shown(lastOf(run, 'tokens'), 'count')],
  ['loss', (run) => shown(lastOf(run, 'loss'), 'plain')],
  ['validation', (run) => shown(lastOf(run, 'validation_loss'), 'plain')],
  ['best', (run) => shown(lowestOf(run, 'validation_loss'), 'plain')],
  ['reward', (run) => shown(lastOf(run, 'reward'), 'plain')],
  ['validation reward', (run) => shown(lastOf(run, 'validation_reward'), 'plain')],
  ['tokens/s', (run) => shown(medianOf(run, 'tokens_per_second'), 'count')],
  ['memory', (run) => shown(lastOf(run, 'gpu_memory') || lastOf(run, 'host_memory'), 'bytes')],
  ['time', (run) => shown(lastOf(run, 'time'), 'time')],
];

function drawRuns(table, runs, onChange) {
  const columns = runColumns.filter(([, value]) => runs.some((run) => value(run) !== '\u2013'));
  const head = element('tr', {}, element('th', {}, 'run'),
    ...columns.map(([title]) => element('th', {class: 'number'}, title)), element('th', {}, 'begun'));
  const rows = runs.map((run) => {
    const box = element('input', {type: 'checkbox', checked: ''});
    box.addEventListener('change', () => onChange(run, box.checked));
    const name = element('label', {title: run.path}, box, swatch(run.color), run.name);
    const begun = run.start > 0 ? new Date(1000 * run.start).toLocaleString() : '\u2013';
    return element('tr', {}, element('td', {}, name),
      ...columns.map(([, value]) => element('td', {class: 'number'}, value(run))), element('td', {}, begun));
  });
  table.replaceChildren(element('thead', {}, head), element('tbody', {}, ...rows));
}

function drawRollBacks(list, runs) {
  const all = runs.flatMap((run) => run.rollbacks.map((rollBack) => ({run, ...rollBack})));
  list.hidden = all.length === 0;
  list.replaceChildren(...all.map(({run, step, to, why}) => element('li', {}, swatch(run.color),
    `${run.name}: rolled back from step ${step} to the checkpoint of step ${to}: ${why}`)));
}

// The newest first.
function drawSamples(section, runs) {
  const all = runs.flatMap((run) => run.samples.map((sample) => ({run, ...sample})));
  all.sort((a, b) => b.step - a.step);
  section.hidden = all.length === 0;
  const cards = all.map(({run, step, prompt, text}) => element('div', {class: 'card sample'},
    element('h3', {}, swatch(run.color), `${run.name}, step ${step}`),
    element('p', {}, element('span', {class: 'prompt'}, prompt), text)));
  appendCards(section, cards, 6);
}

// The answers to a question with their rewards, best first.
function rolloutTable(answers) {
  const parts = [...new Set(answers.flatMap((answer) => answer.parts.map(([name]) => name)))];
  const head = element('tr', {}, element('th', {class: 'number'}, 'reward'),
    ...parts.map((name) => element('th', {class: 'number'}, name)), element('th', {class: 'number'}, 'advantage'),
    element('th', {class: 'number'}, 'tokens'), element('th', {}, 'answer'));
  const rows = answers.map((answer) => {
    const byName = new Map(answer.parts);
    const numbers = [answer.reward === null ? 'unscored' : shown(answer.reward, 'plain'),
      ...parts.map((name) => byName.get(name) ?? '\u2013'),
      answer.advantage === null ? '\u2013' : shown(answer.advantage, 'plain'),
      answer.tokens + (answer.truncated ? ', cut' : '')];
    return element('tr', {}, ...numbers.map((text) => element('td', {class: 'number'}, text)),
      element('td', {class: 'answer'}, answer.text));
  });
  return element('div', {class: 'table'}, element('table', {}, element('thead', {}, head), element('tbody', {}, ...rows)));
}

// The newest first.
function drawRollouts(section, runs) {
  const all = runs.flatMap((run) => run.rollouts.map((group) => ({run, ...group})));
  all.sort((a, b) => b.step - a.step);
  section.hidden = all.length === 0;
  const cards = all.map(({run, step, prompt, count, answers}) => element('div', {class: 'card sample rollout'},
    element('h3', {}, swatch(run.color), `${run.name}, step ${step}`),
    element('p', {}, element('span', {class: 'prompt'}, prompt)),
    ...(count > answers.length ? [element('p', {class: 'note'}, `${answers.length} of ${count} answers`)] : []),
    rolloutTable(answers)));
  appendCards(section, cards, 3);
}

function recipeTable(keys, runs) {
  const head = element('tr', {}, element('th', {}, 'key'),
    ...runs.map((run) => element('th', {}, swatch(run.color), run.name)));
  const rows = keys.map((key) => element('tr', {}, element('th', {scope: 'row'}, key),
    ...runs.map((run) => element('td', {}, Object.hasOwn(run.recipe, key) ? run.recipe[key] : '\u2013'))));
  return element('div', {class: 'table'}, element('table', {class: 'recipe'}, element('thead', {}, head),
    element('tbody', {}, ...rows)));
}

// What differs, and all of it when asked for.
function drawRecipes(section, runs) {
  const known = runs.filter((run) => Object.keys(run.recipe).length > 0);
  const keys = [...new Set(known.flatMap((run) => Object.keys(run.recipe)))];
  section.hidden = keys.length === 0;
  if (section.hidden) return;
  const differs = (key) => known.some((run) => run.recipe[key] !== known[0].recipe[key]);
  if (known.length > 1) {
    const different = keys.filter(differs);
    section.append(element('p', {class: 'note'}, `${different.length} of ${keys.length} keys differ`));
    if (different.length > 0) section.append(recipeTable(different, known));
  }
  const all = element('details', {}, element('summary', {}, `All ${keys.length} keys`));
  all.addEventListener('toggle', () => all.childElementCount === 1 && all.append(recipeTable(keys, known)));
  section.append(all);
}
