// Table of all settings: type, users, description, and the text of the default of each. docs/reference/settings.md is generated from it.
// config.ts resolves the values that are given; a value that is not given is a constant of limits.ts or of client/process, and a test
// holds the texts in step with them.

import { GristmillError } from './errors.ts'
import { parseQueues } from './jobqueues.ts'
import { limits } from './limits.ts'
import { faultOfName } from './username.ts'
import { formatDuration, KiB, MiB, parseBytes, parseDuration, parseWhole } from './units.ts'

export type SettingUser = 'all' | 'client' | 'namenode' | 'datanode' | 'gateway' | 'up'

export interface Setting<T> {
  /** Form of a value, for people. */
  readonly type: string
  /** Default, for people: the value in use is a constant elsewhere. */
  readonly fallback: string
  readonly usedBy: readonly SettingUser[]
  readonly about: string
  /** `path`: a relative path is resolved against the directory of its source. */
  readonly kind: 'value' | 'path' | 'paths'
  /** Its option has no value: it stands for `true`. */
  readonly bare?: true
  /** Parses a string (flag, variable, file) or JSON value. Throws EINVAL with the expected form. */
  readonly parse: (raw: unknown) => T
}

type Facts = Pick<Setting<unknown>, 'fallback' | 'usedBy' | 'about' | 'bare'>

const wrong = (raw: unknown, wanted: string): GristmillError => new GristmillError('EINVAL', `${JSON.stringify(raw)} is not ${wanted}`)

function textOf(raw: unknown): string {
  if (typeof raw !== 'string' || raw === '') throw wrong(raw, 'a text')
  return raw
}

const text = (facts: Facts): Setting<string> => ({ ...facts, type: 'text', kind: 'value', parse: textOf })
const user = (facts: Facts): Setting<string> => ({
  ...facts, type: 'text', kind: 'value',
  parse: raw => {
    const name = textOf(raw)
    const fault = faultOfName(name)
    if (fault !== undefined) throw wrong(raw, `the name of a user (${fault})`)
    return name
  },
})
const path = (facts: Facts): Setting<string> => ({ ...facts, type: 'path', kind: 'path', parse: textOf })

/** A list in JSON, a repeated flag, or a comma-separated text. */
const paths = (facts: Facts): Setting<readonly string[]> => ({
  ...facts, type: 'paths', kind: 'paths',
  parse: raw => {
    const list = Array.isArray(raw) ? raw.map(textOf) : textOf(raw).split(',').filter(part => part !== '')
    if (list.length === 0) throw wrong(raw, 'a list of paths')
    return list
  },
})

/** A list in JSON, or a comma-separated text. */
const texts = (facts: Facts): Setting<readonly string[]> => ({
  ...facts, type: 'texts, separated by commas', kind: 'value',
  parse: raw => {
    const list = Array.isArray(raw) ? raw.map(textOf) : textOf(raw).split(',').map(part => part.trim()).filter(part => part !== '')
    if (list.length === 0) throw wrong(raw, 'a list of texts')
    return list
  },
})

/** The host may be a name, an IPv4 address, or an IPv6 address in brackets. */
const place = (facts: Facts): Setting<string> => ({
  ...facts, type: 'host:port', kind: 'value',
  parse: raw => {
    const port = typeof raw === 'string' ? /^(?:\[[0-9a-fA-F:.]+\]|[^\s:/[\]]+):(\d{1,5})$/.exec(raw)?.[1] : undefined
    if (port === undefined || Number(port) < 1 || Number(port) > 65_535) throw wrong(raw, 'an address of the form host:port')
    return raw as string
  },
})

const count = (min: number, max: number, facts: Facts): Setting<number> => ({
  ...facts, type: `number, ${min} to ${max}`, kind: 'value',
  parse: raw => {
    const value = typeof raw === 'number' ? raw : typeof raw === 'string' ? parseWhole(raw) : NaN
    if (!Number.isSafeInteger(value) || value < min || value > max) throw wrong(raw, `a whole number from ${min} to ${max}`)
    return value
  },
})

