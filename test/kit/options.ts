// Validation of the options of Cluster.start, before any process is started. Unknown names and impossible values are refused: ignoring
// them would start a cluster other than the intended one.

import { settingNames } from '../../src/base/config.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { settings as table, type SettingName } from '../../src/base/settings.ts'
import type { StartOptions } from './contract.ts'

const known: Readonly<Record<keyof StartOptions, true>> = {
  datanodes: true, racks: true, seed: true, mode: true, disks: true, powerCuts: true, settings: true, nodeSettings: true,
}

/** Limit for one machine; each datanode is a process of some 100 MB. */
const datanodesMax = 64
const disksMax = 16

/** Settings that the kit itself sets: directories and addresses of the processes. */
const own: readonly SettingName[] = ['home', 'cluster', 'secretFile', 'dir', 'host', 'port', 'advertise', 'hostName', 'user', 'datanodes']

/** Throws EINVAL; the message says how to correct the option. */
export function checkOptions(options: StartOptions): void {
  if (!isRecord(options as unknown)) throw wrong(`Cluster.start takes options, for instance { datanodes: 3 }, and not ${show(options)}`)
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(known, name))
      throw wrong(
        `Cluster.start has no option "${name}"; it has ` +
        `${Object.keys(known).join(', ')}${isSetting(name) ? `. "${name}" is a setting: write settings: { ${name}: … }` : ''}`,
      )
  }
  const { datanodes = 3, racks = [], seed = 1, mode = 'process', disks = 1, powerCuts = false, settings = {}, nodeSettings = {} } = options
  within('datanodes', datanodes, 0, datanodesMax)
  within('disks', disks, 1, disksMax)
  within('seed', seed, 0, Number.MAX_SAFE_INTEGER)
  if (mode !== 'process' && mode !== 'sim') throw wrong(`mode is 'process' or 'sim', not ${show(mode)}`)
  if (typeof powerCuts !== 'boolean') throw wrong(`powerCuts is true or false, not ${show(powerCuts)}`)
  if (!Array.isArray(racks)) throw wrong(`racks is a list of racks' names, for instance ['/left', '/right'], and not ${show(racks)}`)
  for (const rack of racks) checkSetting('racks', 'rack', rack)
  checkSettings('settings', settings)
  if (!isRecord(nodeSettings))
    throw wrong(`nodeSettings are by datanode, for instance { 1: { slots: '4' } }, and not ${show(nodeSettings)}`)
  for (const [number, more] of Object.entries(nodeSettings)) {
    if (!(Number.isInteger(Number(number)) && Number(number) >= 1 && Number(number) <= datanodes))
      throw wrong(`nodeSettings has ${number}, but datanodes are counted from 1 to ${datanodes}`)
    checkSettings(`nodeSettings[${number}]`, more)
  }
}

function checkSettings(where: string, settings: unknown): void {
  if (!isRecord(settings)) throw wrong(`${where} are names and texts, for instance { blockSize: '1MiB' }, and not ${show(settings)}`)
  for (const [name, value] of Object.entries(settings)) {
    if (!isSetting(name))
      throw wrong(
        `${where}: there is no setting "${name}"; gristmill help settings explains them: ${settingNames.filter(one => !own.includes(one)).join(', ')}`,
      )
    if (own.includes(name)) throw wrong(`${where}: "${name}" is the test kit's own to set`)
    checkSetting(`${where}: ${name}`, name, value)
  }
}

function checkSetting(where: string, name: SettingName, value: unknown): void {
  if (typeof value !== 'string')
    throw wrong(`${where} takes texts, as the command line does: write '${String(value)}' and not ${show(value)}`)
  try {
    table[name].parse(value)
  } catch (error) {
    throw wrong(`${where}: ${(error as Error).message}`, error)
  }
}

function within(name: string, value: unknown, min: number, max: number): void {
  if (!(Number.isInteger(value) && (value as number) >= min && (value as number) <= max))
    throw wrong(`${name} is ${show(value)}; it must be a whole number from ${min} to ${max}`)
}

const isSetting = (name: string): name is SettingName => Object.hasOwn(table, name)
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
const show = (value: unknown): string =>
  typeof value === 'object' ? JSON.stringify(value) : typeof value === 'string' ? `'${value}'` : String(value)
const wrong = (message: string, cause?: unknown): GristmillError =>
  new GristmillError('EINVAL', message, { ...(cause !== undefined && { cause }) })
