// Options of `up` that processes which run already do not have: they take them when they are started again.

import { flagOf, settingNames } from '../../src/base/config.ts'
import { settings as table, type SettingName } from '../../src/base/settings.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Machine } from '../../src/ports/machine.ts'
import { logDirectory } from '../discovery/remembered.ts'
import { living, nameOf, type Running, type RunningProcess } from '../discovery/running.ts'
import { readySettings } from './config.ts'
import type { UpPlan } from './plan.ts'
import { rackOf } from './server.ts'
import { valueText } from '../../src/base/valuetext.ts'

/** One message for each living process of `left` that has other values than those in the plan. */
export async function notYetInEffect(
  { disk, machine }: { readonly disk: Disk; readonly machine: Machine }, plan: Pick<UpPlan, 'settings' | 'origins'>, left: Running,
): Promise<string[]> {
  const notes: string[] = []
  for (const one of living(machine, left)) {
    const has = await readySettings(disk, `${logDirectory(left.dir)}/${nameOf(one)}.ready`)
    const wanted = has ? wantedOf(plan, one) : []
    const differing = wanted.filter(({ setting, value }) => JSON.stringify(has![setting]) !== JSON.stringify(value))
    if (differing.length === 0) continue
    const [names, pronoun] = [differing.map(({ said }) => said).join(', '), differing.length === 1 ? 'it' : 'them']
    notes.push(
      `${names}: ${nameOf(one)} (process ${one.pid}) runs without ${pronoun}, and takes ${pronoun} when it is started again: gristmill down, then gristmill up`,
    )
  }
  return notes
}

interface Wanted { readonly setting: SettingName; readonly value: unknown; readonly said: string }

/** Settings that were given for a process, except for its home and its secret, without which it is not found. */
function wantedOf({ settings, origins }: Pick<UpPlan, 'settings' | 'origins'>, { role, dir }: RunningProcess): Wanted[] {
  const used = settingNames.filter(name => (table[name].usedBy as readonly string[]).some(user => user === role || user === 'all'))
  return used.filter(name => origins[name] !== undefined && name !== 'home' && name !== 'secretFile').map(name =>
    (name === 'rack' && settings.racks
      ? { setting: name, value: rackOf(dir, settings.racks), said: flagOf('racks') }
      : { setting: name, value: settings[name], said: `${flagOf(name)} ${valueText(name, settings[name])}` }))
}
