// Scores of the checkpoints of training runs against the tokens they were trained on.
'use strict';

// As LineChart takes runs: a chart's line through the checkpoints that have the task, with a band.
function seriesRuns(data, measures) {
  return data.series.map(({name, models}, i) => {
    const tokens = models.map((m) => data.models[m].trained_tokens);
    const steps = models.map((m, k) => data.models[m].step ?? tokens[k]);
    const series = {tokens: {steps, last: tokens}};
    for (const measure of measures) {
      const known = models.map((m, k) => ({value: measure.values[m], step: steps[k]})).filter(({value}) => value);
      const at = (pick) => known.map(({value}) => pick(value));
      series[chartName(measure)] = {steps: known.map(({step}) => step), last: at((v) => v.value),
        low: at((v) => v.low ?? v.value), high: at((v) => v.high ?? v.value)};
    }
    return {name, color: colorOf(i), series, first_step: steps[0], last_step: steps[steps.length - 1]};
  });
}

const chartName = (measure) => `${measure.task} ${measure.metric} ${measure.over}`;

function drawCheckpoints(section, data) {
  section.hidden = data.series.length === 0;
  if (section.hidden) return [];
  const measures = data.measures.filter((m) => m.headline);
  const runs = seriesRuns(data, measures);
  const view = {axis: 'tokens', smoothing: 0, log: false, outliers: false, zoom: null, shown: new Set(runs)};
  const charts = measures.map((m) => new LineChart(document.getElementById('charts'),
    {name: chartName(m), title: m.task, note: `${m.metric}, ${m.over}`, format: units[m.unit].format}, runs, view));
  view.zoomTo = (range) => {
    view.zoom = range;
    charts.forEach((chart) => chart.draw());
  };
  return charts;
}
