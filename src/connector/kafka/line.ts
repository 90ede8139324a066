// A message as a line of JSON: {"partition", "offset", "timestamp", "key", "value", "headers"}. Names of headers may occur several times,
// so that they are a list; the value of a header is a text, or base64 under the name `bytes`. With `bad: keep` each line has `bad` too:
// null, or what was wrong with the message and its bytes.

import { GristmillError } from '../../base/errors.ts'
import type { KafkaRecord } from '../../ports/kafka.ts'
import { textIn, type Decode } from './decode.ts'

interface LineOptions {
  readonly shown: string
  readonly key: Decode
  readonly value: Decode
  readonly bad: 'fail' | 'keep'
}

/** Columns of lines and their types in our SQL, where there is no line that shows them. */
export const lineColumns: ReadonlyArray<{ readonly name: string; readonly type: string }> = [
  { name: 'partition', type: 'BIGINT' }, { name: 'offset', type: 'BIGINT' }, { name: 'timestamp', type: 'TIMESTAMP' },
  { name: 'key', type: 'VARCHAR' }, { name: 'value', type: 'VARCHAR' }, { name: 'headers', type: 'VARCHAR' },
]

/** Throws EINVAL, with partition and offset, for a message that does not fit. */
export async function lineOf(partition: number, record: KafkaRecord, { shown, key, value, bad }: LineOptions): Promise<string> {
  const { offset, timestampMs, headers } = record
  const failures: string[] = []
  const part = async (name: 'key' | 'value', decode: Decode): Promise<string> => {
    const bytes = record[name]
    if (bytes === null) return 'null'
    try {
      // Most decoders do not wait.
      const decoded = decode(bytes)
      return typeof decoded === 'string' ? decoded : await decoded
    } catch (error) {
      if (!(error instanceof GristmillError) || error.code !== 'EINVAL') throw error
      if (bad === 'fail') {
        throw new GristmillError(
          'EINVAL', `${shown}, partition ${partition}, offset ${offset}: the ${name} does not fit: ${error.message}; `
          + `say what it is (${name}=text, bytes or avro), or let bad=keep put such messages aside`,
          { cause: error, details: { partition, offset } },
        )
      }
      failures.push(`the ${name}: ${error.message}`)
      return 'null'
    }
  }
  const keyText = await part('key', key)
  const valueText = await part('value', value)
  const time = isTime(timestampMs) ? `"${new Date(timestampMs).toISOString()}"` : 'null'
  const rest = bad === 'keep' ? `,"bad":${failures.length === 0 ? 'null' : badOf(record, failures)}` : ''
  return `{"partition":${partition},"offset":${offset},"timestamp":${time},"key":${keyText},"value":${valueText},`
    + `"headers":${headers.length === 0 ? '[]' : headersOf(headers)}${rest}}\n`
}

/** Those of old producers have none (-1). */
const isTime = (ms: number): boolean => ms >= 0 && ms <= 8.64e15

const base64 = (bytes: Uint8Array | null): string | null => bytes && Buffer.from(bytes).toString('base64')

const badOf = ({ key, value }: KafkaRecord, failures: readonly string[]): string =>
  JSON.stringify({ reason: failures.join('; '), key: base64(key), value: base64(value) })

function headersOf(headers: KafkaRecord['headers']): string {
  return JSON.stringify(headers.map(([name, value]) => {
    const key = name === null ? null : textIn(name) ?? base64(name)
    const text = value === null ? null : textIn(value)
    return text === undefined ? { key, value: null, bytes: base64(value) } : { key, value: text }
  }))
}
