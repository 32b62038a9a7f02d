import { ANNOTATIONS } from './targets.js'

/** Names of the ready dashboards; `GET /dashboards/NAME.json` gives one. */
export const DASHBOARDS = ['infinity', 'simpod'] as const
export type DashboardName = (typeof DASHBOARDS)[number]

const PLUGIN: Readonly<Record<DashboardName, string>> = {
  infinity: 'yesoreyeram-infinity-datasource',
  simpod: 'simpod-json-datasource',
}

// What Grafana puts in, written as one of its texts has it.
const DATASOURCE = '$datasource'
const WINDOW = 'from=$__from&to=$__to'
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is Grafana that fills it in.
const POINTS = 'target=${target:percentencode}&intervalMs=$__interval_ms&maxDataPoints=$__maxDataPoints'

/**
 * A dashboard for Grafana: a panel for every chosen field, what was lost as annotations.
 *
 * @param bridge where the bridge is, as the data source Infinity reaches it; for simpod the data source says it
 */
export function dashboard(name: DashboardName, bridge: string): object {
  const datasource = { type: PLUGIN[name], uid: DATASOURCE }
  const own = name === 'infinity' ? infinity(datasource) : simpod(datasource)
  return {
    title: `measurand (${name})`,
    uid: `measurand-${name}`,
    tags: ['measurand', 'sisock'],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: '',
    timezone: 'utc',
    time: { from: 'now-1h', to: 'now' },
    templating: {
      list: [
        { name: 'datasource', label: 'data source', type: 'datasource', query: PLUGIN[name] },
        ...(name === 'infinity' ? [{ name: 'bridge', label: 'bridge', type: 'textbox', query: bridge }] : []),
        {
          name: 'target',
          label: 'field',
          type: 'query',
          datasource,
          multi: true,
          includeAll: true,
          refresh: 1,
          sort: 1,
          query: own.variable,
        },
      ],
    },
    annotations: {
      list: [{ name: 'lost', datasource, enable: true, iconColor: 'red', ...own.annotation }],
    },
    panels: [
      {
        id: 1,
        title: '$target',
        type: 'timeseries',
        datasource,
        repeat: 'target',
        repeatDirection: 'v',
        gridPos: { x: 0, y: 0, w: 24, h: 7 },
        fieldConfig: {
          defaults: { custom: { drawStyle: 'line', lineWidth: 1, spanNulls: false, showPoints: 'auto' } },
          overrides: [],
        },
        options: { legend: { showLegend: false }, tooltip: { mode: 'multi' } },
        targets: [{ refId: 'A', datasource, ...own.query }],
      },
    ],
  }
}

function infinity(datasource: object) {
  const from = (path: string, columns: readonly (readonly [selector: string, type: string])[]) => ({
    type: 'json',
    source: 'url',
    parser: 'backend',
    format: 'table',
    url: `$bridge${path}`,
    url_options: { method: 'GET', data: '' },
    root_selector: '',
    columns: columns.map(([selector, type]) => ({ selector, text: selector, type })),
    filters: [],
  })
  return {
    variable: {
      queryType: 'infinity',
      infinityQuery: {
        refId: 'variable',
        ...from('/api/targets', [
          ['text', 'string'],
          ['value', 'string'],
        ]),
      },
    },
    annotation: {
      target: {
        refId: 'Anno',
        datasource,
        ...from(`/api/annotations?${WINDOW}`, [
          ['time', 'timestamp_epoch'],
          ['timeEnd', 'timestamp_epoch'],
          ['title', 'string'],
          ['text', 'string'],
        ]),
      },
      mappings: { time: { value: 'time' }, timeEnd: { value: 'timeEnd' }, title: { value: 'title' } },
    },
    query: from(`/api/data?shape=long&${WINDOW}&${POINTS}`, [
      ['time', 'timestamp_epoch'],
      ['value', 'number'],
    ]),
  }
}

function simpod(datasource: object) {
  return {
    variable: { query: '', format: 'string' },
    annotation: { target: { refId: 'Anno', datasource, target: ANNOTATIONS, payload: {}, editorMode: 'code' } },
    query: { target: '$target', payload: {}, editorMode: 'code' },
  }
}
