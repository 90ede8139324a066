// Where settings come from: flags over GRISTMILL_* variables over one small JSON file. What nobody said keeps its default.
// A name that is not in the table (settings.ts) is an error that names the nearest one, so that a misspelt setting never
// goes unnoticed. Pure: the caller gives the environment, the flags and the file's text.

import { isAbsolute, join } from 'node:path'
import { GristmillError } from './errors.ts'
import { settings, type Setting, type SettingName, type Settings } from './settings.ts'

/** Not a setting, for it says where the settings are. */
const configVariable = 'GRISTMILL_CONFIG'
/** Not settings either: with them, and only with them, a test takes hold of a process. */
const testVariables: ReadonlySet<string> = new Set(['GRISTMILL_TEST_KIT', 'GRISTMILL_FAILPOINTS'])
const prefix = 'GRISTMILL_'

export const settingNames = Object.keys(settings) as SettingName[]

/** `secretFile` → `GRISTMILL_SECRET_FILE`. */
export const variableOf = (name: string): string => prefix + snake(name, '_').toUpperCase()
/** `secretFile` → `--secret-file`. */
export const flagOf = (name: string): string => `--${snake(name, '-')}`
const snake = (name: string, by: string): string => name.replace(/[A-Z]/g, letter => by + letter.toLowerCase())

export interface ConfigSources {
  /** Options of the command line under their camel-cased names; those that are no settings are passed over. */
  readonly flags: Readonly<Record<string, unknown>>
  readonly env: Readonly<Record<string, string | undefined>>
  /** Relative paths of flags and variables start here. */
  readonly cwd: string
  /** The user's own directory: the home is `.gristmill` in it. */
  readonly userDirectory: string
}

export interface ConfigFile {
  readonly path: string
  /** undefined: there is no such file. */
  readonly text: string | undefined
}

/** Which file to read, and whether somebody asked for it (then it must be there). */
export function configFileOf(sources: ConfigSources): { path: string; asked: boolean } {
  const { flags, env, cwd } = sources
  const asked = typeof flags['config'] === 'string' ? flags['config'] : env[configVariable]
  if (asked) return { path: absolute(asked, cwd), asked: true }
  return { path: join(homeOf(sources), 'config.json'), asked: false }
}

/** The home, which no config file can name: it would lie in it. */
function homeOf({ flags, env, cwd, userDirectory }: ConfigSources): string {
  const said = typeof flags['home'] === 'string' ? flags['home'] : env[variableOf('home')]
  return said ? absolute(said, cwd) : join(userDirectory, '.gristmill')
}

/** All that was said, the strongest source first. Throws CONFIG_INVALID. */
export function resolveSettings(sources: ConfigSources, file?: ConfigFile): Settings {
  const { flags, env, cwd } = sources
  const result: Record<string, unknown> = {}
  if (file?.text !== undefined) {
    const from = join(file.path, '..')
    for (const [key, raw] of Object.entries(readFile(file.path, file.text))) {
      if (key === 'home') throw invalid(`the setting "home" in ${file.path} has no effect there; use --home or ${variableOf('home')}`, key)
      result[known(key, settingNames, `the setting "${key}" in ${file.path}`)] = value(
        key as SettingName, raw, `"${key}" in ${file.path}`, from,
      )
    }
  }
  const variables = new Map(settingNames.map(name => [variableOf(name), name]))
  for (const [variable, raw] of Object.entries(env)) {
    if (!variable.startsWith(prefix) || variable === configVariable || testVariables.has(variable) || raw === undefined || raw === '')
      continue
    const name = variables.get(known(variable, [...variables.keys(), configVariable], `the variable ${variable}`))!
    result[name] = value(name, raw, variable, cwd)
  }
  for (const name of settingNames) {
    if (flags[name] !== undefined) result[name] = value(name, flags[name], flagOf(name), cwd)
  }
  result['home'] = homeOf(sources)
  return result as Settings
}

function value(name: SettingName, raw: unknown, where: string, from: string): unknown {
  const setting: Setting<unknown> = settings[name]
  let parsed: unknown
  try {
    parsed = setting.parse(raw)
  } catch (error) {
    throw invalid(`${where}: ${(error as Error).message}`, name, error)
  }
  if (setting.kind === 'path') return absolute(parsed as string, from)
  if (setting.kind === 'paths') return (parsed as string[]).map(part => absolute(part, from))
  return parsed
}

function readFile(path: string, text: string): Record<string, unknown> {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (error) {
    throw invalid(`the settings in ${path} are not JSON: ${(error as Error).message}`, path, error)
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw invalid(`the settings in ${path} must be one JSON object, such as {"replication": 2}`, path)
  return parsed as Record<string, unknown>
}

/** `name` itself if it is one of `all`; otherwise throws and says which one was probably meant. */
function known<T extends string>(name: string, all: readonly T[], what: string): T {
  if (all.includes(name as T)) return name as T
  const nearest = all
    .map(other => ({ other, distance: distance(name.toLowerCase(), other.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0]!
  const hint = nearest.distance <= Math.max(2, name.length / 3) ? `; did you mean ${nearest.other}?` : ''
  throw invalid(`${what} is not known${hint} (docs/reference/settings.md lists them all)`, name)
}

/** Letters to add, drop or change to get from one to the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]!
}

const absolute = (path: string, from: string): string => (isAbsolute(path) ? path : join(from, path))

const invalid = (message: string, setting: string, cause?: unknown): GristmillError =>
  new GristmillError('CONFIG_INVALID', message, { cause, details: { setting } })
