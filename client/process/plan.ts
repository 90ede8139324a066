// Options and plan of `gristmill up`: current options over those remembered from earlier times, which hold over variables and the settings
// file as options do. Reads directories, and changes nothing.

import { flagOf, originText, settingNames, type SettingOrigin } from '../../src/base/config.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { settings as table, type Setting, type SettingName, type Settings } from '../../src/base/settings.ts'
import { stampName } from '../../src/home/home.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Machine } from '../../src/ports/machine.ts'
import type { World } from '../../src/ports/world.ts'
import {
  awayCluster, awayEarlier, clusterDirectory, earlierMax, isSameDirectory, readRemembered, whyAway, type Remembered,
} from '../discovery/remembered.ts'
import type { Running } from '../discovery/running.ts'
import { askedOfUp, checkGatewayPorts } from './askedports.ts'
import { replicationDefault } from './namenode.ts'
import { refuseLostNamenode } from '../discovery/lostnamenode.ts'
import { oneDirectory } from './run.ts'
import { ownOfEach } from './server.ts'
import { valueText } from '../../src/base/valuetext.ts'

export interface UpOptions {
  readonly settings: Settings
  /** Source of each setting that was given. */
  readonly origins: ReadonlyMap<SettingName, SettingOrigin>
  /** Those of the settings that the command line gave: they hold the next time, too. */
  readonly flags: Readonly<Record<string, unknown>>
  readonly world: World
  readonly machine: Machine
  /** Inherited by the processes. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** Leave them running and return. */
  readonly detach: boolean
  /** Ends them all in good order, unless they were detached. */
  readonly signal: AbortSignal
  /** Called once all have registered. `console`: address of the console of its gateway, if that is known. */
  readonly ready: (running: Running, console: string | undefined) => Promise<void> | void
  /** Something a person should know: a process that ended by itself. */
  readonly note: (text: string) => void
}

export interface UpPlan {
  readonly settings: Settings
  /** Sources of the settings that its processes are given as they are, by name. */
  readonly origins: Readonly<Record<string, string>>
  readonly dir: string
  /** undefined: `up` creates one in `dir`. */
  readonly secretFile: string | undefined
  /** Names of the datanodes, equal to the names of their directories, in order. */
  readonly datanodes: readonly string[]
  readonly gateway: boolean
  /** Ports of the last time, by process name. */
  readonly ports: Readonly<Record<string, number>>
  /** Remembered once the cluster is ready. */
  readonly remembered: Remembered
  /** Remembered until then: the directory, which may get data, and the options of the last time that the cluster was ready. */
  readonly begun: Remembered
  /** Messages for the user about this plan. */
  readonly notes: readonly string[]
}

export const datanodesDefault = 3
/** Settings with fields of their own, or that do not describe the cluster. */
const notRemembered: ReadonlySet<SettingName> = new Set(['home', 'cluster', 'secretFile', 'dir', 'port', 'datanodes', 'logFile'])
const rememberable = settingNames.filter(
  name => !notRemembered.has(name) && (table[name].usedBy as readonly string[]).some(user => user === 'up' || user === 'all'),
)
/** Options that count beside them. `ports` and `datanodes` of the record have values also if there was no such option. */
const sayable: readonly SettingName[] = [...rememberable, 'port', 'datanodes']

interface PlanDeps {
  readonly disk: Disk
  readonly cores: number
}
type Asked = Pick<UpOptions, 'flags' | 'origins'> & { readonly settings: Settings }

/** Throws UNAVAILABLE, and CONFIG_INVALID, instead of making a cluster where one has been whose data is not there. */
export async function planUp({ disk, cores }: PlanDeps, { settings: asked, flags, origins }: Asked): Promise<UpPlan> {
  const { dir, before, earlier, notes } = await directoryOf(disk, asked)
  await refuseLostNamenode(disk, dir)
  const { settings, sources } = withRemembered({ settings: asked, flags, origins }, before?.said ?? {}, notes)
  checkGatewayPorts(flags, settings.gateway ?? false)
  askedOfUp(settings, settings.gateway ?? false)
  const datanodes = await datanodesOf(disk, dir, { asked: settings.datanodes, before: before?.datanodes })
  if (datanodes.more.length > 0) {
    notes.push(
      `${datanodes.more.join(', ')} ${datanodes.more.length === 1 ? 'has' : 'have'} data and ${datanodes.more.length === 1 ? 'is' : 'are'} started as well; "gristmill help decommission" says how to remove a datanode`,
    )
  }
  const names = [...datanodes.first, ...datanodes.more]
  for (const name of names) {
    if (before?.ports[name] === undefined || await disk.stat(`${dir}/${name}/${stampName}`)) continue
    notes.push(`${name} had data, and ${dir}/${name} has no ${stampName} now: it starts with an empty directory; if its disk is not mounted, stop the cluster and mount it`)
  }
  const replication = settings.replication ?? Math.min(replicationDefault, names.length)
  if (replication > names.length)
    notes.push(
      `new files get ${replication} replicas, but there ${names.length === 1 ? 'is 1 datanode' : `are ${names.length} datanodes`}: blocks stay under-replicated until there are more`,
    )
  const secretFile = asked.secretFile ?? before?.secretFile
  const said = {
    ...before?.said,
    ...Object.fromEntries(sayable.filter(name => flags[name] !== undefined).map(name => [name, String(asked[name])])),
  }
  // The datanodes share the processor: as many tasks as it has cores, but one for each datanode.
  const slots = settings.slots ?? Math.max(1, Math.floor(cores / names.length))
  const remembered: Remembered = {
    format: 1, dir, ...(secretFile !== undefined && { secretFile }), datanodes: datanodes.first.length, ports: before?.ports ?? {}, said,
    ...earlier.length > 0 && { earlier },
  }
  return {
    settings: { ...settings, replication, slots }, origins: sources, dir, secretFile, datanodes: names, gateway: settings.gateway ?? false,
    ports: before?.ports ?? {}, notes, remembered,
    begun: { ...remembered, said: before?.said ?? {}, datanodes: before?.datanodes },
  }
}

