// Resolves settings from their sources: flags over GRISTMILL_* variables over one JSON file. Unset ones stay undefined, and their users
// take the default of limits.ts. A name that is not in the table (settings.ts) is an error that suggests the nearest one, so that a
// misspelt setting is noticed. Pure: the caller passes the environment, the flags and the file's text.

import { join, resolve } from 'node:path'
import { GristmillError } from './errors.ts'
import { nearest } from './nearest.ts'
import { settings, type Setting, type SettingName, type Settings } from './settings.ts'

/** Not a setting: the path of the settings file. */
const configVariable = 'GRISTMILL_CONFIG'
/** Not settings either: reserved for tests that control a process. */
const testVariables: ReadonlySet<string> = new Set(['GRISTMILL_TEST_KIT', 'GRISTMILL_FAILPOINTS'])
const prefix = 'GRISTMILL_'

export const settingNames = Object.keys(settings) as SettingName[]

/** `secretFile` → `GRISTMILL_SECRET_FILE`. */
export const variableOf = (name: string): string => prefix + snake(name, '_').toUpperCase()
/** `secretFile` → `--secret-file`. */
export const flagOf = (name: string): string => `--${snake(name, '-')}`
const snake = (name: string, by: string): string => name.replace(/[A-Z]/g, letter => by + letter.toLowerCase())

export interface ConfigSources {
  /** Command line options under their camel-cased names; options that are no settings are ignored. */
  readonly flags: Readonly<Record<string, unknown>>
  readonly env: Readonly<Record<string, string | undefined>>
  /** Base of relative paths in flags and variables. */
  readonly cwd: string
  /** The user's home directory, which contains the default home `.gristmill`. */
  readonly userDirectory: string
}

interface ConfigFile {
  readonly path: string
  /** undefined: the file does not exist. */
  readonly text: string | undefined
}

/** Path of the settings file, and whether it was named explicitly and must therefore exist. */
export function configFileOf(sources: ConfigSources): { path: string; asked: boolean } {
  const { flags, env, cwd } = sources
  const asked = typeof flags['config'] === 'string' ? flags['config'] : env[configVariable]
  if (asked) return { path: absolute(asked, cwd), asked: true }
  return { path: join(homeOf(sources), 'config.json'), asked: false }
}

/** The home. It cannot be set in the settings file, which is in the home by default. */
function homeOf({ flags, env, cwd, userDirectory }: ConfigSources): string {
  const given = typeof flags['home'] === 'string' ? flags['home'] : env[variableOf('home')]
  return given ? absolute(given, cwd) : join(userDirectory, '.gristmill')
}

/** The source that gave a setting, and the name that it has there: a flag, a variable, or the path of the file. */
export interface SettingOrigin {
  readonly kind: 'option' | 'variable' | 'file'
  readonly name: string
}

export interface ResolvedSettings {
  readonly settings: Settings
  /** Source of each setting that was given. */
  readonly origins: ReadonlyMap<SettingName, SettingOrigin>
}

/** Merges all sources, the strongest winning. Throws CONFIG_INVALID. */
export const resolveSettings = (sources: ConfigSources, file?: ConfigFile): Settings => resolveOrigins(sources, file).settings

/** The same, with the source of each setting. */
export function resolveOrigins(sources: ConfigSources, file?: ConfigFile): ResolvedSettings {
  const { flags, env, cwd } = sources
  const result: Record<string, unknown> = {}
  const origins = new Map<SettingName, SettingOrigin>()
  if (file?.text !== undefined) {
    const from = join(file.path, '..')
    for (const [key, raw] of Object.entries(readFile(file.path, file.text))) {
      if (key === 'home') throw invalid(`the setting "home" in ${file.path} has no effect there; use --home or ${variableOf('home')}`, key)
      result[known(key, settingNames, `the setting "${key}" in ${file.path}`)] = value(
        key as SettingName, raw, `"${key}" in ${file.path}`, from,
      )
      origins.set(key as SettingName, { kind: 'file', name: file.path })
    }
  }
  const variables = new Map(settingNames.map(name => [variableOf(name), name]))
  for (const [variable, raw] of Object.entries(env)) {
    if (!variable.startsWith(prefix) || variable === configVariable || testVariables.has(variable) || raw === undefined || raw === '')
      continue
    const name = variables.get(known(variable, [...variables.keys(), configVariable], `the variable ${variable}`, prefix))!
    result[name] = value(name, raw, variable, cwd)
    origins.set(name, { kind: 'variable', name: variable })
  }
  for (const name of settingNames) {
    if (flags[name] === undefined) continue
    result[name] = value(name, flags[name], flagOf(name), cwd)
    origins.set(name, { kind: 'option', name: flagOf(name) })
  }
  result['home'] = homeOf(sources)
  return { settings: result as Settings, origins }
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

/** Returns `name` if it is one of `all`; otherwise throws and suggests the nearest name. `common`: beginning of all of them. */
function known<T extends string>(name: string, all: readonly T[], what: string, common = ''): T {
  if (all.includes(name as T)) return name as T
  const near = nearest(name.slice(common.length), all.map(each => each.slice(common.length)))
  const hint = near === undefined ? '' : `; did you mean ${common}${near}?`
  throw invalid(`${what} is not known${hint} (gristmill help settings lists them all)`, name)
}

/** As `gristmill config` shows it. */
export const originText = ({ kind, name }: SettingOrigin): string => (kind === 'file' ? `file ${name}` : name)

const absolute = (path: string, from: string): string => resolve(from, path)

const invalid = (message: string, setting: string, cause?: unknown): GristmillError =>
  new GristmillError('CONFIG_INVALID', message, { cause, details: { setting } })
