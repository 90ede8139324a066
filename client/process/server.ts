// A server process of `gristmill up`: started through the bin with settings in its environment; ready once its ready line appears.

import { fileURLToPath } from 'node:url'
import { settingNames, variableOf } from '../../src/base/config.ts'
import { GristmillError, isErrorCode } from '../../src/base/errors.ts'
import { address, type Address } from '../../src/base/ids.ts'
import { waitUntil } from '../../src/base/retry.ts'
import type { SettingName, Settings } from '../../src/base/settings.ts'
import type { Launched, Machine } from '../../src/ports/machine.ts'
import type { World } from '../../src/ports/world.ts'
import type { RunningProcess } from '../discovery/running.ts'
import type { Ready } from './run.ts'

export interface ServerPlan {
  readonly role: 'namenode' | 'datanode' | 'gateway'
  readonly dir: string
  readonly port: number
  readonly logDir: string
  readonly secretFile: string
  readonly namenode?: Address
}

interface Starting {
  readonly settings: Settings
  /** Their sources, by name. Settings that `up` chooses have none. */
  readonly origins: Readonly<Record<string, string>>
  readonly world: World
  readonly machine: Machine
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

/** Valid in a checkout and in an installed package. */
const bin = fileURLToPath(new URL('../cli/gristmill.js', import.meta.url))
/** Tells gristmill.js that this process holds it (`Machine.launch`). */
const heldVariable = 'GRISTMILL_HELD'
const readyMs = 60_000
const lookMs = 15
/** Length of the log's end that is shown if a process did not start. */
const tailChars = 2_000

/** Does nothing until `begin`. */
export class ServerProcess {
  /** `namenode`, `datanode2`. */
  readonly name: string
  readonly log: string
  readonly ended: Promise<string>
  readonly #world: World
  readonly #launched: Launched
  readonly #readyFile: string
  #process: RunningProcess
  #how: string | undefined

  static launch(starting: Starting, plan: ServerPlan): ServerProcess {
    return new ServerProcess(starting, plan)
  }

