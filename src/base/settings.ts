// The table of all settings. One line each: its type, its default as a person reads it, who looks at it, and what it does.
// docs/reference/settings.md is this table; how values are found is in config.ts.

import { GristmillError } from './errors.ts'
import { parseBytes, parseDuration } from './units.ts'

export type SettingUser = 'all' | 'client' | 'namenode' | 'datanode' | 'up'

export interface Setting<T> {
  /** For people: what a value looks like. */
  readonly type: string
  /** For people: what holds when nothing is said. */
  readonly fallback: string
  readonly usedBy: readonly SettingUser[]
  readonly about: string
  /** `path`: relative ones are resolved against the place they were written in. */
  readonly kind: 'value' | 'path' | 'paths'
  /** From a string (flag, variable, file) or JSON value. Throws EINVAL, which says what would be right. */
  readonly parse: (raw: unknown) => T
}

type Facts = Pick<Setting<unknown>, 'fallback' | 'usedBy' | 'about'>

const wrong = (raw: unknown, wanted: string): GristmillError => new GristmillError('EINVAL', `${JSON.stringify(raw)} is not ${wanted}`)

function textOf(raw: unknown): string {
  if (typeof raw !== 'string' || raw === '') throw wrong(raw, 'a text')
  return raw
}

const text = (facts: Facts): Setting<string> => ({ ...facts, type: 'text', kind: 'value', parse: textOf })
const path = (facts: Facts): Setting<string> => ({ ...facts, type: 'path', kind: 'path', parse: textOf })

/** A list in JSON, a repeated flag, or a text with commas. */
const paths = (facts: Facts): Setting<readonly string[]> => ({
  ...facts, type: 'paths', kind: 'paths',
  parse: raw => {
    const list = Array.isArray(raw) ? raw.map(textOf) : textOf(raw).split(',').filter(part => part !== '')
    if (list.length === 0) throw wrong(raw, 'a list of paths')
    return list
  },
})

/** A host may be a name, an IPv4 address, or an IPv6 address in brackets. */
const place = (facts: Facts): Setting<string> => ({
  ...facts, type: 'host:port', kind: 'value',
  parse: raw => {
    const port = typeof raw === 'string' ? /^(?:\[[0-9a-fA-F:.]+\]|[^\s:/[\]]+):(\d{1,5})$/.exec(raw)?.[1] : undefined
    if (port === undefined || Number(port) < 1 || Number(port) > 65_535) throw wrong(raw, 'a place of the form host:port')
    return raw as string
  },
})

const count = (min: number, max: number, facts: Facts): Setting<number> => ({
  ...facts, type: `number, ${min} to ${max}`, kind: 'value',
  parse: raw => {
    const value = typeof raw === 'number' ? raw : typeof raw === 'string' && /^\d+$/.test(raw) ? Number(raw) : NaN
    if (!Number.isSafeInteger(value) || value < min || value > max) throw wrong(raw, `a whole number from ${min} to ${max}`)
    return value
  },
})

const bytes = (facts: Facts): Setting<number> => ({
  ...facts, type: 'size, such as 128MiB', kind: 'value',
  parse: raw => (typeof raw === 'number' && Number.isSafeInteger(raw) && raw >= 0 ? raw : parseBytes(textOf(raw))),
})

