// External dependencies of a command line session: settings, machine, world. Loaded on first use; `--help` needs none of them.

import type { GristmillError } from '../../src/base/errors.ts'
import { showText } from '../../src/base/quote.ts'
import type { Settings } from '../../src/base/settings.ts'
import type { TestHold } from '../../src/world/control.ts'
import type { Machine } from '../../src/ports/machine.ts'
import type { World } from '../../src/ports/world.ts'
import type { Preparation } from '../load/preparation.ts'
import type { Mill } from '../mill.ts'
import type { CommandContext, Options } from './context.ts'

/** Commands that log at level info by default; the others print to the terminal. */
const servers = new Set(['namenode', 'datanode', 'gateway', 'serve', 'serve-kv'])

export async function loadSettings(flags: Options): Promise<Settings> {
  const [{ localDisk: disk }, machine, { readSettings }] = await Promise.all([
    import('../../src/world/disk.ts'), loadMachine(), import('../discovery/readsettings.ts'),
  ])
  return readSettings({ disk, machine }, flags)
}

export async function loadMachine(): Promise<Machine> {
  const { localMachine } = await import('../../src/world/machine.ts')
  return localMachine
}

export async function loadWorld(name: string, settings: Settings): Promise<World> {
  const [{ realWorld }, { limitNewSpace }] = await Promise.all([import('../../src/world/world.ts'), import('../../src/world/v8heap.ts')])
  // A gateway moves pieces of files, whose memory is given back with the objects of the new space.
  if (name === 'namenode' || name === 'gateway') limitNewSpace()
  return realWorld({
    name,
    logLevel: settings.logLevel ?? (servers.has(name) ? 'info' : 'silent'),
    logFile: settings.logFile, logSize: settings.logSize, logKeep: settings.logKeep, ...(servers.has(name) && (await held())),
  })
}

/** Control that a test has over this process; undefined outside of tests. */
async function held(): Promise<TestHold | undefined> {
  const { environment } = await loadMachine()
  if (!environment['GRISTMILL_TEST_KIT'] && !environment['GRISTMILL_FAILPOINTS']) return undefined
  const { takeHold } = await import('../../src/world/control.ts')
  return takeHold()
}

/** Prints why a command waits for the namenode: each reason once, however many calls wait for it. */
export function waitingNotes(context: Pick<CommandContext, 'note'>): (why: GristmillError) => void {
  const told = new Set<string>()
  return ({ message }) => {
    if (told.size >= reasonsMax || told.has(message)) return
    told.add(message)
    context.note(`waiting: ${showText(message)}`)
  }
}

/** Some reasons contain numbers that change. */
const reasonsMax = 10

/** Opens the cluster selected by the settings, or the embedded one. */
export async function openMill(
  context: CommandContext, { prepared, signal }: { prepared: Preparation | undefined; signal: AbortSignal },
): Promise<Mill> {
  const [settings, machine, world, { openMeant }] = await Promise.all([
    context.settings(), context.machine(), context.world(), import('../embedded/open.ts'),
  ])
  return openMeant({
    settings, machine, world, signal, prepared,
    onWait: waitingNotes(context),
    onMade: dir => context.note(`created the embedded cluster of this home; its files are in ${dir}`),
  })
}
