/** Arrow types that the tables use; a `list` has items of the type behind it. */
export type FieldType =
  | 'timestamp[ns]'
  | 'f64'
  | 'u64'
  | 'u32'
  | 'u16'
  | 'u8'
  | 'utf8'
  | 'binary'
  | 'list<utf8>'
  | 'list<large_binary>'

/** A column of a table. */
export interface Field {
  readonly name: string
  readonly type: FieldType
  /** Whether rows may lack a value. */
  readonly nullable: boolean
  /** Whether the column is written only when some row needs it. */
  readonly optional: boolean
  /** Arrow field metadata. */
  readonly metadata?: Readonly<Record<string, string>>
}

/** The tables of a recording. */
export type TableName = 'measurement' | 'record' | 'event' | 'signal' | 'loss' | 'session'

const UTC = { clock: 'utc' }

function field(name: string, type: FieldType, presence: '' | 'nullable' | 'optional' = ''): Field {
  const base = { name, type, nullable: presence !== '', optional: presence === 'optional' }
  return type === 'timestamp[ns]' ? { ...base, metadata: UTC } : base
}

/** Every table with its columns in order. Times are ns since 1970-01-01 UTC, written without a time zone. */
export const TABLES: Readonly<Record<TableName, readonly Field[]>> = {
  measurement: [
    field('time', 'timestamp[ns]', 'nullable'),
    field('value', 'f64', 'nullable'),
    field('signal', 'u32'),
    field('flags', 'u32'),
    field('seq', 'u64', 'optional'),
    field('idx', 'u32', 'optional'),
    field('rx', 'timestamp[ns]', 'optional'),
    field('raw_time', 'u64', 'optional'),
    field('text', 'utf8', 'optional'),
    field('raw', 'binary', 'optional'),
  ],
  record: [
    field('run', 'utf8'),
    field('sender', 'utf8'),
    field('kind', 'u8'),
    field('seq', 'u64'),
    field('time', 'timestamp[ns]', 'nullable'),
    field('rx', 'timestamp[ns]'),
    field('begin_ps', 'u64', 'optional'),
    field('end_ps', 'u64', 'optional'),
    field('condition', 'u16'),
    field('tags', 'binary'),
    field('blocks', 'list<large_binary>'),
  ],
  event: [
    field('stream', 'utf8'),
    field('schema_version', 'utf8'),
    field('offset', 'u64', 'optional'),
    field('time', 'timestamp[ns]', 'optional'),
    field('rx', 'timestamp[ns]'),
    field('group', 'utf8', 'optional'),
    field('payload', 'utf8'),
  ],
  signal: [
    field('id', 'u32'),
    field('source', 'utf8'),
    field('native_id', 'binary'),
    field('name', 'utf8'),
    field('kind', 'utf8'),
    field('type', 'utf8'),
    field('unit', 'utf8'),
    field('rate_hz', 'f64', 'nullable'),
    field('timeline', 'utf8'),
    field('scale', 'f64'),
    field('offset', 'f64'),
    field('meta', 'utf8'),
  ],
  loss: [
    field('id', 'u64'),
    field('source', 'utf8'),
    field('signal', 'u64', 'nullable'),
    field('first_seq', 'u64', 'nullable'),
    field('last_seq', 'u64', 'nullable'),
    field('from', 'timestamp[ns]', 'nullable'),
    field('to', 'timestamp[ns]', 'nullable'),
    field('count', 'u64', 'nullable'),
    field('bytes', 'u64', 'nullable'),
    field('cause', 'utf8'),
    field('at', 'timestamp[ns]'),
    field('recovered', 'u64'),
  ],
  session: [
    field('source', 'utf8'),
    field('start', 'timestamp[ns]'),
    field('end', 'timestamp[ns]', 'nullable'),
    field('peer', 'utf8'),
    field('quirks', 'list<utf8>'),
    field('clock', 'utf8'),
    field('counters', 'utf8'),
    field('config_digest', 'utf8'),
    field('meta', 'utf8'),
  ],
}
