// Real servers, started from the packages of the system or from jars of Maven, for tests of connectors and benchmarks.

import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openKafka } from '../../src/world/kafka.ts'
import { until } from '../kit/cluster.ts'
import { cache } from './client.ts'

export const freePort = (): Promise<number> => new Promise(resolve => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address() as { port: number }
    server.close(() => resolve(port))
  })
})

const programs = '/usr/lib/postgresql'
/** Directory of the newest server that the system has. */
export const postgresBin = (): string | undefined => {
  const versions = existsSync(programs) ? readdirSync(programs).map(Number).sort((a, b) => b - a) : []
  return versions.map(version => `${programs}/${version}/bin`).find(bin => existsSync(`${bin}/initdb`))
}

export interface PostgresServer {
  readonly port: number
  readonly dir: string
  /** Of the process that starts a process for each session. */
  readonly pid: number
  stop(): void
  restart(): void
  /** Output of pg_dump with these options. */
  dump(args: readonly string[]): string
}

/** A server of the caller alone, with a password. It does not run as root. */
export async function startPostgres(bin: string): Promise<PostgresServer> {
  const dir = mkdtempSync(join(tmpdir(), 'gristmill-postgres-'))
  const user = process.getuid?.() === 0 ? ['postgres'] : []
  const as = (command: string, args: readonly string[]): string =>
    (user.length > 0
      ? execFileSync('runuser', ['-u', 'postgres', '--', command, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
      : execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }))
  if (user.length > 0) chownSync(dir, Number(execFileSync('id', ['-u', 'postgres'])), Number(execFileSync('id', ['-g', 'postgres'])))
  as('sh', ['-c', `echo 'geheim!' > ${dir}/pw && ${bin}/initdb -D ${dir}/data -U mill -A scram-sha-256 --pwfile ${dir}/pw -N`])
  const port = await freePort()
  const options = `-c listen_addresses=127.0.0.1 -p ${port} -c unix_socket_directories=${dir} -c fsync=off`
  const control = (verb: string): string =>
    as('sh', ['-c', `${bin}/pg_ctl ${verb} -w -m fast -D ${dir}/data -l ${dir}/log -o '${options}' >/dev/null`])
  control('start')
  return {
    port, dir, pid: Number(readFileSync(`${dir}/data/postmaster.pid`, 'utf8').split('\n')[0]), restart: () => { control('restart') },
    dump: args => execFileSync(`${bin}/pg_dump`, ['-h', '127.0.0.1', '-p', String(port), '-U', 'mill', ...args, 'postgres'], {
      encoding: 'utf8', env: { ...process.env, PGPASSWORD: 'geheim!' },
    }),
    stop: () => {
      control('stop')
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

const jars = join(cache, 'kafka')
const version = '4.3.1'

/** Reason for which no broker can be started; undefined: one can. */
export function brokerMissing(): string | undefined {
  if (!existsSync(join(jars, 'lib')) || readdirSync(join(jars, 'lib')).length === 0) return 'no broker; --install'
  try {
    execFileSync('java', ['-version'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'no Java; apt-get install openjdk-17-jre-headless'
  }
}

/** Fetches the jars from Maven. */
export function installBroker(): void {
  mkdirSync(jars, { recursive: true })
  const dependency = (group: string, name: string, of: string): string =>
    `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${of}</version></dependency>`
  writeFileSync(join(jars, 'pom.xml'), `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
    <groupId>x</groupId><artifactId>x</artifactId><version>1</version><dependencies>
    ${dependency('org.apache.kafka', 'kafka_2.13', version)}${dependency('org.slf4j', 'slf4j-simple', '1.7.36')}</dependencies></project>`)
  execFileSync('mvn', ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=lib'], { cwd: jars, stdio: 'inherit' })
}

export class Broker {
  readonly dir = mkdtempSync(join(tmpdir(), 'gristmill-kafka-'))
  readonly address: string
  #process: ChildProcess | undefined

  constructor(port: number, controller: number) {
    this.address = `127.0.0.1:${port}`
    writeFileSync(join(this.dir, 'server.properties'), `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controller}
listeners=PLAINTEXT://${this.address},CONTROLLER://127.0.0.1:${controller}
advertised.listeners=PLAINTEXT://${this.address}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=${join(this.dir, 'logs')}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=1
`)
    const run = (...args: string[]): string =>
      execFileSync('java', ['-cp', join(jars, 'lib/*'), ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
    const id = run('kafka.tools.StorageTool', 'random-uuid').trim().split('\n').at(-1)!
    run('kafka.tools.StorageTool', 'format', '-t', id, '-c', join(this.dir, 'server.properties'))
  }

  get pid(): number { return this.#process!.pid! }

  async start(): Promise<void> {
    const log = openSync(join(this.dir, 'log'), 'a')
    const options = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
    this.#process = spawn('java', [...options, '-cp', join(jars, 'lib/*'), 'kafka.Kafka', join(this.dir, 'server.properties')], {
      stdio: ['ignore', log, log],
    })
    const probe = await openKafka({ brokers: [this.address] })
    await until('the broker answers', async () => {
      try {
        await probe.topic('none')
        return true
      } catch {
        return false
      }
    })
    await probe.close()
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const ended = this.#process
    if (!ended || ended.exitCode !== null) return
    await new Promise(resolve => {
      ended.once('exit', resolve)
      ended.kill(signal)
    })
  }
}