  private constructor(starting: Starting, plan: ServerPlan) {
    const { machine, world, cwd } = starting
    this.name = plan.dir.slice(plan.dir.lastIndexOf('/') + 1)
    this.log = `${plan.logDir}/${this.name}.log`
    this.#world = world
    this.#readyFile = `${plan.logDir}/${this.name}.ready`
    this.#launched = machine.launch({
      main: bin,
      args: [plan.role, '--json', ...argumentsOf(plan)],
      env: environment(starting, plan, this.log),
      cwd,
      stdoutFile: this.#readyFile,
      stderrFile: this.log,
    })
    const { pid } = this.#launched
    const { role, dir } = plan
    this.#process = { role, id: '', address: address(''), pid, born: machine.born(pid) ?? '', dir, origins: starting.origins }
    this.ended = this.#launched.ended.then(({ code, signal }) => this.#how = signal ?? `exit code ${code}`)
  }

  get process(): RunningProcess { return this.#process }

  /**
   * Waits until the process serves. Throws with the end of its log if it ends before, or after a minute, and what `assertOthers` throws,
   * which is called again and again.
   */
  async ready(signal: AbortSignal, assertOthers: () => void): Promise<void> {
    const { clock, disk } = this.#world
    const line = await waitUntil(async () => {
      const text = (await disk.readFile(this.#readyFile)).toString('utf8')
      const said = text.split('\n').slice(0, -1).find(part => part.startsWith('{'))
      if (said === undefined && this.#how !== undefined) throw await this.#failure()
      assertOthers()
      return said
    }, { clock, pauseMs: lookMs, untilMs: clock.mono() + readyMs, signal })
    if (line === undefined) {
      const why = await this.#warning()
      throw new GristmillError('TIMEOUT', `${this.name} was not ready within ${readyMs / 1000} s${why}; its log: ${this.log}`)
    }
    const { id, address: where, endpoints } = JSON.parse(line) as Ready
    this.#process = { ...this.#process, id, address: where, ...endpoints && { endpoints } }
  }

  assertAlive(): void {
    if (this.#how !== undefined) throw new GristmillError('UNAVAILABLE', `${this.name} has ended (${this.#how}); its log: ${this.log}`)
  }

  /** REQUIRES: a file names the process. */
  begin(): void { this.#launched.begin() }

  release(): void { this.#launched.release() }

  /** The last warning of the process, behind a colon; empty without one. */
  async #warning(): Promise<string> {
    const log = (await this.#world.disk.readFile(this.log)).toString('utf8').slice(-tailChars)
    for (const line of log.split('\n').reverse()) {
      try {
        const { level, msg, error } = JSON.parse(line) as { level?: unknown; msg?: unknown; error?: { message?: unknown } }
        const more = error?.message === undefined ? '' : ` (${String(error.message)})`
        if (level === 'warn' || level === 'error') return `: ${String(msg)}${more}`
      } catch {
        // Not a line of the log, or its end.
      }
    }
    return ''
  }

  /** The message of the process, whose standard output is a file. */
  #named(message: string): string {
    const [, reason] = /^standard output: ([\s\S]*)$/.exec(message) ?? []
    return reason === undefined ? message : `cannot write ${this.#readyFile}: ${reason}; free some space on its disk`
  }

  /** The last log line is the best message: with --json it is one line of JSON with the error code. */
  async #failure(): Promise<GristmillError> {
    const log = (await this.#world.disk.readFile(this.log)).toString('utf8').slice(-tailChars).trimEnd()
    const last = log.slice(log.lastIndexOf('\n') + 1)
    try {
      const { error } = JSON.parse(last) as { error?: { code?: unknown; message?: unknown } }
      if (isErrorCode(error?.code))
        return new GristmillError(error.code, `${this.name} did not start: ${this.#named(String(error.message))}`, {
          details: { log: this.log },
        })
    } catch {
      // Not JSON: shown unchanged.
    }
    return new GristmillError('UNAVAILABLE', `${this.name} did not start (${this.#how}); its log ${this.log} ends with:\n${log}`, {
      details: { log: this.log },
    })
  }
}

/** A gateway keeps nothing: it has no directory, and a port for each dialect. */
const argumentsOf = ({ role, dir, port }: ServerPlan): string[] =>
  (role === 'gateway' ? ['--webhdfs', String(port)] : ['--dir', dir, '--port', String(port)])

/** Settings that no process has from those of `up` as they are. */
export const ownOfEach: readonly SettingName[] = ['dir', 'port', 'advertise', 'cluster', 'datanodes', 'logFile', 'debug']

/** Environment of a process: all settings of `up`, except those that differ per process. */
function environment(
  { settings, env }: Starting, { role, dir, secretFile, namenode }: ServerPlan, log: string,
): Record<string, string | undefined> {
  const result: Record<string, string | undefined> = {}
  for (const [name, value] of Object.entries(env)) if (!name.startsWith('GRISTMILL_')) result[name] = value
  const own = new Set<string>([...ownOfEach, 'gateway', 'webhdfs', 'racks', ...(role === 'namenode' ? ['rack', 'hostName'] : [])])
  for (const name of settingNames) {
    const value = settings[name]
    if (value !== undefined && !own.has(name)) result[variableOf(name)] = String(value)
  }
  result[heldVariable] = '1'
  // The same file as its stderr: rotation needs its name.
  result[variableOf('logFile')] = log
  if (role === 'namenode') result[variableOf('auditLog')] ??= `${log.slice(0, log.lastIndexOf('/'))}/audit.log`
  if (role === 'gateway') result[variableOf('accessLog')] ??= `${log.slice(0, log.lastIndexOf('/'))}/access.log`
  result[variableOf('secretFile')] = secretFile
  if (namenode !== undefined) result[variableOf('cluster')] = namenode
  if (role === 'datanode' && settings.racks) result[variableOf('rack')] = rackOf(dir, settings.racks)
  return result
}

/** `datanode1` is in the first rack, the next one in the second, and so on in turn: also when others are started again. */
export const rackOf = (dir: string, racks: readonly string[]): string =>
  racks[(Number(/datanode(\d+)$/.exec(dir)?.[1] ?? 1) - 1) % racks.length]!
