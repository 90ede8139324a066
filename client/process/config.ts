// `gristmill config`: each setting that has an effect on this command and on the servers of its cluster, with its source. Servers of `up`
// write the settings that they were given into their ready lines; servers of other machines tell theirs to the namenode.

import { flagOf, originText, settingNames } from '../../src/base/config.ts'
import { limits } from '../../src/base/limits.ts'
import { settings as table, type SettingName, type SettingUser, type Settings } from '../../src/base/settings.ts'
import { drivesOf, tasksMemory } from '../../datanode/usersettings.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Machine } from '../../src/ports/machine.ts'
import type { LogLevel } from '../../src/ports/log.ts'
import type { ServerSetting, ServerState } from '../../src/protocol/server.ts'
import { locate, secretDefault, type ClusterLocation } from '../discovery/locate.ts'
import { findSettings, type FoundSettings } from '../discovery/readsettings.ts'
import { logDirectory, readRemembered } from '../discovery/remembered.ts'
import { isAlive, readCluster, type RunningProcess } from '../discovery/running.ts'
import type { Ready } from './run.ts'

export interface ConfigEntry {
  readonly name: SettingName
  /** undefined: the default, as `text` describes it. */
  readonly value?: unknown
  /** The default in words, if no value is known. */
  readonly text?: string | undefined
  /** `default`, `up`, or the option, variable or file that gives the value. */
  readonly from: string
}

export interface ServerConfig {
  /** `namenode`, `datanode2`; `embedded` for the servers of the embedded cluster. */
  readonly name: string
  readonly address?: string | undefined
  /** undefined: an earlier version of gristmill has started the process. */
  readonly settings: readonly ConfigEntry[] | undefined
}

export interface EffectiveConfig {
  /** The settings file, which need not exist. */
  readonly file: string
  readonly isFilePresent: boolean
  readonly client: readonly ConfigEntry[]
  readonly servers: readonly ServerConfig[]
  /** Reasons why there are no servers, or not all. */
  readonly notes: readonly string[]
}

interface ConfigDeps { readonly disk: Disk; readonly machine: Machine }

export async function effectiveConfig(deps: ConfigDeps, found: FoundSettings): Promise<EffectiveConfig> {
  const { settings, file, isFilePresent } = found
  const place = await locate(deps, settings)
  const client = entriesOf(['client', 'all'], found, clientDefaults(deps.machine, found, place))
  return { file, isFilePresent, client, ...await serversOf(deps, found, place) }
}

/** Values in effect where a setting is not given. */
type Defaults = Partial<Record<SettingName, Omit<ConfigEntry, 'name'>>>

function clientDefaults(machine: Machine, { settings, origins }: FoundSettings, place: ClusterLocation): Defaults {
  const defaults: Defaults = {
    home: { value: settings.home, from: 'default' },
    user: { value: machine.user, from: 'default' },
    hostName: { value: machine.hostName, from: 'default' },
    logLevel: { value: 'silent', from: 'default' },
    logFile: { text: 'stderr', from: 'default' },
    debug: { value: false, from: 'default' },
  }
  if (place.kind === 'embedded') return { ...defaults, cluster: { value: 'embedded', from: 'default' } }
  if (place.kind === 'stopped') return { ...defaults, cluster: { text: `the cluster in ${place.dir}, which does not run`, from: 'up' } }
  const { namenode, secretFile } = place
  return {
    ...defaults,
    cluster: { value: namenode, from: origins.get('cluster')?.name ?? 'up' },
    secretFile: { value: secretFile, from: secretFile === secretDefault(settings.home) ? 'default' : 'up' },
  }
}

async function serversOf(
  { disk, machine }: ConfigDeps, found: FoundSettings, place: ClusterLocation,
): Promise<Pick<EffectiveConfig, 'servers' | 'notes'>> {
  const { home } = found.settings
  if (place.kind === 'embedded') return { servers: [embeddedConfig(machine, found, place.dir)], notes: [] }
  if (place.kind === 'stopped') return { servers: [], notes: ['the cluster of this home does not run: "gristmill up --detach" starts it'] }
  const running = await readCluster(disk, home)
  if (running?.namenode !== place.namenode) {
    const note = `the servers of ${place.namenode} were not started by "up" in this home: "gristmill config --servers" asks them`
    return { servers: [], notes: [note] }
  }
  const facts = {
    logs: logDirectory(running.dir), said: (await readRemembered(disk, home))?.remembered.said ?? {}, machine,
  }
  const alive = running.processes.filter(one => isAlive(machine, one))
  return { servers: await Promise.all(alive.map(one => serverConfig(disk, one, facts))), notes: [] }
}

/** Defaults that are computed, with these settings of a server on this machine. */
function computedDefaults(
  machine: Machine, { slots, nodeDead = limits.nodeDeadMs }: Partial<Settings>,
): Partial<Record<SettingName, unknown>> {
  return {
    slots: slots ?? machine.cores, nodeMemory: tasksMemory(machine, slots), drives: drivesOf(machine, slots),
    nodeStale: Math.min(limits.nodeStaleMs, Math.floor(nodeDead / 3)),
  }
}

