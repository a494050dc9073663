// The page: one chart for each value, then the experts' load, samples and recipes. The data, made by
// report/page_data.cpp, is {runs: [{name, path, start, last_step, series: {NAME: {steps, last, low, high}}, load, samples,
// rollouts, rollbacks, recipe}]}.
'use strict';

// In this order; what a run has besides comes behind them, the parts of a reward behind the reward.
const charts = [
  {name: 'validation_reward', title: 'Validation reward', note: 'of the most likely answers to questions that are not trained on'},
  {name: 'reward', title: 'Reward', note: 'mean of a step\u2019s sampled answers'},
  {name: 'loss', title: 'Training loss', note: 'mean per target, pair or answer: the objective of the run; nats for text'},
  {name: 'validation_loss', title: 'Validation loss', note: 'the same, of what is not trained on'},
  {name: 'accuracy', title: 'Accuracy', note: 'share of the pairs in which the chosen answer is rated higher', format: 'percent'},
  {name: 'validation_accuracy', title: 'Validation accuracy', note: 'the same, of pairs that are not trained on', format: 'percent'},
  {name: 'margin', title: 'Margin', note: 'chosen over rejected answer: score, or implicit reward'},
  {name: 'validation_margin', title: 'Validation margin', note: 'the same, of pairs that are not trained on'},
  {name: 'length', title: 'Length of answers', note: 'tokens, mean of a step'},
  {name: 'validation_length', title: 'Length of validation answers', note: 'tokens, mean'},
  {name: 'truncated', title: 'Truncated', note: 'share of the answers that the limit cut off', format: 'percent'},
  {name: 'validation_truncated', title: 'Truncated in validation', note: 'the same, of validation answers', format: 'percent'},
  {name: 'entropy', title: 'Entropy', note: 'of the policy, nats per sampled token'},
  {name: 'kl', title: 'KL', note: 'from the policy to the reference, k3 estimate'},
  {name: 'skipped_groups', title: 'Skipped groups', note: 'share of the questions whose answers have equal rewards', format: 'percent'},
  {name: 'unscored', title: 'Unscored', note: 'answers without a reward', format: 'count'},
  {name: 'policy_loss', title: 'Policy loss', note: 'the loss without its KL term'},
  {name: 'ratio', title: 'Ratio', note: 'current over old policy, mean; 1 in the first step of a rollout'},
  {name: 'clipped_high', title: 'Clipped above', note: 'share of the ratios', format: 'percent'},
  {name: 'clipped_low', title: 'Clipped below', note: 'share of the ratios', format: 'percent'},
  {name: 'engine_gap', title: 'Engine gap', note: 'log-probability of a sampled token: engine against training, mean'},
  {name: 'engine_gap_largest', title: 'Largest engine gap', note: 'the same, of the worst token of a step'},
  {name: 'experts_differing', title: 'Experts differing', note: 'share of the choices that training would have made otherwise',
    format: 'percent'},
  {name: 'rollout_tokens_per_second', title: 'Rollout speed', note: 'sampled tokens per second', format: 'count'},
  {name: 'rollout_share', title: 'Share of the rollout', note: 'of the time from rollout to rollout', format: 'percent'},
  {name: 'rollout_seconds', title: 'Time of the rollout', note: 'in which the engine answers', format: 'time'},
  {name: 'reward_seconds', title: 'Time of the rewards', note: 'in which answers are scored', format: 'time'},
  {name: 'update_seconds', title: 'Time of the updates', note: 'from the rollout before', format: 'time'},
  {name: 'lr', title: 'Learning rate', note: 'of each step', format: 'rate'},
  {name: 'grad_norm', title: 'Gradient norm', note: 'before clipping'},
  {name: 'tokens_per_second', title: 'Throughput', note: 'tokens per second, of each step', format: 'count'},
  {name: 'host_memory', title: 'Memory', note: 'highest so far of the process that takes most', format: 'bytes'},
  {name: 'gpu_memory', title: 'GPU memory', note: 'in use on the fullest GPU', format: 'bytes'},
  {name: 'expert_load', title: 'Expert load', note: 'busiest expert over the average, of the worst layer', format: 'ratio'},
  {name: 'dead_experts', title: 'Dead experts', note: 'not chosen in 100 steps', format: 'count'},
  {name: 'rollbacks', title: 'Roll-backs', note: 'to the last checkpoint, so far', format: 'count'},
  {name: 'group_load', title: 'Load of groups', note: 'busiest group of experts over the average, of the worst layer',
    format: 'ratio'},
  {name: 'dropped', title: 'Dropped', note: 'share of the choices of experts that were dropped', format: 'percent'},
  {name: 'balance_loss', title: 'Balance loss', note: 'times its alpha, summed over the layers'},
  {name: 'device_balance_loss', title: 'Device balance loss', note: 'times its alpha, summed over the layers'},
  {name: 'communication_balance_loss', title: 'Communication balance loss',
    note: 'times its alpha, summed over the layers'},
];
const notDrawn = new Set(['time', 'tokens', 'targets', 'anomaly']);

