// import and export: copy files between the cluster and places outside of it: web servers, services that speak S3, PostgreSQL, Kafka.

import { isUrl, shownUrl } from '../../../src/base/url.ts'
import { GristmillError } from '../../../src/base/errors.ts'
import type { RecordFormat } from '../../../src/base/formats.ts'
import { endsAsDirectory } from '../../../src/base/paths.ts'
import { isKafka, topicAddressOf } from '../../../src/connector/kafka/address.ts'
import { isPostgres, tableAddressOf } from '../../../src/connector/postgres/names.ts'
import { loadModes, type LoadMode } from '../../../src/connector/postgres/sink.ts'
import { isPrefix, locationOf } from '../../../src/connector/location.ts'
import { kafkaCompressions, type KafkaCompression } from '../../../src/ports/kafka.ts'
import type { Transferred } from '../../transfer/import.ts'
import type { CommandContext } from '../context.ts'
import { plural } from '../display.ts'
import { Refusal } from '../errors.ts'
import { oneOf, option, whole, type CommandSpec } from '../spec.ts'
import { remoteTarget } from '../target.ts'
import { pathToWrite, remotePath } from '../tree.ts'
import { blockSize, delimiter, format, overwrite, replication } from './options.ts'

const endpoint = option('--endpoint <url>', 'address of the S3 service (default: AWS_ENDPOINT_URL, or the one of Amazon)')
const region = option('--region <name>', 'region of the S3 service (default: AWS_REGION, the profile, or us-east-1)')
const profile = option('--profile <name>', 'section of ~/.aws/config and ~/.aws/credentials (default: AWS_PROFILE)')
const registry = option('--registry <url>', 'Kafka: schema registry of Avro (default: KAFKA_SCHEMA_REGISTRY_URL)')
const parallel = option('--parallel <n>', 'requests, or files, at a time (default 4)', { parse: whole(1, 64) })

export const importSpec: CommandSpec = {
  name: 'import', args: '<url...> <remote>', about: 'copy from the web, S3, PostgreSQL or Kafka',
  notes:
    'An address is https://HOST/PATH, http://HOST/PATH, s3://BUCKET/KEY for one object, or s3://BUCKET/PREFIX/ for all objects below a prefix, which go into the directory. A table, postgres://HOST/DATABASE/TABLE, becomes a file of JSON lines, read by --parallel connections under one snapshot; so does a topic, kafka://HOST:PORT/TOPIC, from --from to --to.\n'
    + 'A transfer that breaks off goes on from the byte that it has reached, as long as the source has not changed; a file becomes visible when it is whole.\n'
    + 'A file that was imported before and has not changed at its source is left as it is: a command that was ended is simply repeated.\n'
    + 'Keys of S3 come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from ~/.aws. A password may be part of an http address; it is never printed.',
  options: [
    overwrite, parallel, option('--checksum <name:digits>', 'refuse the file unless its sha256, sha1, md5 or crc32c is this one'),
    format, delimiter, replication, blockSize, endpoint, region, profile,
    option('--from <position>', 'Kafka: beginning, an offset, offsets as 0:17,1:4, or a time as 2026-11-27T10:00Z (default: beginning)'),
    option('--to <position>', 'Kafka: where to end, without the message itself (default: the end of what is committed now)'),
    option('--value <format>', 'Kafka: json, text, bytes or avro (default: json)', { parse: oneOf('json', 'text', 'bytes', 'avro') }),
    option('--key <format>', 'Kafka: the same for keys (default: text)', { parse: oneOf('json', 'text', 'bytes', 'avro') }),
    option('--bad <way>', 'Kafka: a message that does not fit: fail, or keep its bytes aside (default: fail)', { parse: oneOf('fail', 'keep') }), registry,
  ],
  examples: [
    ['gristmill import https://example.org/flights.csv /data/', 'one file of a web server'],
    ['gristmill import --from 2026-11-27T00:00Z kafka://broker:9092/clicks /data/', 'the messages of a topic since this time'],
    ['gristmill import --endpoint http://127.0.0.1:9000 s3://logs/2026/ /logs/', 'all objects below a prefix'],
  ],
  run: runImport,
}

export const exportSpec: CommandSpec = {
  name: 'export', args: '<remote> <url>', about: 'copy files to S3, or rows to PostgreSQL or Kafka',
  notes:
    'The address is s3://BUCKET/KEY for a file, or s3://BUCKET/PREFIX/ for the files of a directory. With postgres://HOST/DATABASE/TABLE the rows of .csv and .jsonl files go into an existing table; with kafka://HOST:PORT/TOPIC they become messages, each exactly once for readers of committed data.\n'
    + 'Nothing is visible at S3 before all bytes have been sent. The last object of a directory is _gristmill_commit.json, with the names of all: readers that need all files or none wait for it.\n'
    + 'An export that was ended is simply repeated; each object is there once.',
  options: [
    overwrite, parallel,
    option('--mode <mode>', 'PostgreSQL: swap the table for a new one, append rows, or upsert by --key (default: swap)', { parse: oneOf(...loadModes) }),
    option('--key <columns>', 'PostgreSQL, Kafka: columns of the key, with commas between them', { parse: text => text.split(',') }),
    option('--value <format>', 'Kafka: json or avro (default: json)', { parse: oneOf('json', 'avro') }),
    option('--rate <rows>', 'Kafka, PostgreSQL: rows a second at most', { parse: whole(1, 10_000_000) }),
    option('--create <n>', 'Kafka: create the topic with so many partitions if it does not exist', { parse: whole(1, 10_000) }),
    option('--compression <name>', 'Kafka: none, gzip, snappy, lz4 or zstd (default: none)', { parse: oneOf(...kafkaCompressions) }), registry,
    endpoint, region, profile,
  ],
  examples: [
    ['gristmill export /reports/2026 s3://reports/2026/', 'a directory, such as the output of a job'],
    ['gristmill export /scores postgres://db.example/shop/scores', 'replace the rows of a table, in one step'],
    ['gristmill export --key player /scores kafka://broker:9092/scores', 'a message for each row'],
  ],
  run: runExport,
}