/** A bound, rounded down to a unit in which it can be written. */
function sizeText(bytes: number): string {
  if (bytes < KiB) return `${bytes} bytes`
  return bytes < MiB ? `${Math.floor(bytes / KiB)}KiB` : `${Math.floor(bytes / MiB)}MiB`
}

interface Bounds { readonly min?: number; readonly max?: number; readonly orZero?: true }

/** Throws EINVAL unless the value is within the bounds, or 0 if that has a meaning of its own. */
function bounded(value: number, raw: unknown, { min = 0, max = Infinity, orZero }: Bounds, format: (value: number) => string): number {
  if ((value >= min && value <= max) || (orZero && value === 0)) return value
  const [least, most] = [format(min), format(max)]
  const wanted = max === Infinity ? `at least ${least}` : min === 0 ? `at most ${most}` : `from ${least} to ${most}`
  throw wrong(raw, `${wanted}${orZero ? ', or 0' : ''}`)
}

const bytes = (facts: Facts, bounds: Bounds = {}): Setting<number> => ({
  ...facts, type: 'size, such as 128MiB', kind: 'value',
  parse: raw => bounded(
    typeof raw === 'number' && Number.isSafeInteger(raw) && raw >= 0 ? raw : parseBytes(textOf(raw)), raw, bounds, sizeText,
  ),
})

/** Declarations of queues, as texts: they are passed on to other processes. */
function queuesOf(raw: unknown): readonly string[] {
  const declared = texts({ fallback: '', usedBy: [], about: '' }).parse(raw)
  parseQueues(declared)
  return declared
}

const duration = (facts: Facts, bounds: Bounds = {}): Setting<number> => ({
  ...facts, type: 'duration, such as 30s', kind: 'value',
  parse: raw => bounded(typeof raw === 'number' && raw >= 0 ? raw : parseDuration(textOf(raw)), raw, bounds, formatDuration),
})

/** Shorter ones would only keep the servers busy. */
const often = { min: 10 }
const taskMemory = { min: 16 * MiB }

const flag = (facts: Facts): Setting<boolean> => ({
  ...facts, type: 'true or false', kind: 'value',
  parse: raw => {
    if (raw === true || raw === 'true' || raw === '1') return true
    if (raw === false || raw === 'false' || raw === '0') return false
    throw wrong(raw, 'true or false')
  },
})

const choice = <const T extends readonly string[]>(values: T, facts: Facts): Setting<T[number]> => ({
  ...facts, type: values.map(value => `\`${value}\``).join(', '), kind: 'value',
  parse: raw => {
    if (typeof raw !== 'string' || !values.includes(raw)) throw wrong(raw, `one of ${values.join(', ')}`)
    return raw
  },
})