/** Current options over those of earlier times, over variables and the settings file. `sources`: see UpPlan.origins. */
function withRemembered(
  { settings: asked, flags, origins }: Asked, said: Remembered['said'], notes: string[],
): { settings: Settings; sources: Record<string, string> } {
  const again = sayable.filter(name => said[name] !== undefined && flags[name] === undefined)
  const parsed = (name: SettingName): unknown => {
    try {
      return (table[name] as Setting<unknown>).parse(said[name])
    } catch (error) {
      const flag = flagOf(name)
      throw new GristmillError(
        'CONFIG_INVALID', `${flag} of an earlier "up": ${(error as Error).message}; give ${flag} again with another value`,
        { cause: error },
      )
    }
  }
  for (const name of again) {
    const origin = origins.get(name)
    if (!origin || String(asked[name]) === said[name]) continue
    const [flag, other] = [flagOf(name), `${valueText(name, asked[name])} (${originText(origin)})`]
    notes.push(`${flag} ${valueText(name, parsed(name))} of an earlier "up" is in effect, and not ${other}; give ${flag} again to change it`)
  }
  const settings: Settings = {
    ...asked, ...Object.fromEntries(again.map(name => [name, parsed(name)])),
    // The last time's port is remembered as that of a process: only one that is asked for now must be free.
    ...again.includes('port') && { port: undefined },
  }
  const sources: Record<string, string> = {}
  for (const name of settingNames.filter(one => !ownOfEach.includes(one))) {
    const origin = origins.get(name)
    if (again.includes(name) || origin?.kind === 'option') sources[name] = `up ${flagOf(name)}`
    else if (origin) sources[name] = originText(origin)
  }
  if (sources['racks'] !== undefined) sources['rack'] = sources['racks']
  return { settings, sources }
}

/** The data directory, what is remembered of it, and the directories that this home had before. */
async function directoryOf(
  disk: Disk, asked: Settings,
): Promise<{ dir: string; before: Remembered | undefined; earlier: string[]; notes: string[] }> {
  const { home } = asked
  const last = await readRemembered(disk, home)
  const given = oneDirectory(asked, last?.remembered.dir ?? clusterDirectory(home))
  if (!last) return { dir: given, before: undefined, earlier: [], notes: [] }
  const { remembered, away } = last
  const known = remembered.earlier ?? []
  // A directory keeps the path under which it is remembered.
  let dir = given
  for (const each of [remembered.dir, ...known]) {
    if (!await isSameDirectory(disk, each, given)) continue
    dir = each
    break
  }
  if (remembered.dir === dir) {
    if (away !== undefined) throw awayCluster(home, dir, away)
    return { dir, before: remembered, earlier: [...known], notes: [] }
  }
  const gone = known.includes(dir) ? await whyAway(disk, dir) : undefined
  if (gone !== undefined) throw awayEarlier(home, dir, gone)
  const note = `the cluster of this home is now the one in ${dir}; the previous one stays in ${remembered.dir} and can be started` +
    `${away === undefined ? '' : ', once it is back,'} with --dir ${remembered.dir}`
  return { dir, before: undefined, earlier: [remembered.dir, ...known].filter(each => each !== dir).slice(0, earlierMax), notes: [note] }
}

/**
 * Those that have blocks, then others that have directories, and as many new ones, with the lowest numbers, as are missing. `more`: those
 * with blocks beyond the requested number, without which blocks might be missing.
 */
async function datanodesOf(
  disk: Disk, dir: string,
  { asked, before }: { asked: number | undefined; before: number | undefined },
): Promise<{ first: string[]; more: string[] }> {
  const there = (await namesIn(disk, dir))
    .map(name => Number(/^datanode([1-9]\d*)$/.exec(name)?.[1] ?? 0))
    .filter(number => number > 0)
    .sort((a, b) => a - b)
  const count = asked ?? before ?? there.at(-1) ?? datanodesDefault
  const full: number[] = []
  for (const number of there) if (await hasBlocks(disk, `${dir}/datanode${number}/blocks`)) full.push(number)
  const others: number[] = []
  for (const number of there) if (!full.includes(number) && await disk.stat(`${dir}/datanode${number}/${stampName}`)) others.push(number)
  const first = [...full, ...others].slice(0, count)
  for (let number = 1; first.length < count; number++) if (!first.includes(number)) first.push(number)
  const named = (numbers: readonly number[]): string[] => numbers.map(number => `datanode${number}`)
  return { first: named(first.sort((a, b) => a - b)), more: named(full.slice(count)) }
}

async function hasBlocks(disk: Disk, blocks: string): Promise<boolean> {
  for (const name of await namesIn(disk, blocks)) if ((await namesIn(disk, `${blocks}/${name}`)).length > 0) return true
  return false
}

async function namesIn(disk: Disk, dir: string): Promise<string[]> {
  try {
    return (await disk.list(dir)).map(({ name }) => name)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return []
    throw error
  }
}
