import { defineErrors } from '../session/index.js'

/** Makes the errors of STTP. */
export const sttpError = defineErrors('sttp', {
  ERR_STTP_DATA_SET_CELL: [
    'malformed',
    "A value of the metadata is not of its column's type; the text says where. Correct the metadata.",
  ],
  ERR_STTP_DATA_SET_COLUMN: ['usage', 'The table has no such column. Check the name.'],
  ERR_STTP_DATA_SET_LIMIT: ['limit', 'The metadata are larger than the option allows. Raise the limit if they may be.'],
  ERR_STTP_DATA_SET_TABLE: ['usage', 'The data set has no such table. Check the name.'],
  ERR_STTP_DATA_SET_TRUNCATED: ['malformed', 'The metadata end too early. Ask for them again.'],
  ERR_STTP_DATA_SET_WRITE: ['usage', 'A name or text has no form in XML; the text says which. Change it.'],
  ERR_STTP_DATA_SET_XML: ['malformed', 'The metadata are not well-formed XML or gzip; the text says where.'],
  ERR_STTP_FILTER_EXPRESSION: [
    'usage',
    'The filter expression is wrong; the text says in which line and column. Correct the expression.',
  ],
})
