import { defineErrors } from '../session/index.js'

/** Makes the errors of the way from sources to sinks. */
export const ingestError = defineErrors('ingest', {
  ERR_INGEST_BOOKS_UNBALANCED: [
    'storage',
    'Rows that came are neither stored nor accounted for. This is a fault of this package: please report it.',
  ],
  ERR_INGEST_OPTION_INVALID: [
    'usage',
    'An option of a source has a value that it cannot have; the text says what it takes.',
  ],
  ERR_INGEST_OPTION_TWICE: ['usage', 'An option is in the URL and on the command line with two values. Give one.'],
  ERR_INGEST_OPTION_UNKNOWN: ['usage', 'The system has no such option; the text names those that it has.'],
  ERR_INGEST_SINK_FAILED: ['storage', 'The sink took no more; `cause` says why. What it had taken before is readable.'],
  ERR_INGEST_URL_FRAGMENT: [
    'usage',
    'A `#` begins a fragment, which no source has. Write `%23` for a `#` in an option.',
  ],
  ERR_INGEST_URL_PORT: ['usage', 'A port is a number from 1 to 65535.'],
  ERR_INGEST_URL_SCHEME: ['usage', 'No system has this scheme; the text names those that there are.'],
  ERR_INGEST_URL_SECRET: [
    'usage',
    'A password does not belong into a URL. Use the environment, or a file of the secret.',
  ],
  ERR_INGEST_URL_SYNTAX: ['usage', 'This is no URL of a source; the text says what is wrong.'],
})