export const settings = {
  home: path({
    fallback: '~/.gristmill', usedBy: ['all'],
    about: "Directory of this user's settings, of the embedded cluster and of the data of `gristmill up`.",
  }),
  cluster: text({
    fallback: 'the cluster of `gristmill up` in the home, else `embedded`',
    usedBy: ['client', 'datanode', 'gateway'],
    about: 'The namenode, as `host:port`, or `embedded`.',
  }),
  secretFile: path({
    fallback: '`secret` in the home', usedBy: ['all'],
    about: "The cluster's secret: at least 32 bytes in a file that only its owner can read. Required to listen on more than loopback.",
  }),
  user: user({
    fallback: 'the user of the operating system', usedBy: ['client'],
    about: 'User that calls are made as, for owners and permissions.',
  }),
  host: text({
    fallback: '127.0.0.1', usedBy: ['namenode', 'datanode', 'gateway'],
    about: 'The interface to listen on. Anything but loopback needs `secretFile`.',
  }),
  port: count(0, 65_535, {
    fallback: '8620 for a namenode, 8621 for a datanode; for `up` the ports of the last time, else free ones from 8620 on',
    usedBy: ['namenode', 'datanode', 'up'], about: 'The port to listen on; 0: any free port.',
  }),
  advertise: place({
    fallback: 'the listening address', usedBy: ['namenode', 'datanode'],
    about: 'Address at which other processes reach this one, as `host:port`: needed behind a proxy or NAT, or in a container.',
  }),
  dir: paths({
    fallback: '`namenode`, `datanode` or `cluster` in the home',
    usedBy: ['namenode', 'datanode', 'up'],
    about: 'Data directories. A datanode may have several, one per disk; the first holds its identity.',
  }),
  rack: text({
    fallback: '/default', usedBy: ['datanode'],
    about: 'Rack of the machine; the replicas of a block are spread over at least two racks, if there are two.',
  }),
  racks: texts({
    fallback: 'none: all datanodes of `up` are in `rack`', usedBy: ['up'],
    about: 'Racks of the datanodes that `up` starts, in turn: with `/r1,/r2`, datanode1 and datanode3 are in `/r1`.',
  }),
  hostName: text({
    fallback: "the machine's host name", usedBy: ['client', 'datanode', 'gateway'],
    about: "Processes with the same host name are on the same machine, and read each other's block files directly.",
  }),
  slots: count(0, limits.taskSlotsMax, {
    fallback: 'the number of processor cores; for `up` divided among its datanodes', usedBy: ['datanode'],
    about: 'Number of tasks that run at the same time.',
  }),
  memory: bytes({ fallback: '512MiB', usedBy: ['datanode'], about: 'Memory of one task, unless its job sets it; at least 16MiB.' }, taskMemory),
  nodeMemory: bytes({
    fallback: "three quarters of the machine's memory, by the share of `slots` in its cores", usedBy: ['datanode'],
    about: 'Memory of all tasks together: tasks that ask for much wait for each other. At least `slots` times `memory`.',
  }, taskMemory),
  drives: count(0, limits.jobsRunningMax, {
    fallback: `one for each 256 MiB of an eighth of the machine's memory, by the share of \`slots\` in its cores, and at least ${limits.nodeDrivesMin}`,
    usedBy: ['datanode'],
    about: 'Number of detached programs whose functions run on this datanode at the same time, beside its slots; further ones wait. 0: none.',
  }),
  replication: count(1, 16, {
    fallback: '3, for `up` at most the number of its datanodes; 1 when embedded',
    usedBy: ['namenode', 'up'], about: 'Default replication of files.',
  }),
  blockSize: bytes(
    { fallback: '128MiB', usedBy: ['namenode', 'up'], about: 'Default maximum size of blocks; 512 bytes to 2047MiB.' },
    { min: limits.blockBytesMin, max: limits.blockBytesMax },
  ),
  inlineBytes: bytes({
    fallback: '4KiB', usedBy: ['namenode', 'client', 'up'],
    about:
      'Length up to which the bytes of a small file are stored in the namenode, without a block; at most 16KiB. 0: '
      + 'all files have blocks. A client may set a lower bound than the namenode.',
  }, { max: limits.inlineBytesMax }),
  hosts: path({
    fallback: 'none: each datanode with the secret may join', usedBy: ['namenode', 'up'],
    about:
      'File with the hosts, addresses or ids of the datanodes that may join, separated by white space; an empty one admits all. It is read '
      + 'again when it changes.',
  }),
  hostsExclude: path({
    fallback: 'none', usedBy: ['namenode', 'up'],
    about:
      'File with the hosts, addresses or ids of datanodes that are decommissioned as long as they are in it. It is read again when it '
      + 'changes.',
  }),
  queues: {
    ...texts({
      fallback: 'one queue, default', usedBy: ['namenode', 'up'],
      about:
        'Queues of jobs, separated by commas: NAME:WEIGHT or NAME:WEIGHT:TASKS, such as etl:3,adhoc:1:4. Queues share the slots by their '
        + 'weights; TASKS bounds what runs at the same time. Jobs that name no queue are in the queue default, whose weight is 1 unless it is declared.',
    }),
    parse: raw => queuesOf(raw),
  },
  jobsPerUser: count(1, 1000, {
    fallback: '1000', usedBy: ['namenode', 'up'],
    about: 'Number of jobs of one user that have not ended; a further one is refused. All users together may have 1000. Detached programs '
      + 'are counted apart from their steps and other jobs, with the same bounds.',
  }),
  datanodes: count(1, 64, {
    fallback: '3, or the number of the last time', usedBy: ['up'], about: 'Number of datanodes that `up` starts.',
  }),
  heartbeat: duration(
    { fallback: '500ms', usedBy: ['namenode', 'datanode'], about: 'Interval of the heartbeats of a datanode; at least 10ms.' }, often,
  ),
  nodeStale: duration({
    fallback: '3s, or a third of `nodeDead` if that is less',
    usedBy: ['namenode'],
    about: 'Time without a heartbeat after which a datanode is stale and gets no new blocks or tasks.',
  }, often),
  nodeDead: duration({
    fallback: '9.5s', usedBy: ['namenode', 'datanode'],
    about: 'Time without a heartbeat after which a datanode is dead and its blocks are copied again.',
  }, often),
  scrubPeriod: duration({
    fallback: '14d', usedBy: ['datanode', 'up'],
    about: 'Every replica of a disk is verified against its checksums once in this time; 0s: never.',
  }, { min: 1000, orZero: true }),
  scrubRate: bytes({
    fallback: '8MiB', usedBy: ['datanode', 'up'],
    about:
      'Maximum bytes per second that scrubbing reads from each disk; at least 1KiB. If it is too low for the period, a round takes longer.',
  }, { min: KiB }),
  blockTrashKeep: duration({
    fallback: '1h', usedBy: ['datanode', 'up'],
    about: 'Time for which a datanode keeps deleted blocks, if it has the space; 0s: not at all.',
  }),
  deleteGuard: duration({
    fallback: '10m', usedBy: ['datanode', 'up'],
    about: 'A datanode refuses to delete more than a tenth of its blocks for a namenode that started less than this ago; 0s: no limit.',
  }),
  leaseSoft: duration({
    fallback: '30s', usedBy: ['namenode'],
    about: 'Time without a lease renewal after which another writer may take the path.',
  }, often),
  leaseHard: duration({
    fallback: '10m', usedBy: ['namenode'],
    about: 'Time without a lease renewal after which the file of a writer is abandoned; if its directory was removed for good, leaseSoft counts.',
  }, often),
  trashKeep: duration({
    fallback: '24h', usedBy: ['namenode', 'up'],
    about: 'Time for which removed entries stay in the trash; 0: they are deleted at once.',
  }),
  uploadKeep: duration({
    fallback: '7d', usedBy: ['namenode', 'up'],
    about: 'Time after its begin at which an upload in parts (S3) that was neither completed nor aborted is removed; 0s: never.',
  }),
  versionsKeep: count(0, 1000, {
    fallback: '10', usedBy: ['namenode', 'up'],
    about: 'Number of older versions of an output that are kept when jobs replace it, beside tagged ones. 0: what is replaced goes to the trash.',
  }),
  versionsKeepFor: duration({
    fallback: '30d', usedBy: ['namenode', 'up'],
    about: 'Time after which an older version of an output is freed, counted from its replacement, unless it has a tag; 0s: never.',
  }),
  keptOutputs: count(0, 1000, {
    fallback: '100', usedBy: ['namenode', 'up'],
    about:
      'Number of outputs of computed but unpublished jobs that are kept, for one week, for `job publish`; the oldest is deleted first. 0: none.',
  }),
  keptBytes: bytes({
    fallback: '1TiB', usedBy: ['namenode', 'up'],
    about: 'Total bytes of these outputs, without replicas; the oldest are deleted first. The newest is kept whatever its size.',
  }),
  backupDir: path({
    fallback: "`backups` in the namenode's directory", usedBy: ['namenode'],
    about: "Directory of the namenode's backups. Use another disk, which survives the loss of this one.",
  }),
  backupEvery: duration({
    fallback: '24h', usedBy: ['namenode'],
    about: 'Interval of automatic backups, if the state has changed; 0s: never.',
  }, { min: 1000, orZero: true }),
  backupKeep: count(1, 1000, {
    fallback: '3', usedBy: ['namenode'],
    about: 'Number of backups that are kept. The journal is kept from the oldest of them on.',
  }),
  profile: choice(['durable', 'test-without-fsync'], {
    fallback: 'durable', usedBy: ['namenode', 'up'],
    about: '`test-without-fsync` acknowledges before metadata is on disk: for tests only, since a power cut loses data.',
  }),
  logLevel: choice(['debug', 'info', 'warn', 'error', 'silent'], {
    fallback: 'info for servers, silent for commands',
    usedBy: ['all'],
    about: 'Minimum level of log lines, which are JSON.',
  }),
  logFile: path({
    fallback: 'stderr; `log/NAME.log` in the directory of the cluster for servers of `gristmill up`', usedBy: ['all'],
    about: 'File for log lines.',
  }),
  logSize: bytes({
    fallback: '16MiB', usedBy: ['all'], about: 'Size at which a log file is emptied after its content was copied to `FILE.1`, `FILE.2` and so on; at least 1KiB.',
  }, { min: KiB }),
  logKeep: count(0, 1000, { fallback: '5', usedBy: ['all'], about: 'Number of earlier log files, `FILE.1` and so on, that are kept.' }),
  auditLog: path({
    fallback: 'none; `log/audit.log` in the directory of the cluster for `gristmill up`', usedBy: ['namenode', 'up'],
    about: 'File for one line of JSON for each change that a user asks for: who, from which address, did what to which path, with which outcome.',
  }),
  auditReads: flag({
    fallback: 'false', usedBy: ['namenode', 'up'], about: 'The audit log also has lines for calls that change nothing.',
  }),
  gateway: flag({
    fallback: 'false', usedBy: ['up'], bare: true, about: '`up` also starts a gateway, with the settings of `gristmill gateway`.',
  }),
  webhdfs: count(0, 65_535, {
    fallback: '9870; for `up` the port of the last time, else a free one from 9870 on', usedBy: ['gateway', 'up'],
    about: 'Port of WebHDFS on a gateway; 0: any free port.',
  }),
  s3: count(0, 65_535, {
    fallback: 'none: no S3', usedBy: ['gateway', 'up'],
    about: 'Port of S3 on a gateway; 0: any free port. `gristmill gateway` with this port and none of WebHDFS answers S3 only; the gateway of `up` answers WebHDFS, too.',
  }),
  console: count(0, 65_535, {
    fallback: 'none: no console', usedBy: ['gateway', 'up'],
    about: 'Port of the console, pages for people, on a gateway; 0: any free port. A gateway with this port and none of WebHDFS and S3 serves the console only.',
  }),
  pg: count(0, 65_535, {
    fallback: 'none: no PostgreSQL protocol', usedBy: ['gateway', 'up'],
    about: 'Port of the PostgreSQL protocol on a gateway, for SQL; 0: any free port. A gateway with this port and none of WebHDFS serves the others only.',
  }),
  s3Root: text({
    fallback: '/', usedBy: ['gateway', 'up'], about: 'Directory of the cluster whose directories are the buckets of S3.',
  }),
  s3Domain: texts({
    fallback: 'localhost', usedBy: ['gateway', 'up'],
    about: 'Names of the gateway for S3: a request to `BUCKET.NAME` names its bucket there, one to `NAME` in its path.',
  }),
  tlsCert: path({
    fallback: 'none: plain HTTP', usedBy: ['gateway', 'up'],
    about: 'File with the certificate of a gateway, in PEM, and behind it those of the authorities between it and the root. A gateway reads it and its key again when they change.',
  }),
  tlsKey: path({ fallback: 'none', usedBy: ['gateway', 'up'], about: 'File with the key of the certificate of a gateway, in PEM, without a password.' }),
  trustedProxies: texts({
    fallback: 'none', usedBy: ['gateway', 'up'],
    about: 'IP addresses or networks of proxies that authenticate users: a gateway takes the name of a user from them. A gateway that listens on more than loopback needs them.',
  }),
  accessLog: path({
    fallback: 'none; `log/access.log` in the directory of the cluster for `gristmill up`', usedBy: ['gateway', 'up'],
    about: 'File for one line in the combined format for each request to a gateway.',
  }),
  debug: flag({ fallback: 'false', usedBy: ['client'], about: 'Commands print the stack of their error.' }),
} as const satisfies Record<string, Setting<unknown>>

export type SettingName = keyof typeof settings
/** Settings that were given. Unset ones are undefined; the user of a setting applies its default. */
export type Settings = { readonly [Name in SettingName]?: ReturnType<(typeof settings)[Name]['parse']> | undefined } & {
  readonly home: string
}
