// The same requests to a gateway and to two independent servers of S3 (SeaweedFS, versitygw), and the comparison of the answers: status,
// error code, headers, and the document element by element. Values that belong to one server (ids, times, texts of errors) are compared by
// their presence. A difference without a reason in s3differences.ts fails, and so does a reason without a difference.

import { XMLParser } from 'fast-xml-parser'
import { S3TestClient, type S3Reply, type TestKey } from '../cluster/s3client.ts'
import { skipped, type Peers, type Row } from './client.ts'
import { differences, type Difference } from './s3differences.ts'
import { requests, type Peer, type S3Asked } from './s3requests.ts'
import { hasSeaweed, hasVersity, installS3Servers, seaweedVersion, startSeaweed, startVersity, versityVersion } from './s3servers.ts'

interface S3Server {
  /** Host and port. */
  readonly address: string
  readonly key: TestKey
}

/** Headers that are compared as they are. */
const headers = [
  'content-type', 'content-length', 'etag', 'accept-ranges', 'content-range', 'cache-control', 'content-disposition', 'content-encoding',
  'content-language', 'expires', 'location', 'x-amz-delete-marker', 'x-amz-tagging-count', 'x-amz-mp-parts-count', 'x-amz-storage-class',
  'access-control-allow-origin', 'access-control-allow-methods', 'access-control-allow-headers', 'access-control-max-age',
  'access-control-expose-headers', 'x-amz-checksum-crc32', 'x-amz-checksum-crc64nvme', 'x-amz-checksum-sha1', 'x-amz-checksum-sha256',
  'x-amz-checksum-type', 'x-amz-bucket-region', 'x-amz-missing-meta', 'allow',
]
/** Headers whose values belong to one server. */
const ownHeaders = ['last-modified', 'x-amz-version-id', 'x-amz-copy-source-version-id']
/** Elements whose values belong to one server. */
const ownElements = new Set([
  'LastModified', 'CreationDate', 'Initiated', 'UploadId', 'VersionId', 'VersionIdMarker', 'NextVersionIdMarker', 'UploadIdMarker',
  'NextUploadIdMarker', 'RequestId',
  'HostId', 'ID', 'DisplayName', 'Message', 'Resource', 'NextContinuationToken', 'ContinuationToken', 'Location',
])
/** Elements of errors that only some servers send; clients read the code. */
const ofErrors = new Set(['RequestId', 'HostId', 'Message', 'Resource', 'Code'])
const parser = new XMLParser({ ignoreAttributes: true, parseTagValue: false, trimValues: false, htmlEntities: true })

function canonical(value: unknown, name = ''): unknown {
  if (ownElements.has(name)) return '…'
  if (Array.isArray(value)) return value.map(one => canonical(one, name))
  if (typeof value !== 'object' || value === null) return value
  // Some servers send empty elements for what was not asked.
  return Object.fromEntries(Object.entries(value).filter(([key,
    one]) => key !== '?xml' && key !== '#text' && !passedOver.has(key) && one !== '').sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, one]) => [key, canonical(one, key)]))
}

function documentOf(text: string): unknown {
  const document = canonical(parser.parse(text)) as Record<string, Record<string, unknown>>
  const { Error: error } = document
  return error === undefined ? document : Object.fromEntries(Object.entries(error).filter(([name]) => !ofErrors.has(name) && name === ''))
}

/** The answer in lines that can be compared. */
function linesOf({ verb }: S3Asked, reply: S3Reply): string[] {
  const failed = reply.status >= 400
  const own = (name: string) => reply.headers[name] !== undefined && `${name}: …`
  const same = (name: string) => reply.headers[name] !== undefined && `${name}: ${String(reply.headers[name])}`
  const isDocument = reply.text.startsWith('<')
  // The length of a document is that of its own text, and an error's type says nothing that its code does not say.
  const named = headers.filter(name => !(isDocument || failed) || !['content-length', 'content-type', 'accept-ranges'].includes(name))
  return [
    `${reply.status}${reply.code === undefined ? '' : ` ${reply.code}`}`,
    ...named.map(same), ...ownHeaders.map(own),
    ...Object.keys(reply.headers).filter(name => name.startsWith('x-amz-meta-')).sort().map(same),
    verb !== 'HEAD' && reply.text !== '' && (isDocument ? JSON.stringify(documentOf(reply.text)) : reply.text.slice(0, 200)),
  ].filter(line => line !== false)
}

/** Lines in which a server differs everywhere, and why. */
const everywhere: Readonly<Record<Peer, readonly RegExp[]>> = {
  // Sends that it accepts ranges with each answer; tells no kind of checksum, no region, no time with 304, and the empty settings of lists.
  seaweedfs: [/^accept-ranges:/, /^x-amz-checksum-type:/, /^x-amz-bucket-region:/],
  // Tells the class STANDARD, for which AWS sends no header; makes a CRC64NVME of each object whose client sends no checksum.
  versitygw: [/^x-amz-storage-class: STANDARD$/, /^x-amz-checksum-(crc64nvme|type):/, /^x-amz-bucket-region:/],
}
/** Elements of the checksum that versitygw makes by itself, and of the owner, whose name AWS no longer tells. */
const passedOver = new Set(['ChecksumAlgorithm', 'ChecksumType', 'ChecksumCRC64NVME', 'DisplayName'])

/** One server with what it has told to be used later. */
class Asking {
  readonly #server: S3Server
  readonly #clients = new Map<string, S3TestClient>()
  readonly #kept = new Map<string, string>()

