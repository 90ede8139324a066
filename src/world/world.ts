// The real World. Only main files and composition roots create it; all other code gets it passed.

import { unarmed, type Failpoints } from '../ports/failpoints.ts'
import type { Disk } from '../ports/disk.ts'
import type { World } from '../ports/world.ts'
import { systemClock } from './clock.ts'
import { localDisk } from './disk.ts'
import { httpFetch } from './httpfetch.ts'
import { openLog, type LoggerOptions } from './log.ts'
import { systemNet } from './net.ts'
import { inspectStore } from './pages.ts'
import { childProcesses } from './process.ts'
import { systemRandom } from './random.ts'

interface WorldOptions {
  /** Kind of process, on every log line. */
  readonly name: string
  readonly logLevel: LoggerOptions['level']
  /** Default: stderr. */
  readonly logFile?: string | undefined
  /** Size in bytes at which `logFile` is rotated, and the number of earlier files that are kept. */
  readonly logSize?: number | undefined
  readonly logKeep?: number | undefined
  /** Set in a process under test (control.ts). */
  readonly failpoints?: Failpoints | undefined
  readonly disk?: Disk | undefined
}

/** Imported on demand: a client and a datanode start faster without LMDB. */
const openStore: World['openStore'] = async (directory, options) => (await import('./store.ts')).openStore(directory, options)

const openPostgres: World['openPostgres'] = async (address, signal) => (await import('./postgres.ts')).openPostgres(address, signal)

const openKafka: World['openKafka'] = async (address, signal) => (await import('./kafka.ts')).openKafka(address, signal)

const loadAvro: World['loadAvro'] = async () => (await import('./avro.ts')).loadAvro()

const openDatabase: World['openDatabase'] = async options => (await import('./duckdb.ts')).openDuckDB(options)

export function realWorld({ name, logLevel, logFile, logSize, logKeep, failpoints = unarmed, disk = localDisk }: WorldOptions): World {
  const { log, control } = openLog({ name, level: logLevel, file: logFile, fileBytes: logSize, fileCopies: logKeep })
  return Object.freeze({
    clock: systemClock,
    random: systemRandom(),
    disk,
    net: systemNet(log),
    log,
    logControl: control,
    processes: childProcesses,
    failpoints,
    openStore,
    inspectStore,
    openDatabase,
    print: (text: string) => { process.stdout.write(text) },
    httpFetch,
    openPostgres,
    openKafka,
    loadAvro,
  })
}
