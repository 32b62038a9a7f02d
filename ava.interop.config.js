// Peers start whole interpreters and browsers: one file at a time.
export default {
  extensions: { ts: 'module' },
  files: ['__test__/interop/**/*.spec.ts'],
  workerThreads: false,
  nodeArguments: ['--import', 'tsx'],
  concurrency: 1,
  timeout: '5m',
}