const asDefaults = (values: Partial<Record<SettingName, unknown>>): Defaults =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value, from: 'default' }])) as Defaults

function embeddedConfig(machine: Machine, found: FoundSettings, dir: string): ServerConfig {
  const entries = entriesOf(['namenode', 'datanode'], found, {
    ...asDefaults(computedDefaults(machine, found.settings)),
    dir: { value: [dir], from: 'default' }, replication: { value: 1, from: 'default' },
    backupDir: { value: `${dir}/namenode/backups`, from: 'default' }, auditLog: { text: 'none', from: 'default' },
  })
  return { name: 'embedded', settings: entries.filter(({ name }) => !notEmbedded.has(name)) }
}

/** Settings of servers that have a port of their own, or that follow from the client's. */
const notEmbedded: ReadonlySet<SettingName> = new Set(['cluster', 'host', 'port', 'advertise', 'hostName'])

/** Settings with one of these users: what was given, else what is known of the default. */
function entriesOf(users: readonly SettingUser[], { settings, origins }: FoundSettings, defaults: Defaults): ConfigEntry[] {
  return usedBy(users).map(name => {
    const origin = origins.get(name)
    if (origin) return { name, value: settings[name], from: originText(origin) }
    return { name, ...defaults[name] ?? { text: plain(table[name].fallback), from: 'default' } }
  })
}

/** Without the marks of Markdown. */
const plain = (text: string): string => text.replaceAll('`', '')

const usedBy = (users: readonly SettingUser[]): SettingName[] =>
  settingNames.filter(name => (table[name].usedBy as readonly SettingUser[]).some(user => users.includes(user)))

interface UpFacts {
  readonly logs: string
  /** Settings that `up` was given as options, now or an earlier time. */
  readonly said: Readonly<Record<string, string>>
  readonly machine: Machine
}

async function serverConfig(
  disk: Disk, { role, address, dir, origins }: RunningProcess, { logs, said, machine }: UpFacts,
): Promise<ServerConfig> {
  const name = dir.slice(dir.lastIndexOf('/') + 1)
  const given = await readySettings(disk, `${logs}/${name}.ready`)
  if (!given) return { name, address, settings: undefined }
  const known = asDefaults({
    ...computedDefaults(machine, given), advertise: address, hostName: machine.hostName, backupDir: `${dir}/backups`, logLevel: 'info',
  })
  return {
    name, address,
    settings: usedBy([role, 'all']).map(setting => {
      const value = given[setting]
      if (value === undefined) return { name: setting, ...known[setting] ?? { text: plain(table[setting].fallback) }, from: 'default' }
      // An earlier version records no origins.
      const from = origins ? origins[setting] : Object.hasOwn(said, setting) ? `up ${flagOf(setting)}` : undefined
      return { name: setting, value, from: from ?? 'up' }
    }),
  }
}

/** Settings that a server of `up` was given. undefined: its ready line is gone, or of an earlier version. */
export async function readySettings(disk: Disk, file: string): Promise<Settings | undefined> {
  try {
    const line = (await disk.readFile(file)).toString('utf8').split('\n').find(part => part.startsWith('{'))
    return line === undefined ? undefined : (JSON.parse(line) as Ready).settings as Settings | undefined
  } catch {
    // Removed, or of an earlier version.
    return undefined
  }
}

/** Settings in effect in this process, a server, as it tells them to the namenode. `known`: defaults that depend on the machine. */
export async function ownSettings(
  deps: ConfigDeps, flags: Readonly<Record<string, unknown>>, role: SettingUser, known: Partial<Record<SettingName, unknown>>,
): Promise<ServerSetting[]> {
  const found = await findSettings(deps, flags)
  const defaults = asDefaults({ ...computedDefaults(deps.machine, found.settings), ...known })
  return entriesOf([role, 'all'], found, defaults).map(({ name, value, text, from }) => ({
    name, ...value === undefined ? { text: text ?? '' } : { json: JSON.stringify(value) }, from,
  }))
}

/** The servers with the levels that their logs have now. */
export function withLevels(servers: readonly ServerConfig[], states: readonly ServerState[]): ServerConfig[] {
  const levels = new Map<string, ServerState['logLevel']>(states.map(({ address, logLevel }) => [address, logLevel]))
  return servers.map(server => {
    const level = server.address === undefined ? undefined : levels.get(server.address)
    return !server.settings || level === undefined ? server : { ...server, settings: server.settings.map(entry => atLevel(entry, level)) }
  })
}

function atLevel(entry: ConfigEntry, level: LogLevel): ConfigEntry {
  if (entry.name !== 'logLevel' || (entry.value ?? entry.text) === level) return entry
  return { name: 'logLevel', value: level, from: 'gristmill loglevel' }
}

/** The settings that a server has told the namenode. Settings of a later version are left out. */
export function serverConfigOf({ role, id, address, settings }: ServerState): ServerConfig {
  const entries = settings?.filter(({ name }) => Object.hasOwn(table, name)).map(({ name, json, text, from }) => ({
    name: name as SettingName, ...json === undefined ? { text } : { value: JSON.parse(json) as unknown }, from,
  }))
  return { name: role === 'namenode' ? role : `${role} ${id}`, address, settings: entries }
}