interface CommonFlags { overwrite?: boolean; parallel?: number; endpoint?: string; region?: string; profile?: string }
interface ExportFlags extends CommonFlags {
  mode?: LoadMode
  key?: readonly string[]
  value?: string
  rate?: number
  create?: number
  compression?: KafkaCompression
  registry?: string
}
interface ImportFlags extends CommonFlags {
  checksum?: string
  format?: RecordFormat
  delimiter?: string
  replication?: number
  blockSize?: number
  from?: string
  to?: string
  value?: string
  key?: string
  bad?: string
  registry?: string
}

async function runImport(context: CommandContext, operands: readonly string[], options: ImportFlags): Promise<void> {
  const last = operands.at(-1)!
  const urls = operands.slice(0, -1)
  for (const url of urls) checkUrl(url, 'gristmill put')
  if (isUrl(last)) throw new Refusal('USAGE', `${shownUrl(last)}: the last operand is a path of the cluster; to copy to S3: gristmill export`)
  const { overwrite, parallel, checksum, format, delimiter, replication, blockSize, ...others } = pick(options)
  if (checksum !== undefined && urls.length > 1) throw new Refusal('USAGE', '--checksum belongs to one file, and several are named')
  const mill = await context.mill()
  const to = await pathToWrite(context, last)
  const target = await remoteTarget(mill, treesAmong(urls) && !endsAsDirectory(to) ? `${to}/` : to, urls.length > 1, context.signal)
  // With the slash the library names the file in the directory by its source.
  const path = target.directory ? target.pathFor('').replace(/\/?$/, '/') : target.pathFor('')
  await transferAll(context, urls, 'import', async (url, onProgress) => mill.import(url, path, {
    overwrite, parallel, checksum, format, delimiter, replication, blockSize, ...others, onProgress, signal: context.signal,
  }))
}

const pick = ({
  overwrite, parallel, checksum, format, delimiter, replication, blockSize, endpoint, region, profile, from, to, value, key, bad, registry,
}: ImportFlags) => ({
  overwrite, parallel, checksum, format, delimiter, replication, blockSize, endpoint, region, profile, from, to, value, key, bad, registry,
})

const treesAmong = (urls: readonly string[]): boolean => urls.some(url => !isPostgres(url) && !isKafka(url) && isPrefix(locationOf(url)))

function checkUrl(text: string, instead: string): void {
  if (isPostgres(text)) return void tableAddressOf(text)
  if (isKafka(text)) return void topicAddressOf(text)
  if (isUrl(text)) return void locationOf(text)
  throw new Refusal('USAGE', `${text} is no address; write https://HOST/PATH or s3://BUCKET/KEY. For local files: ${instead}`)
}

async function runExport(context: CommandContext, operands: readonly string[], options: ExportFlags): Promise<void> {
  const [from, url] = operands as readonly [string, string]
  if (isUrl(from)) throw new Refusal('USAGE', `${shownUrl(from)}: the first operand is a path of the cluster; to copy from there: gristmill import`)
  checkUrl(url, 'gristmill get')
  const { overwrite, parallel, mode, key, value, rate, create, compression, endpoint, region, profile } = options
  const path = remotePath(from)
  const mill = await context.mill()
  await transferAll(context, [url], 'export', async (to, onProgress) => mill.export(path, to, {
    overwrite, parallel, mode, key, value, rate, create, compression, registry: options.registry, endpoint, region, profile, onProgress,
    signal: context.signal,
  }))
}

type Move = (url: string, onProgress: (bytes: number) => void) => Promise<Transferred>

async function transferAll(context: CommandContext, urls: readonly string[], verb: string, move: Move): Promise<void> {
  const progress = await context.progress()
  const sum = { files: 0, bytes: 0, unchanged: 0 }
  try {
    // An operand is repeated in messages, and an address may have a password in it.
    let next = 0
    await context.each(urls.map(shownUrl), async shown => {
      const url = urls[next++]!
      const bar = progress.bar(shown, 'bytes')
      try {
        const { files, bytes, unchanged, note } = await move(url, moved => bar.update(moved))
        if (note !== undefined) context.note(note)
        sum.files += files
        sum.bytes += bytes
        sum.unchanged += unchanged
      } catch (error) {
        throw inWords(error)
      }
    })
  } finally {
    progress.stop()
  }
  if (context.json) return await context.printer.line(JSON.stringify(sum))
  const more = sum.unchanged > 0 ? `, ${sum.unchanged} unchanged` : ''
  if (context.failed === 0) context.note(`${plural(sum.files, 'file')} ${verb}ed${more}`)
}

/** Keeps the message, which names the outside place, and adds the option that helps. */
function inWords(error: unknown): unknown {
  if (!(error instanceof GristmillError) || error instanceof Refusal) return error
  const { path, destination } = error.details as Record<string, string | undefined>
  const found = destination === undefined ? `${path}: file exists` : `${destination}: other content is there`
  const message = error.code === 'EEXIST' ? `${found}; add -f to replace it` : error.message
  return new Refusal(error.code, message, { cause: error, details: error.details })
}