const duration = (facts: Facts): Setting<number> => ({
  ...facts, type: 'duration, such as 30s', kind: 'value',
  parse: raw => (typeof raw === 'number' && raw >= 0 ? raw : parseDuration(textOf(raw))),
})

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
    about: "Where this user's settings, embedded cluster and the data of `gristmill up` lie.",
  }),
  cluster: text({
    fallback: 'the cluster of `gristmill up` in the home, else `embedded`',
    usedBy: ['client', 'datanode'],
    about: 'The namenode, as `host:port`, or `embedded`.',
  }),
  secretFile: path({
    fallback: '`secret` in the home', usedBy: ['all'],
    about: "The cluster's secret: at least 32 bytes in a file that only its owner can read. Required to listen on more than loopback.",
  }),
  user: text({
    fallback: 'the user of the operating system', usedBy: ['client'],
    about: 'Whose name calls carry, for owners and permissions.',
  }),
  host: text({
    fallback: '127.0.0.1', usedBy: ['namenode', 'datanode'],
    about: 'The interface to listen on. Anything but loopback needs `secretFile`.',
  }),
  port: count(0, 65_535, {
    fallback: '8620 for a namenode, 8621 for a datanode; for `up` those of the last time, else 8620 and the following ones that are free',
    usedBy: ['namenode', 'datanode', 'up'],
    about: 'The port to listen on; 0 takes a free one.',
  }),
  advertise: place({
    fallback: 'where it listens', usedBy: ['namenode', 'datanode'],
    about: 'Where others reach this process, as `host:port`: behind a proxy or a translating router, or in a container.',
  }),
  dir: paths({
    fallback: '`namenode`, `datanode` or `cluster` in the home',
    usedBy: ['namenode', 'datanode', 'up'],
    about: 'Data directories. A datanode may have several, one a disk; the first holds its identity.',
  }),
  rack: text({
    fallback: '/default', usedBy: ['datanode'],
    about: 'Where the machine stands; replicas of a block go to at least two racks where there are two.',
  }),
  hostName: text({
    fallback: "the machine's host name", usedBy: ['client', 'datanode'],
    about: "Processes with the same one are on the same machine, and read each other's block files in place.",
  }),
  slots: count(0, 1024, { fallback: 'the number of processor cores', usedBy: ['datanode'], about: 'Tasks that run at a time.' }),
  memory: bytes({ fallback: '512MiB', usedBy: ['datanode'], about: 'What one task may use where its job does not say.' }),
  replication: count(1, 16, {
    fallback: '3, but for `up` not more than it has datanodes; 1 when embedded',
    usedBy: ['namenode', 'up'],
    about: 'Replicas of a file whose writer does not say.',
  }),
  blockSize: bytes({
    fallback: '128MiB', usedBy: ['namenode', 'up'],
    about: 'Largest block of a file whose writer does not say; 4KiB to 2047MiB.',
  }),
  datanodes: count(1, 64, { fallback: '3, or as many as there were', usedBy: ['up'], about: 'Datanodes that `up` starts.' }),
  heartbeat: duration({ fallback: '500ms', usedBy: ['namenode', 'datanode'], about: 'How often a datanode says that it lives.' }),
  nodeStale: duration({
    fallback: '3s, or a third of `nodeDead` where that is less',
    usedBy: ['namenode'],
    about: 'Silence after which a datanode gets no new blocks and tasks.',
  }),
  nodeDead: duration({
    fallback: '9.5s', usedBy: ['namenode', 'datanode'],
    about: 'Silence after which a datanode counts as dead and its blocks are copied again.',
  }),
  scrubPeriod: duration({
    fallback: '14d', usedBy: ['datanode', 'up'],
    about: 'Each block of a disk is read and compared with its checksums once in this time; 0s for never.',
  }),
  scrubRate: bytes({
    fallback: '8MiB', usedBy: ['datanode', 'up'],
    about: 'The most that this reads in a second, on each disk. Where it is too little for the period, a round takes longer.',
  }),
  blockTrashKeep: duration({
    fallback: '1h', usedBy: ['datanode', 'up'],
    about: 'How long a datanode keeps blocks that it was told to remove, if it has the room; 0s for not at all.',
  }),
  deleteGuard: duration({
    fallback: '10m', usedBy: ['datanode', 'up'],
    about:
      "A namenode that has started less than this ago may not have more than a tenth of a datanode's blocks removed; 0s for no such care.",
  }),
  leaseSoft: duration({ fallback: '30s', usedBy: ['namenode'], about: 'Silence of a writer after which another may take its path.' }),
  leaseHard: duration({ fallback: '10m', usedBy: ['namenode'], about: 'Silence of a writer after which its file is given up.' }),
  trashKeep: duration({
    fallback: '24h', usedBy: ['namenode', 'up'],
    about: 'How long what was removed stays in the trash; 0 removes at once.',
  }),
  keptOutputs: count(0, 1000, {
    fallback: '100', usedBy: ['namenode', 'up'],
    about:
      'Jobs that were computed and could not be published of which the output is kept, for a week, for `job publish`; of more the oldest goes. 0: nothing is kept.',
  }),
  keptBytes: bytes({
    fallback: '1TiB', usedBy: ['namenode', 'up'],
    about: 'What these outputs may have together, without replicas; of more the oldest go. The newest one is kept whatever it has.',
  }),
  backupDir: path({
    fallback: "`backups` in the namenode's directory", usedBy: ['namenode'],
    about: 'Where a namenode makes backups of its state. Another disk survives what this one does not.',
  }),
  backupEvery: duration({
    fallback: '24h', usedBy: ['namenode'],
    about: 'How often it does so by itself, if anything has changed; 0s for never.',
  }),
  backupKeep: count(1, 1000, {
    fallback: '3', usedBy: ['namenode'],
    about: 'Backups that are kept. The journal is kept from the oldest of them on.',
  }),
  profile: choice(['durable', 'test-without-fsync'], {
    fallback: 'durable', usedBy: ['namenode', 'up'],
    about: '`test-without-fsync` answers before metadata is on the disk: for tests, where a power cut costs nothing.',
  }),
  logLevel: choice(['debug', 'info', 'warn', 'error', 'silent'], {
    fallback: 'info for servers, silent for commands',
    usedBy: ['all'], about: 'What is logged, as JSON lines.',
  }),
  logFile: path({ fallback: 'stderr', usedBy: ['all'], about: 'Where it is logged.' }),
  debug: flag({ fallback: 'false', usedBy: ['client'], about: 'Commands print the stack of their error.' }),
} as const satisfies Record<string, Setting<unknown>>

export type SettingName = keyof typeof settings
/** What was said; whoever needs a value that was not said takes its default. */
export type Settings = { readonly [Name in SettingName]?: ReturnType<(typeof settings)[Name]['parse']> | undefined } & {
  readonly home: string
}
