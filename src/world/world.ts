// The real world in one object. Only main files and composition roots ask for it; everything else takes what it is given.

import { unarmed, type Failpoints } from '../ports/failpoints.ts'
import type { Disk } from '../ports/disk.ts'
import type { World } from '../ports/world.ts'
import { systemClock } from './clock.ts'
import { localDisk } from './disk.ts'
import { openLog, type LogOptions } from './log.ts'
import { systemNet } from './net.ts'
import { inspectStore } from './pages.ts'
import { childProcesses } from './process.ts'
import { systemRandom } from './random.ts'

export interface WorldOptions {
  /** The kind of process, on every log line. */
  readonly name: string
  readonly logLevel: LogOptions['level']
  /** stderr if missing. */
  readonly logFile?: string | undefined
  /** A process under test has its own (control.ts). */
  readonly failpoints?: Failpoints | undefined
  readonly disk?: Disk | undefined
}

/** Loaded by those who have one: a client and a datanode start sooner without LMDB. */
const openStore: World['openStore'] = async (directory, options) => (await import('./store.ts')).openStore(directory, options)

export function realWorld({ name, logLevel, logFile, failpoints = unarmed, disk = localDisk }: WorldOptions): World {
  const log = openLog({ name, level: logLevel, file: logFile })
  return Object.freeze({
    clock: systemClock,
    random: systemRandom(),
    disk,
    net: systemNet(log),
    log,
    processes: childProcesses,
    failpoints,
    openStore,
    inspectStore,
  })
}
