import { defineErrors } from '../session/index.js'

/** Makes the errors of the command line. */
export const cliError = defineErrors('cli', {
  ERR_CLI_ARGUMENT_MISSING: ['usage', 'A command lacks what it works on; `measurand COMMAND --help` shows it.'],
  ERR_CLI_ARGUMENT_UNEXPECTED: [
    'usage',
    'A command was given more than it takes; `measurand COMMAND --help` shows it.',
  ],
  ERR_CLI_COMMAND_UNKNOWN: ['usage', 'There is no such command; `measurand --help` lists them.'],
  ERR_CLI_FILE_UNREADABLE: ['usage', 'A file that was named cannot be read; `cause` says why.'],
  ERR_CLI_FILE_UNWRITABLE: [
    'storage',
    'A file cannot be written; `cause` says why. Make room, or choose another place.',
  ],
  ERR_CLI_INPUT_MALFORMED: [
    'usage',
    'A line of the standard input is not what the command takes; the text says which.',
  ],
  ERR_CLI_OPTION_INVALID: ['usage', 'An option has a value that it cannot have; the text says what it takes.'],
  ERR_CLI_OPTION_UNKNOWN: ['usage', 'There is no such option here; `measurand COMMAND --help` lists them.'],
  ERR_CLI_OUTPUT_FAILED: ['storage', 'Standard output takes no more; `cause` says why.'],
  ERR_CLI_SYSTEM_UNKNOWN: ['usage', 'The command does not know this system; the text names those that it knows.'],
})
