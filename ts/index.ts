// What every system shares: batches, sessions, errors.
export * from './batch/index.js'
export * from './session/index.js'