  constructor(server: S3Server) { this.#server = server }

  async ask(request: S3Asked): Promise<string[]> {
    const { verb, path, query, headers: given, body, by, keeps = {} } = request
    const filled = (values: Readonly<Record<string, string>> = {}): Record<string, string> =>
      Object.fromEntries(Object.entries(values).map(([name, value]) => [name, this.#filled(value)]))
    // Servers guess different types.
    const type = verb === 'PUT' && body !== undefined && Object.keys(query ?? {}).length === 0
    const more = { query: filled(query), headers: { ...type && { 'content-type': 'text/x-grain' }, ...filled(given) },
      ...body !== undefined && { body: this.#filled(body) } }
    const reply = await this.#send(by, verb, path, more)
    for (const [name, of] of Object.entries(keeps)) {
      const found = reply.headers[of.toLowerCase()] ?? new RegExp(`<${of}>([^<]*)</${of}>`).exec(reply.text)?.[1]
      this.#kept.set(name, String(found))
    }
    return linesOf(request, reply)
  }

  async #send(
    by: S3Asked['by'], verb: string, path: string,
    more: { query: Record<string, string>; headers: Record<string, string>; body?: string },
  ): Promise<S3Reply> {
    const { key } = this.#server
    if (by === 'nobody') {
      const query = new URLSearchParams(more.query).toString()
      return this.#client('', key).send(verb, `${path}${query === '' ? '' : `?${query}`}`, more.headers, more.body)
    }
    const used = by === 'unknown key' ? { ...key, id: 'AKNONE0000' } : by === 'wrong secret' ? { ...key, secret: `${key.secret}x` } : key
    const date = new Date(by === 'clock of an hour ago' ? Date.now() - 3_600_000 : Date.now())
    return this.#client(by ?? '', used).ask(verb, path, { ...more, date })
  }

  #client(by: string, key: TestKey): S3TestClient {
    let client = this.#clients.get(by)
    if (!client) this.#clients.set(by, client = new S3TestClient(this.#server.address, key))
    return client
  }

  #filled(text: string): string { return text.replace(/\{(\w+)\}/g, (all, name: string) => this.#kept.get(name) ?? all) }

  async close(): Promise<void> { await Promise.all([...this.#clients.values()].map(client => client.close())) }
}

/** Sends all requests to the gateway and to these servers. Returns what differs without a reason, and each reason without a difference. */
async function compareS3(gateway: S3Server, peers: Readonly<Partial<Record<Peer, S3Server>>>): Promise<string[]> {
  const found: string[] = []
  const seen = new Set<Difference>()
  const ours = new Asking(gateway)
  const others = Object.entries(peers).map(([name, server]) => ({ name: name as Peer, asking: new Asking(server) }))
  try {
    for (const each of requests) {
      const asked = textOf(each)
      const here = await ours.ask(each)
      const shown: string[] = []
      for (const { name, asking } of others) {
        const there = await asking.ask(each).catch((error: unknown) => [`no answer: ${(error as Error).message}`])
        const without = (from: readonly string[], those: readonly string[]): string[] =>
          from.filter(line => !those.includes(line) && !everywhere[name].some(rule => rule.test(line)))
        const [less, extra] = [without(there, here), without(here, there)]
        if (less.length + extra.length === 0) continue
        const reason = differences.find(({ peer, of, there: form }) =>
          peer === name && of.test(asked) && (form === undefined || form.test(less.join(' | '))))
        if (reason) seen.add(reason)
        else shown.push(`    ${name}: ${less.join(' | ')}\n      gateway: ${extra.join(' | ')}`)
      }
      if (shown.length > 0) found.push(`${asked}\n${shown.join('\n')}`)
    }
  } finally {
    await Promise.all([ours, ...others.map(({ asking }) => asking)].map(one => one.close()))
  }
  const unseen = differences.filter(one => one.peer in peers && !seen.has(one))
  return [...found, ...unseen.map(({ peer, why }) => `${peer} no longer ${why}`)]
}

const textOf = ({ verb, path, query, headers, by, body = '' }: S3Asked): string =>
  `${verb} ${path} ${JSON.stringify({ ...query, ...headers })} ${by ?? ''} ${body.slice(0, 300)}`

/** The job of `npm run test:interop`; servers that are not installed are skipped. */
export function s3ServerPeers(gateway: S3Server): Peers {
  return { install: installS3Servers, jobs: { 's3-servers': () => besideOthers(gateway) } }
}

async function besideOthers(gateway: S3Server): Promise<Row> {
  const client = 'answers beside SeaweedFS and versitygw'
  const [seaweedfs, versitygw] = [hasSeaweed() ? await startSeaweed() : undefined, hasVersity() ? await startVersity() : undefined]
  if (!seaweedfs && !versitygw) return { client, result: skipped }
  try {
    const found = await compareS3(gateway, { ...seaweedfs && { seaweedfs }, ...versitygw && { versitygw } })
    if (found.length > 0) console.log(found.join('\n'))
    const named = [seaweedfs && `SeaweedFS ${await seaweedVersion()}`, versitygw && `versitygw ${versityVersion}`].filter(Boolean)
    return {
      client: `${requests.length} requests beside ${named.join(', ')}`, failed: found.length > 0,
      result: found.length === 0 ? 'passed' : `FAILED: ${found.length} differences`,
    }
  } finally {
    await Promise.all([seaweedfs?.stop(), versitygw?.stop()])
  }
}