// Of a reward that is a sum.
function partsOf(spec, names) {
  if (!/^(validation_)?reward$/.test(spec.name)) return [];
  const own = [...names].filter((name) => name.startsWith(spec.name + '_') && !name.endsWith('_seconds'));
  return own.map((name) => {
    names.delete(name);
    return {name, title: `${spec.title}: ${name.slice(spec.name.length + 1)}`, note: 'before its weight'};
  });
}

// "eval/mmlu/sum/subjects": a score of a task.
function taskSpec(name) {
  const [, task, metric, over] = name.split('/');
  return {name, title: `${task}: ${metric}${over ? `, mean of ${over}` : ''}`, note: 'a task that is scored while training',
    format: metric === 'bits_per_byte' ? 'plain' : 'percent'};
}

function chartsOf(runs) {
  const names = new Set(runs.flatMap((run) => Object.keys(run.series)));
  const known = charts.filter((spec) => names.delete(spec.name)).flatMap((spec) => [spec, ...partsOf(spec, names)]);
  const others = [...names].filter((name) => !notDrawn.has(name))
    .map((name) => name.startsWith('eval/') ? taskSpec(name) : {name, title: name});
  return [...known, ...others].map((spec) => ({format: 'plain', ...spec}));
}

function main() {
  const byId = (id) => document.getElementById(id);
  const {runs} = JSON.parse(byId('data').textContent);
  runs.forEach((run, i) => {
    run.color = colorOf(i);
    run.first_step = Math.min(...Object.values(run.series).map((series) => series.steps[0] ?? run.last_step));
  });
  document.title = `${runs.map((run) => run.name).join(', ')} \u2013 fathom report`;

  const view = {axis: 'step', smoothing: 0, log: false, outliers: false, zoom: null, shown: new Set(runs)};
  const lines = chartsOf(runs).map((spec) => new LineChart(byId('charts'), spec, runs, view));
  const prepare = () => lines.forEach((chart) => chart.prepare());
  view.zoomTo = (range) => {
    view.zoom = range;
    lines.forEach((chart) => chart.draw());
  };
  drawRuns(byId('runs'), runs, (run, on) => {
    if (on) view.shown.add(run);
    else view.shown.delete(run);
    prepare();
  });

  drawRollBacks(byId('rollbacks'), runs);

  byId('controls').addEventListener('submit', (event) => event.preventDefault());
  byId('controls').addEventListener('input', () => {
    if (view.axis !== byId('axis').value) view.zoom = null;
    view.axis = byId('axis').value;
    view.smoothing = Number(byId('smoothing').value);
    view.log = byId('log').checked;
    view.outliers = byId('outliers').checked;
    prepare();
  });
  byId('reset').addEventListener('click', () => view.zoomTo(null));

  const loaded = runs.filter((run) => run.load);
  byId('load').hidden = loaded.length === 0;
  const maps = loaded.length > 0 ? [new HeatMap(byId('load'), loaded)] : [];
  drawSamples(byId('samples'), runs);
  drawRollouts(byId('rollouts'), runs);
  drawRecipes(byId('recipes'), runs);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => [...lines, ...maps].forEach((chart) => chart.draw()));
}

main();
