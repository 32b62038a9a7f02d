// `workerThreads: false`: a crash of the addon then ends one test file, not the run.
export default {
  extensions: { ts: 'module' },
  files: ['__test__/**/*.spec.ts', '!__test__/interop/**'],
  workerThreads: false,
  nodeArguments: ['--import', 'tsx'],
  timeout: '2m',
}
