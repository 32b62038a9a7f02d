import { streamSeaError } from './error-codes.js'

/** The types of fields, by the names that the Python client gives them. */
export const FieldType = {
  /** Any string. */
  STRING: 'string',
  /** Any number of JSON. */
  FLOAT: 'float',
  /** Any integer; those beyond 2^53 survive in the payload's text. */
  INTEGER: 'integer',
  /** UTC, `YYYY-MM-DDTHH:mm:ssZ`. */
  DATE: 'date',
  STRING_ARRAY: 'array<string>',
  FLOAT_ARRAY: 'array<float>',
  INTEGER_ARRAY: 'array<integer>',
  DATE_ARRAY: 'array<date>',
  /** A string out of a finite set. */
  ENUM: 'enum',
  /** An object with fields of its own. */
  OBJECT: 'object',
  OBJECT_ARRAY: 'array<object>',
} as const

/** A type of a field. */
export type FieldType = (typeof FieldType)[keyof typeof FieldType]

/** A field of a schema. */
export interface SchemaField {
  readonly name: string
  readonly type: FieldType
  /** The values of an `enum`. */
  readonly enum?: readonly string[]
  /** The fields of an `object` or of the objects of an array. */
  readonly fields?: readonly SchemaField[]
}

/** A schema's version: a number, or dotted numbers as text. */
export type SchemaVersion = number | string

/** The schema of a stream. */
export interface SchemaDefinition<F extends readonly SchemaField[] = readonly SchemaField[]> {
  /** That of the stream. */
  readonly name: string
  readonly version: SchemaVersion
  /** Their order does not matter. */
  readonly fields: F
}

/**
 * A schema whose messages TypeScript knows.
 *
 * ```ts
 * const boiler = defineSchema({
 *   name: 'boiler_data',
 *   version: 1,
 *   fields: [{ name: 'temperature', type: 'float' }, { name: 'side', type: 'enum', enum: ['port', 'starboard'] }],
 * })
 * type Boiler = MessageOf<typeof boiler> // { temperature?: number | null; side?: 'port' | 'starboard' | null }
 * ```
 */
export function defineSchema<const F extends readonly SchemaField[]>(schema: SchemaDefinition<F>): SchemaDefinition<F> {
  return schema
}

/** The messages of a schema. No field is required, any may be null. */
export type MessageOf<S extends SchemaDefinition> = ObjectOf<S['fields']>

/** The messages of these fields. */
export type ObjectOf<F extends readonly SchemaField[]> = { [K in F[number] as K['name']]?: ValueOf<K> | null }

/** The value of a field. */
export type ValueOf<K extends SchemaField> = K['type'] extends 'string' | 'date'
  ? string
  : K['type'] extends 'float' | 'integer'
    ? number
    : K['type'] extends 'enum'
      ? NonNullable<K['enum']>[number]
      : K['type'] extends 'array<string>' | 'array<date>'
        ? string[]
        : K['type'] extends 'array<float>' | 'array<integer>'
          ? number[]
          : K['type'] extends 'object'
            ? ObjectOf<NonNullable<K['fields']>>
            : K['type'] extends 'array<object>'
              ? ObjectOf<NonNullable<K['fields']>>[]
              : never

/** Compares versions part by part: negative where `a` is older. Throws where one is no version. */
export function compareVersions(a: SchemaVersion, b: SchemaVersion): number {
  const [left, right] = [versionParts(a), versionParts(b)]
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0n) - (right[index] ?? 0n)
    if (difference !== 0n) return difference < 0n ? -1 : 1
  }
  return 0
}

function versionParts(version: SchemaVersion): bigint[] {
  const text = String(version)
  if ((typeof version !== 'number' && typeof version !== 'string') || !/^\d{1,19}(\.\d{1,19}){0,15}$/.test(text)) {
    throw streamSeaError('ERR_STREAMSEA_VERSION_INVALID', `${JSON.stringify(version)} is not a version`)
  }
  return text.split('.').map((part) => BigInt(part))
}

/** Whether two lists of fields say the same; order does not matter. */
export function sameFields(a: readonly SchemaField[], b: readonly SchemaField[]): boolean {
  return canonical(a) === canonical(b)
}

function canonical(fields: readonly SchemaField[]): string {
  const plain = (field: SchemaField): unknown[] => [
    field.name,
    field.type,
    field.type === 'enum' ? [...(field.enum ?? [])].sort() : [],
    field.type === 'object' || field.type === 'array<object>' ? canonical(field.fields ?? []) : '',
  ]
  return JSON.stringify([...fields].sort((x, y) => (x.name < y.name ? -1 : 1)).map(plain))
}
